//! A stream gives every event of a run and then its outcome; reading drives the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use futures::{FutureExt, Stream, StreamExt};
use loom_core::{
    Branch, CancelReason, Effect, EffectKind, Ending, ErrorKind, Happened, Loom, OwnedEvent,
    Result, RunContext, RunError, RunErrorKind, Session, StreamItem,
};
use loom_testing::{CountingIds, Recorder, TickingClock};
use serde_json::json;

use crate::recorded::{assert_well_formed, recorded, recorded_by, tree};
use crate::steps::{echo, fail, forever, give_way, wait};

/// All events, and the outcome as the last item.
async fn read<T>(
    mut stream: impl Stream<Item = StreamItem<T>> + Unpin,
) -> (Vec<OwnedEvent>, Result<T, RunError>) {
    let mut events = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            StreamItem::Event(event) => events.push(*event),
            StreamItem::Done(outcome) => {
                assert!(stream.next().await.is_none(), "the outcome comes last");
                return (events, outcome.map(|it| it.output));
            }
            _ => unreachable!("an item is an event or the outcome"),
        }
    }
    panic!("the outcome never came")
}

/// Steps, a tool, a note, deltas, beside each other.
async fn busy(cx: RunContext, polls: u32) -> Result<u32> {
    cx.step("first", &wait, polls).await?;
    let tool = |cx: RunContext| async move {
        let tool = Effect::tool("tool", "c1");
        cx.perform(tool, (), |cx, ()| async move {
            cx.delta("a");
            give_way().await;
            cx.delta("b");
            cx.step("in_tool", &wait, polls).await
        })
        .await
    };
    let branches = [
        Branch::new(move |cx: RunContext| async move { cx.step("beside", &wait, polls).await }),
        Branch::new(tool),
    ];
    Ok(cx.join(8, branches).await?.iter().sum())
}

#[test]
fn a_stream_gives_what_an_observer_is_told_and_then_the_outcome() {
    for polls in 0..3 {
        let (recorder, session) = recorded();
        let (events, output) = block_on(read(session.run(&busy, polls).stream()));
        assert_eq!(output.unwrap(), 2 * polls);
        assert_eq!(events, recorder.events(), "{polls} polls");
        assert_well_formed(&recorder);
    }
}

#[test]
fn nobody_else_needs_to_watch() {
    let session = Loom::builder().build().session("alice");
    let (events, output) = block_on(read(session.run(&echo, "go").stream()));
    assert_eq!(output.unwrap(), "go");
    assert_eq!(said(&events), ["open echo", "close echo", "settled echo"]);
}

/// What happened, a line an event.
fn said(events: &[OwnedEvent]) -> Vec<String> {
    let line = |event: &OwnedEvent| match &event.what {
        Happened::Opened { .. } => format!("open {}", event.path),
        Happened::Delta { text } => format!("delta {} {text:?}", event.path),
        Happened::Noted { note, .. } => format!("note {} {note}", event.path),
        Happened::Closed { ending, .. } => match ending {
            Ending::Completed => format!("close {}", event.path),
            ending => format!("close {} {ending}", event.path),
        },
        Happened::Settled { .. } => format!("settled {}", event.path),
        other => format!("{other:?}"),
    };
    events.iter().map(line).collect()
}

#[test]
fn nothing_is_lost_when_the_run_ends_in_one_poll() {
    async fn at_once(cx: RunContext, n: u32) -> Result<u32> {
        for _ in 0..n {
            cx.step("step", &wait, 0u32).await?;
            cx.note("noted", &loom_core::Attributes::new());
        }
        Ok(n)
    }
    let (recorder, session) = recorded();
    let mut stream = session.run(&at_once, 80u32).stream();
    let first = stream.next().now_or_never().unwrap();
    assert!(matches!(first, Some(StreamItem::Event(_))));
    assert_eq!(recorder.events().len(), 243, "it ended in this poll");
    let (events, output) = block_on(read(stream));
    assert_eq!((events.len(), output.unwrap()), (242, 80));
    assert_eq!(events, recorder.events()[1..]);
}

#[test]
fn a_run_that_fails_or_is_invalid_gives_its_error_as_the_outcome() {
    let (_, session) = recorded();
    let (events, output) = block_on(read(session.run(&fail, "go").stream()));
    assert_eq!(output.unwrap_err().to_string(), "fail: broken");
    assert_eq!(
        said(&events),
        ["open fail", "close fail failed", "settled fail"]
    );
    let (events, output) = block_on(read(session.id("").run(&fail, "go").stream()));
    assert_eq!(output.unwrap_err().error().kind(), ErrorKind::Invalid);
    assert_eq!(said(&events), Vec::<String>::new());
}

