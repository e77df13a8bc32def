//! Observers are told everything in order, and of each poll by calls that nest like brackets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use loom_core::{Event, EventKind, Loom, Observer, Result, RunContext, SpanId};

use crate::recorded::recorded;
use crate::steps::{echo, panic, wait};

/// Writes down each poll: `> name` when it begins and `< name` when it is over.
#[derive(Default)]
struct Polls {
    names: Mutex<BTreeMap<SpanId, String>>,
    log: Mutex<Vec<String>>,
}

impl Polls {
    fn push(&self, mark: &str, span: SpanId) {
        let name = self.names.lock().unwrap()[&span].clone();
        self.log.lock().unwrap().push(format!("{mark} {name}"));
    }
}

impl Observer for Polls {
    fn on_event(&self, event: &Event<'_>) {
        let mark = match event.kind {
            EventKind::Opened { .. } => "open",
            EventKind::Closed(_) => "close",
            _ => return,
        };
        let name = event.effect().name().to_string();
        self.names.lock().unwrap().insert(event.span_id(), name);
        self.push(mark, event.span_id());
    }

    fn wants_polls(&self) -> bool {
        true
    }

    fn enter(&self, span: SpanId) {
        self.push(">", span);
    }

    fn exit(&self, span: SpanId) {
        self.push("<", span);
    }
}

fn polls_of(
    step: &impl loom_core::IntoStep<u32, loom_core::ViaContextFn, Out = u32>,
) -> Vec<String> {
    let polls = Arc::new(Polls::default());
    let session = Loom::builder()
        .observe(polls.clone())
        .build()
        .session("alice");
    // What comes of the run is recorded too.
    let _ = block_on(session.run(step, 1u32));
    let log = polls.log.lock().unwrap();
    log.clone()
}

#[test]
fn each_poll_of_a_body_is_entered_and_left_across_awaits() {
    async fn root(cx: RunContext, polls: u32) -> Result<u32> {
        cx.step("a", &wait, polls).await
    }
    assert_eq!(
        polls_of(&root),
        [
            "open root",
            "> root",
            "open a",
            "> a",
            "< a",
            "< root", //
            "> root",
            "> a",
            "< a",
            "close a",
            "< root",
            "close root",
        ]
    );
}

#[test]
fn each_poll_of_bodies_that_run_at_the_same_time_is_entered_and_left() {
    async fn root(cx: RunContext, polls: u32) -> Result<u32> {
        let (a, b) = futures::join!(cx.step("a", &wait, polls), cx.step("b", &wait, 0u32));
        Ok(a? + b?)
    }
    assert_eq!(
        polls_of(&root),
        [
            "open root",
            "> root",
            "open a",
            "> a",
            "< a",
            "open b",
            "> b",
            "< b",
            "close b",
            "< root", //
            "> root",
            "> a",
            "< a",
            "close a",
            "< root",
            "close root",
        ]
    );
}

#[test]
fn a_poll_that_panics_is_left() {
    async fn root(cx: RunContext, polls: u32) -> Result<u32> {
        cx.step("a", &panic, "luck").await.unwrap_err();
        Ok(polls)
    }
    assert_eq!(
        polls_of(&root),
        [
            "open root",
            "> root",
            "open a",
            "> a",
            "< a",
            "close a",
            "< root",
            "close root"
        ]
    );
}

#[test]
fn observers_are_told_in_the_order_they_were_added_and_left_in_reverse() {
    struct Named(&'static str, Arc<Mutex<Vec<String>>>);
    impl Named {
        fn say(&self, what: &str) {
            self.1.lock().unwrap().push(format!("{what} {}", self.0));
        }
    }
    impl Observer for Named {
        fn on_event(&self, _event: &Event<'_>) {
            self.say("told");
        }

        fn wants_polls(&self) -> bool {
            self.0 != "second"
        }

        fn enter(&self, _span: SpanId) {
            self.say("enter");
        }

        fn exit(&self, _span: SpanId) {
            self.say("exit");
        }
    }
    let log = Arc::default();
    let named = |name| Named(name, Arc::clone(&log));
    let loom = Loom::builder()
        .observe(named("first"))
        .observe(named("second"))
        .observe(named("third"))
        .build();
    block_on(loom.session("alice").run(&echo, "go")).unwrap();
    let told = ["told first", "told second", "told third"];
    let polled = ["enter first", "enter third", "exit third", "exit first"];
    assert_eq!(
        *log.lock().unwrap(),
        [&told[..], &polled, &told, &told].concat()
    );
}

#[test]
fn observers_see_what_goes_in_and_comes_out() {
    async fn measure(cx: RunContext, text: String) -> Result<usize> {
        let length = |text: String| async move { Ok::<_, loom_core::Error>(text.len()) };
        cx.step("length", &length, text).await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&measure, "four")).unwrap();
    let seen: Vec<_> = recorder
        .spans()
        .into_iter()
        .map(|it| (it.input, it.output))
        .collect();
    assert_eq!(
        seen,
        [
            (Some("four".into()), Some(4.into())),
            (Some("four".into()), Some(4.into()))
        ]
    );
}
