//! A value that can't be written as JSON harms nobody who doesn't need it written.

use std::mem::take;

use futures::StreamExt;
use futures::executor::block_on;
use loom_core::{ErrorKind, Loom, MemoryJournal, OwnedEvent, Result, RunContext, StreamItem};
use loom_testing::Recorder;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::recorded::{recorded_by, story, tree};

/// A value that panics when it is written.
#[derive(Deserialize)]
struct Bad;

impl Serialize for Bad {
    fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        panic!("no json")
    }
}

/// Gives the bad value from one step to the next.
async fn passes_bad(cx: RunContext, _: ()) -> Result<u8> {
    async fn make(_: ()) -> Result<Bad> {
        Ok(Bad)
    }
    async fn eat(_: Bad) -> Result<u8> {
        Ok(1)
    }
    let bad: Bad = cx.step("make", &make, ()).await?;
    cx.step("eat", &eat, bad).await
}

const STORY: [&str; 7] = [
    "open passes_bad",
    "open passes_bad/make",
    "close passes_bad/make completed",
    "open passes_bad/eat",
    "close passes_bad/eat completed",
    "close passes_bad completed",
    "settled passes_bad",
];

#[test]
fn a_value_that_panics_when_it_is_written_changes_neither_a_run_nor_its_record() {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    let outcome = block_on(loom.session("alice").run(&passes_bad, ()));
    assert_eq!(outcome.unwrap().output, 1);
    assert_eq!(story(&recorder), STORY);
    assert_eq!(loom.observer_faults(), 0);
}

#[test]
fn a_value_that_panics_when_it_is_written_costs_a_stream_no_event() {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    let session = loom.session("alice");
    let (mut events, mut outputs) = (Vec::<OwnedEvent>::new(), Vec::new());
    let read = session.run(&passes_bad, ()).stream().for_each(|item| {
        match item {
            StreamItem::Event(event) => events.push(*event),
            StreamItem::Done(outcome) => outputs.push(outcome.unwrap().output),
            _ => unreachable!("an item is an event or the outcome"),
        }
        std::future::ready(())
    });
    block_on(read);
    assert_eq!(outputs, [1]);
    assert_eq!(events, recorder.events());
    assert_eq!(story(&recorder), STORY);
}

/// A value nested so deep that writing or dropping it level by level would overflow the stack.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Deep(Value);

impl Deep {
    fn new() -> Self {
        let nest = |inner, _| Value::Array(vec![inner]);
        Self((0..100_000).fold(Value::Null, nest))
    }
}

impl Drop for Deep {
    fn drop(&mut self) {
        let mut left = vec![take(&mut self.0)];
        while let Some(value) = left.pop() {
            if let Value::Array(items) = value {
                left.extend(items);
            }
        }
    }
}

#[test]
fn a_value_nested_too_deep_is_invalid_where_a_journal_must_write_it() {
    async fn give(_: ()) -> Result<Deep> {
        Ok(Deep::new())
    }
    async fn eat(_: Deep) -> Result<()> {
        Ok(())
    }
    let gives = |cx: RunContext, _: ()| async move { cx.step("give", &give, ()).await.map(drop) };
    let eats = |cx: RunContext, _: ()| async move { cx.step("eat", &eat, Deep::new()).await };
    let desk = || recorded_by(Loom::builder().journal(MemoryJournal::default()));
    block_on(async {
        let (recorder, session) = desk();
        let given = session.run(&gives, ()).await.map(|it| it.output);
        let said = tree(&recorder);
        assert_eq!(said[1], "  loom.workflow.step give ✗ failed");
        let eaten = desk().1.run(&eats, ()).await.map(|it| it.output);
        let begun = desk().1.run(&eat, Deep::new()).await.map(|it| it.output);
        for result in [given, eaten, begun] {
            let error = result.unwrap_err();
            assert_eq!(error.error().kind(), ErrorKind::Invalid);
            let why = "it is nested deeper than 128 levels";
            assert!(error.message().contains(why), "{error}");
        }
    });
}
