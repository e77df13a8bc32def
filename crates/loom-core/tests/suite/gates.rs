//! Gates are asked in order before a body runs; one refusal, or none in time, denies.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use loom_core::{
    CancelReason, Effect, EffectView, Gate, Loom, Result, RunContext, RunErrorKind, Tool, Verdict,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded_by, story, tree};
use crate::steps::echo;

/// Denies one name, and remembers what it was asked.
#[derive(Clone)]
struct Refuses {
    name: &'static str,
    refused: &'static str,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Refuses {
    fn new(name: &'static str, refused: &'static str) -> Self {
        Self {
            name,
            refused,
            asked: Arc::default(),
        }
    }
}

impl Gate for Refuses {
    fn name(&self) -> &str {
        self.name
    }

    async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
        self.asked.lock().unwrap().push(effect.to_string());
        match effect.name().as_str() == self.refused {
            true => Verdict::deny("not today"),
            false => Verdict::Allow,
        }
    }
}

async fn two_steps(cx: RunContext, text: String) -> Result<String> {
    let text = cx.step("first", &echo, text).await?;
    cx.step("second", &echo, text).await
}

#[test]
fn gates_are_asked_in_the_order_they_were_added_and_barriers_last() {
    let loom = Loom::builder()
        .barrier(Refuses::new("written", ""))
        .gate(Refuses::new("one", ""))
        .barrier(Refuses::new("synced", ""))
        .gate(Refuses::new("two", ""));
    let (recorder, session) = recorded_by(loom);
    block_on(session.run(&echo, "go")).unwrap();
    assert_eq!(
        story(&recorder),
        [
            "open echo",
            "gate echo one allows",
            "gate echo two allows",
            "gate echo written allows",
            "gate echo synced allows",
            "close echo completed",
            "settled echo",
        ]
    );
}

#[test]
fn a_refusal_is_recorded_and_neither_the_body_nor_a_later_gate_comes_to_pass() {
    let (lenient, late) = (Refuses::new("lenient", ""), Refuses::new("late", ""));
    let loom = Loom::builder()
        .gate(lenient.clone())
        .gate(Refuses::new("strict", "second"))
        .gate(late.clone());
    let (recorder, session) = recorded_by(loom);
    let ran = Arc::new(Mutex::new(Vec::new()));
    let log = ran.clone();
    let root = move |cx: RunContext, text: String| {
        let log = log.clone();
        async move {
            let body = move |text: String| {
                log.lock().unwrap().push(text.clone());
                echo(text)
            };
            cx.step("first", &body, text).await?;
            cx.step("second", &body, "never").await
        }
    };
    let error = block_on(session.run(&root, "go")).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Denied);
    assert_eq!(error.to_string(), "function/second: strict: not today");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run function ✗ denied",
            "  loom.workflow.step first",
            "  loom.workflow.step second ✗ denied",
        ]
    );
    assert_eq!(recorder.spans()[2].denials, ["not today"]);
    assert_eq!(*ran.lock().unwrap(), ["go"]);
    let first = ["loom.workflow.run function", "loom.workflow.step first"];
    assert_eq!(*late.asked.lock().unwrap(), first);
    assert_eq!(
        lenient.asked.lock().unwrap()[2..],
        ["loom.workflow.step second"]
    );
}

#[test]
fn a_run_goes_on_after_a_refusal_that_it_handles() {
    async fn careful(cx: RunContext, text: String) -> Result<String> {
        match cx.step("first", &two_steps, text).await {
            Ok(text) => Ok(text),
            Err(error) => cx.step("instead", &echo, error.message()).await,
        }
    }
    let (recorder, session) = recorded_by(Loom::builder().gate(Refuses::new("strict", "second")));
    let outcome = block_on(session.run(&careful, "go")).unwrap();
    assert_eq!(
        (outcome.output.as_str(), &outcome.visited[..]),
        ("strict: not today", &["instead".into()][..])
    );
    assert_eq!(
        tree(&recorder).last().unwrap(),
        "  loom.workflow.step instead"
    );
}

