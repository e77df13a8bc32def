//! A workflow that holds an agent that holds a workflow, under one user, one trace and one audit
//! log. Offline: the agent's model is a function that reads the request.
//!
//! ```text
//! cargo run --example composition [-- [--user NAME] [--json] [--] [TEXT | -]]
//! ```
//!
//! `-` reads the request from standard input. Exit status 0; 1 for a run that failed or a log that
//! doesn't verify; 2 for bad input.

#[path = "composition/desk.rs"]
mod desk;
#[path = "composition/arguments.rs"]
mod arguments;
#[path = "composition/show.rs"]
mod show;

use std::process::ExitCode;

use loomflow::audit::{Audit, AuditKey};
use loomflow::otel::{OtelObserver, provider_builder};
use loomflow::{Loom, Recorder, Result, Workflow};
use opentelemetry_sdk::trace::InMemorySpanExporter;

use crate::arguments::Arguments;
use crate::desk::{authorize, desk, execute, gate, log_completion};
use crate::show::Record;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("composition: {wrong}");
            return ExitCode::from(2);
        }
    };
    match compose(&arguments).await {
        Ok(record) => show::print(&record, arguments.json),
        Err(error) => {
            eprintln!("composition: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the composition, runs it on the request, and gives what was recorded of it.
async fn compose(arguments: &Arguments) -> Result<Record> {
    // Inner workflow, deterministic: what happens once the agent decided.
    let action = Workflow::chain("action")
        .then(authorize)
        .then(execute)
        .build();
    // Agent, open-ended: decides whether to call the workflow.
    let agent = desk(action.as_tool())?;
    // Outer workflow, deterministic: what happens before and after.
    let gated = Workflow::chain("gated_action")
        .then(gate)
        .then(agent)
        .then(log_completion)
        .build();

    // Wired once, here; nothing above knows of it.
    let audit = Audit::in_memory(AuditKey::generate()?).build()?;
    let recorder = Recorder::default();
    let exporter = InMemorySpanExporter::default();
    let provider = provider_builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let loom = Loom::builder()
        .install(audit.clone())
        .observe(OtelObserver::new(&provider))
        .observe(recorder.clone())
        .build();

    let result = loom
        .session(arguments.user.as_str())
        .run(&gated, arguments.request.as_str())
        .await;
    // Kept with the exporter: a provider that is dropped empties it.
    Ok(Record {
        result,
        audit,
        recorder,
        provider,
        exporter,
    })
}
