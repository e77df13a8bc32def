//! What the composition shows of a record that isn't worth its name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

#[allow(dead_code, reason = "nothing is printed here")]
#[path = "../composition/show.rs"]
mod show;

use loomflow::audit::{Audit, AuditKey, Report, verify};
use loomflow::otel::{OtelObserver, provider_builder};
use loomflow::{Error, Loom, Recorder, Result};
use opentelemetry_sdk::trace::InMemorySpanExporter;
use serde_json::{Value, json};

use crate::show::{Record, shown};

/// A run that is recorded, and what is found in its log after somebody has been at it.
async fn recorded(exports: bool, forge: fn(String) -> String) -> (Record, Report) {
    async fn shout(text: String) -> Result<String> {
        Ok(text.to_uppercase())
    }
    let key = AuditKey::generate().unwrap();
    let audit = Audit::in_memory(key.clone()).build().unwrap();
    let recorder = Recorder::default();
    let exporter = InMemorySpanExporter::default();
    let provider = provider_builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let mut loom = Loom::builder()
        .install(audit.clone())
        .observe(recorder.clone());
    if exports {
        loom = loom.observe(OtelObserver::new(&provider));
    }
    let result = loom.build().session("alice").run(&shout, "hi").await;
    let log = forge(String::from_utf8(audit.bytes()).unwrap());
    let report = verify(log.as_bytes(), &[key], &[audit.anchor().into()]);
    let record = Record {
        result,
        audit,
        recorder,
        provider,
        exporter,
    };
    (record, report)
}

/// The object and what is said on standard error.
fn both(record: &Record, log: &Report) -> (Value, Option<String>) {
    let (text, failure) = shown(record, log, true);
    let said = failure.map(|it| it.to_string());
    (serde_json::from_str(&text).unwrap(), said)
}

#[tokio::test]
async fn a_forged_log_is_an_error_in_the_object_and_on_standard_error() -> Result<()> {
    let (record, log) = recorded(true, |log| log.replace("alice", "mallo")).await;
    let (object, said) = both(&record, &log);
    let first = &log.findings[0];
    let message = format!("the audit log doesn't verify: it is forged; {first}");
    assert_eq!(object["output"], "HI");
    assert_eq!(object["verdict"], "Forged");
    assert_eq!(
        object["error"],
        json!({"kind": "forged", "message": message, "path": null})
    );
    assert_eq!(said, Some(message));
    Ok::<_, Error>(())
}

#[tokio::test]
async fn a_whole_record_has_no_error() {
    let (record, log) = recorded(true, |log| log).await;
    let (object, said) = both(&record, &log);
    assert_eq!(object.get("error"), None);
    assert_eq!((&object["verdict"], said), (&json!("Ok"), None));
}

#[tokio::test]
async fn a_span_that_was_not_exported_is_shown_without_attributes_and_is_an_error() {
    let (record, log) = recorded(false, |log| log).await;
    let (object, said) = both(&record, &log);
    assert_eq!(said.as_deref(), Some("shout: its span wasn't exported"));
    assert_eq!(
        object["error"],
        json!({"kind": "internal", "message": "its span wasn't exported", "path": "shout"})
    );
    assert_eq!(object["spans"].as_array().unwrap().len(), 1);
    assert_eq!(object["spans"][0]["label"], "shout");
    assert_eq!(object["spans"][0]["attributes"], Value::Null);
}