#[test]
fn a_gate_sees_who_what_and_the_very_input_of_a_tool() {
    struct Sees(Arc<Mutex<Vec<String>>>);
    impl Gate for Sees {
        fn name(&self) -> &str {
            "sees"
        }

        async fn check(&self, view: &EffectView, effect: &Effect) -> Verdict {
            let seen = format!(
                "{} {effect} {} destructive={} {:?}",
                view.user().unwrap(),
                view.path(),
                effect.is_destructive(),
                effect.input().map(ToString::to_string)
            );
            self.0.lock().unwrap().push(seen);
            Verdict::Allow
        }
    }
    async fn calls(cx: RunContext, text: String) -> Result<String> {
        let tool = Tool::new("erase", "Erases.", echo).destructive();
        tool.call(&cx, "c1", json!({"input": text}))
            .await
            .map(loom_core::ToolOutput::into_text)
    }
    let seen = Arc::default();
    let loom = Loom::builder()
        .without_permissions()
        .gate(Sees(Arc::clone(&seen)));
    let (_, session) = recorded_by(loom);
    block_on(session.run(&calls, "all")).unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "alice loom.workflow.run calls calls destructive=false None",
            r#"alice loom.tool erase calls/tool:erase[c1] destructive=true Some("{\"input\":\"all\"}")"#,
        ]
    );
}

/// Allows after a while.
struct Thinks {
    for_secs: u64,
    limit: Option<Duration>,
}

impl Gate for Thinks {
    fn name(&self) -> &str {
        "thinks"
    }

    async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
        sleep(Duration::from_secs(self.for_secs)).await;
        Verdict::Allow
    }

    fn limit(&self) -> Option<Duration> {
        self.limit
    }
}

/// The end of a run under a gate that thinks so long, and how long it took in seconds.
async fn thought_over(for_secs: u64, limit: Option<Duration>) -> (Vec<String>, u64) {
    let (recorder, session) = recorded_by(Loom::builder().gate(Thinks { for_secs, limit }));
    let started = Instant::now();
    let result = session.run(&echo, "go").await;
    let kind = result.map_or_else(|e| e.kind().as_str(), |_| "completed");
    assert_eq!(recorder.spans()[0].ending.unwrap().as_str(), kind);
    (story(&recorder)[1..3].to_vec(), started.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn f084_a_gate_that_does_not_answer_in_time_denies() {
    let denied = [
        "gate echo thinks denies: it didn't answer in time",
        "close echo denied",
    ];
    let allowed = ["gate echo thinks allows", "close echo completed"];
    let limit = Some(Duration::from_secs(5));
    assert_eq!(
        thought_over(3600, limit).await,
        (denied.map(String::from).to_vec(), 5)
    );
    assert_eq!(
        thought_over(4, limit).await,
        (allowed.map(String::from).to_vec(), 4)
    );
    assert_eq!(
        thought_over(3600, None).await,
        (allowed.map(String::from).to_vec(), 3600)
    );
}

#[test]
fn a_tool_call_that_a_gate_lets_through_counts() {
    struct Agrees;

    impl Gate for Agrees {
        fn name(&self) -> &str {
            "agrees"
        }

        async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
            Verdict::Allow
        }
    }

    async fn calls(cx: RunContext, n: u64) -> Result<u64> {
        cx.perform(
            Effect::tool("count", "c1"),
            (),
            |_, ()| async move { Ok(n) },
        )
        .await
    }
    let session = Loom::builder().gate(Agrees).build().session("alice");
    let outcome = block_on(session.run(&calls, 1u64)).unwrap();
    assert_eq!((outcome.output, outcome.usage.tool_calls), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_run_is_cancelled_while_a_gate_waits() {
    let gate = Thinks {
        for_secs: 3600,
        limit: None,
    };
    let (recorder, session) = recorded_by(Loom::builder().gate(gate));
    let session = session.deadline(Duration::from_secs(60));
    assert_eq!(
        session.run(&echo, "go").await.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(
        story(&recorder),
        [
            "open echo",
            "close echo cancelled (deadline)",
            "settled echo"
        ]
    );
}

#[test]
fn a_gate_has_five_seconds_unless_it_says_otherwise() {
    assert_eq!(
        Gate::limit(&Refuses::new("strict", "")),
        Some(Duration::from_secs(5))
    );
}