async fn model(cx: &RunContext, name: &'static str, pieces: &[&'static str]) -> Result<u32> {
    let effect = Effect::new(EffectKind::Model, name);
    cx.perform(effect, (), |cx, ()| async move {
        for piece in pieces {
            match *piece {
                "/" => give_way().await,
                "!" => cx.note("mark", &loom_core::Attributes::new()),
                text => cx.delta(text),
            }
        }
        Ok(0)
    })
    .await
}

#[test]
fn the_pieces_of_one_reply_merge_within_a_poll_and_never_over_a_boundary() {
    async fn streams(cx: RunContext, _: ()) -> Result<u32> {
        model(&cx, "opus", &["a", "b", "/", "c", "d", "!", "e", "", "f"]).await?;
        model(&cx, "opus", &["g"]).await
    }
    let (recorder, session) = recorded();
    let (events, output) = block_on(read(session.run(&streams, ()).stream()));
    output.unwrap();
    let opus = "streams/model:opus";
    assert_eq!(
        said(&events)[1..10],
        [
            format!("open {opus}"),
            format!("delta {opus} \"ab\""),
            format!("delta {opus} \"cd\""),
            format!("note {opus} mark"),
            format!("delta {opus} \"ef\""),
            format!("close {opus}"),
            format!("open {opus}#2"),
            format!("delta {opus}#2 \"g\""),
            format!("close {opus}#2"),
        ]
    );
    let pieces = recorder.events().into_iter();
    let pieces = pieces.filter(|it| matches!(it.what, Happened::Delta { .. }));
    assert_eq!(pieces.count(), 7, "an observer is told each");
}

#[test]
fn the_pieces_of_replies_beside_each_other_stay_apart() {
    async fn beside(cx: RunContext, _: ()) -> Result<Vec<u32>> {
        let pieces = ["a", "b", "/", "c"];
        let branches = ["left", "right"].map(|name| {
            Branch::new(move |cx: RunContext| async move { model(&cx, name, &pieces).await })
        });
        cx.join(8, branches).await
    }
    let (_, session) = recorded();
    let (events, _) = block_on(read(session.run(&beside, ()).stream()));
    let deltas: Vec<_> = said(&events)
        .into_iter()
        .filter(|it| it.starts_with("delta"))
        .collect();
    assert_eq!(
        deltas,
        [
            "delta beside/[0]/model:left \"ab\"",
            "delta beside/[1]/model:right \"ab\"",
            "delta beside/[0]/model:left \"c\"",
            "delta beside/[1]/model:right \"c\"",
        ]
    );
}

/// Counts its steps, each of which ends one poll later than the one before.
fn counting(steps: &Arc<AtomicU32>) -> impl Counting {
    let steps = steps.clone();
    move |cx: RunContext, n: u32| {
        let steps = steps.clone();
        async move {
            for _ in 0..n {
                steps.fetch_add(1, Ordering::Relaxed);
                cx.step("step", &wait, 1u32).await?;
            }
            Ok(n)
        }
        .boxed()
    }
}

trait Counting:
    Fn(RunContext, u32) -> futures::future::BoxFuture<'static, Result<u32>> + Send + Sync + 'static
{
}

impl<F> Counting for F where
    F: Fn(RunContext, u32) -> futures::future::BoxFuture<'static, Result<u32>>
        + Send
        + Sync
        + 'static
{
}

#[test]
fn a_reader_that_stops_reading_stops_the_run() {
    let steps = Arc::new(AtomicU32::new(0));
    let (recorder, session) = recorded();
    let counting = counting(&steps);
    let mut stream = session.run(&counting, 100u32).stream();
    assert_eq!(steps.load(Ordering::Relaxed), 0, "nobody reads yet");
    let mut read = 0;
    while steps.load(Ordering::Relaxed) < 3 {
        let before = recorder.events().len();
        if let Some(item) = stream.next().now_or_never() {
            assert!(matches!(item, Some(StreamItem::Event(_))));
            read += 1;
        }
        let told = recorder.events().len() - before;
        assert!(
            told <= 3,
            "each poll of the run is one step at most: {told}"
        );
        assert!(recorder.events().len() - read <= 3, "and all that waits");
    }
    assert_eq!(recorder.spans().len(), 4, "the run and three of its steps");
}

