//! A model's own failures end the run, whatever kind they are of.

use std::sync::Arc;

use loom_agent::{Agent, FnModel, Reply, Request, ScriptedModel};
use loom_core::{Error, ErrorKind, Tool};
use serde_json::json;

use crate::recorded::{recorded, tree};

#[tokio::test]
async fn a_model_s_error_ends_the_run_with_its_kind_and_path() {
    let table = [
        (ErrorKind::Failed, "failed"),
        (ErrorKind::Upstream, "failed"),
        (ErrorKind::Timeout, "failed"),
        (ErrorKind::Invalid, "failed"),
        (ErrorKind::Denied, "denied"),
        (ErrorKind::LimitReached, "interrupted"),
    ];
    for (kind, ending) in table {
        let (recorder, session) = recorded();
        let model = ScriptedModel::with_results([Err(Error::new(kind, "overloaded"))]);
        let agent = Agent::builder("Help.").model(model).build().unwrap();
        let error = session.run(&agent, "?").await.unwrap_err();
        assert_eq!(error.error().kind(), kind);
        assert_eq!(error.to_string(), "agent/turn:0/model:scripted: overloaded");
        assert_eq!(
            tree(&recorder),
            [
                format!("loom.run agent ✗ {ending}"),
                format!("  loom.turn 0 ✗ {ending}"),
                format!("    loom.model.stream scripted ✗ {ending}"),
            ]
        );
    }
}

#[tokio::test]
async fn a_model_that_fails_later_leaves_the_turns_before_it_completed() {
    let (recorder, session) = recorded();
    let overloaded = Error::new(ErrorKind::Upstream, "overloaded").retryable(true);
    let model = ScriptedModel::with_results([
        Ok(Reply::call("nod", json!({"input": null}))),
        Err(overloaded),
    ]);
    let nod = Tool::new("nod", "Nods.", |_: ()| async { Ok::<_, Error>(()) });
    let agent = Agent::builder("Help.").model(model).tool(nod);
    let error = session.run(&agent.build().unwrap(), "?").await.unwrap_err();
    assert!(error.error().is_retryable());
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent ✗ failed",
            "  loom.turn 0",
            "    loom.model.stream scripted",
            "    loom.tool nod",
            "  loom.turn 1 ✗ failed",
            "    loom.model.stream scripted ✗ failed",
        ]
    );
}

#[tokio::test]
async fn a_model_that_panics_fails_its_run_and_poisons_nothing() {
    let (recorder, session) = recorded();
    let model = FnModel::new("shaky", |request: &Request<'_>| {
        let text = request.prompt().map(loom_agent::Prompt::text);
        let n: u32 = text.unwrap_or_default().parse().expect("a number");
        Ok(Reply::text(format!("{}", n + 1)))
    });
    let agent = Agent::builder("Count.").model(Arc::new(model));
    let agent = agent.build().unwrap();

    let error = session.run(&agent, "many").await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Panicked);
    assert_eq!(
        error.to_string(),
        "agent/turn:0/model:shaky: a number: ParseIntError { kind: InvalidDigit }"
    );
    assert_eq!(session.run(&agent, "1").await.unwrap().output, "2");
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent ✗ failed",
            "  loom.turn 0 ✗ failed",
            "    loom.model.stream shaky ✗ failed",
            "loom.run agent",
            "  loom.turn 0",
            "    loom.model.stream shaky",
        ]
    );
}
