//! Those who decide about an effect open nothing in its run.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use loom_core::{
    Approval, Approver, Effect, Error, ErrorKind, Gate, Loom, MemoryJournal, Question, Result,
    RunContext, Tool, Verdict,
};
use serde_json::json;

use crate::recorded::{recorded_by, story};
use crate::steps::{call, echo};

/// What the door said to each attempt to act.
type Refusals = Arc<Mutex<Vec<(ErrorKind, String)>>>;

async fn act(cx: &RunContext, refusals: &Refusals) {
    let mut refused = vec![
        cx.step("own", &echo, "x").await.unwrap_err(),
        cx.refuse(Effect::tool("own", "c1"), Error::invalid("no such tool")),
        cx.ask::<bool>("sure", "Really?").await.unwrap_err(),
    ];
    let said = refused.drain(..).map(|it| (it.kind(), it.to_string()));
    refusals.lock().unwrap().extend(said);
}

fn three_refusals(of: &str, effect: &str) -> Vec<(ErrorKind, String)> {
    let said = format!("{of}: {effect} is being decided about: a gate decides, it doesn't act");
    vec![(ErrorKind::Invalid, said); 3]
}

/// Wants to run a step before it says yes.
struct Acts(Refusals);

impl Gate for Acts {
    fn name(&self) -> &str {
        "acts"
    }

    async fn check(&self, cx: &RunContext, _effect: &Effect) -> Verdict {
        act(cx, &self.0).await;
        Verdict::Allow
    }
}

impl Approver for Acts {
    async fn approve(&self, cx: &RunContext, _: &Effect, _: &Question) -> Approval {
        act(cx, &self.0).await;
        Approval::Granted
    }
}

#[test]
fn a_gate_that_acts_is_refused_and_the_effect_goes_on() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        cx.step("inner", &echo, text).await
    }
    let refusals = Refusals::default();
    let loom = Loom::builder().journal(MemoryJournal::default());
    let (recorder, session) = recorded_by(loom.gate(Acts(refusals.clone())));
    assert_eq!(block_on(session.run(&root, "go")).unwrap().output, "go");
    assert_eq!(
        *refusals.lock().unwrap(),
        [
            three_refusals("root", "loom.workflow.run root"),
            three_refusals("root/inner", "loom.workflow.step inner"),
        ]
        .concat()
    );
    assert_eq!(
        story(&recorder),
        [
            "open root",
            "gate root acts allows",
            "open root/inner",
            "gate root/inner acts allows",
            "close root/inner completed",
            "close root completed",
            "settled root",
        ]
    );
}

#[test]
fn an_approver_that_acts_is_refused_and_its_answer_counts() {
    let refusals = Refusals::default();
    let (_, session) = recorded_by(Loom::builder().approver(Acts(refusals.clone())));
    let tool = Tool::new("erase", "Erases.", echo).destructive();
    let output = call(&session, tool, json!({"input": "all"})).unwrap();
    assert_eq!(output.into_text(), "all");
    let path = refusals.lock().unwrap()[0].1.clone();
    assert!(path.ends_with(
        "tool:erase[c1]: loom.tool erase is being decided about: a gate decides, it doesn't act"
    ));
    assert_eq!(refusals.lock().unwrap().len(), 3);
}