#[test]
fn dropping_a_stream_cancels_the_run() {
    async fn nests(cx: RunContext, text: String) -> Result<String> {
        cx.step("inner", &forever, text).await
    }
    let (recorder, session) = recorded();
    let mut stream = session.run(&nests, "go").stream();
    for _ in 0..2 {
        assert!(stream.next().now_or_never().is_some());
    }
    assert!(stream.next().now_or_never().is_none(), "all is read");
    drop(stream);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run nests ✗ cancelled (dropped)",
            "  loom.workflow.step inner ✗ cancelled (dropped)",
        ]
    );
}

#[test]
fn a_stream_that_is_never_read_begins_nothing() {
    let (recorder, session) = recorded();
    drop(session.run(&echo, "go").stream());
    assert!(recorder.events().is_empty());
}

#[test]
fn a_handle_cancels_the_run_and_the_reader_sees_how_it_ends() {
    let (_, session) = recorded();
    let mut stream = session.run(&forever, "go").stream();
    let handle = stream.handle();
    assert!(stream.next().now_or_never().is_some(), "it began");
    assert_eq!(
        format!("{stream:?}"),
        format!("RunStream(Handle({}))", handle.run_id())
    );
    handle.cancel();
    let (events, output) = block_on(read(stream));
    assert_eq!(
        said(&events),
        ["close forever cancelled (requested)", "settled forever"]
    );
    let error = output.unwrap_err();
    assert_eq!(error.report().unwrap().run_id, *handle.run_id());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_run_that_is_read() {
    let (recorder, session) = recorded();
    let session = session.deadline(Duration::from_secs(60));
    let (events, output) = read(session.run(&forever, "go").stream()).await;
    assert_eq!(
        output.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(events, recorder.events());
    assert_eq!(
        said(&events)[1..],
        ["close forever cancelled (deadline)", "settled forever"]
    );
}

#[test]
fn two_streams_give_each_its_own_run() {
    let (_, session) = recorded();
    let both = block_on(async {
        let streams = ["one", "two"].map(|text| read(session.run(&echo, text).stream()));
        futures::future::join_all(streams).await
    });
    for ((events, output), text) in both.iter().zip(["one", "two"]) {
        assert_eq!(output.as_ref().unwrap(), text);
        assert_eq!(events.len(), 3);
        assert!(events.iter().all(|it| it.run == events[0].run));
    }
    assert_ne!(both[0].0[0].run, both[1].0[0].run);
}

fn repeatable() -> (Recorder, Session) {
    let loom = Loom::builder()
        .ids(CountingIds::default())
        .clock(TickingClock::default());
    let (recorder, session) = recorded_by(loom);
    (recorder, session.id("desk"))
}

#[test]
fn an_event_is_one_flat_object() {
    async fn calls(cx: RunContext, _: ()) -> Result<u32> {
        let tool = Effect::tool("add", "c1").with_input(Arc::new(json!({"a": [1, 2]})));
        cx.perform(tool, (), |_, ()| wait(0)).await
    }
    let (_, session) = repeatable();
    let (events, _) = block_on(read(session.run(&calls, ()).stream()));
    let values: Vec<_> = events.iter().map(|it| json!(it)).collect();
    let common = |event: &OwnedEvent| {
        json!({
            "user": "alice", "session": "desk", "run": event.run, "parent_run": null,
            "trace": event.trace.to_string(), "span": event.span.to_string(),
            "parent_span": events[0].span.to_string(), "effect": "tool", "name": "add",
            "path": "calls/tool:add[c1]", "at_ns": values[1]["at_ns"],
        })
    };
    let mut opened = common(&events[1]);
    opened["event"] = json!("opened");
    opened["input"] = json!({"a": [1, 2]});
    opened["attributes"] = json!({"call_id": "c1"});
    assert_eq!(values[1], opened);
    assert_eq!(
        values[1]["at_ns"].as_u64().unwrap() / 1_000_000_000,
        1_767_225_600
    );

    let mut closed = common(&events[3]);
    closed["at_ns"] = values[3]["at_ns"].clone();
    for (name, value) in [
        ("event", json!("closed")),
        ("ending", json!("completed")),
        ("error_kind", json!(null)),
        ("error", json!(null)),
        ("output", json!(0)),
        ("attributes", json!({})),
    ] {
        closed[name] = value;
    }
    assert_eq!(values[3], closed);
    let kinds: Vec<_> = values.iter().map(|it| it["event"].clone()).collect();
    assert_eq!(
        kinds,
        ["opened", "opened", "decided", "closed", "closed", "settled"]
    );
}
