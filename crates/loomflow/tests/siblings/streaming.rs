//! A run seen while it goes on: everything an observer is told, in the same order, then the
//! outcome.

use futures::StreamExt;
use loomflow::{
    Agent, CancelReason, Ending, Happened, Model, OwnedEvent, Reply, Request, Result, RunContext,
    RunError, RunErrorKind, RunStream, StreamItem, Workflow,
};

use crate::support::{Done, calling, desk, desk_of, refund_call};
use crate::watched::Durable;

/// All items of a stream, apart; checks that the outcome is the one last item.
async fn drained<T>(
    mut stream: RunStream<'_, T>,
) -> (Vec<OwnedEvent>, Result<loomflow::Outcome<T>, RunError>) {
    let mut events = Vec::new();
    let outcome = loop {
        match stream.next().await.unwrap() {
            StreamItem::Event(event) => events.push(*event),
            StreamItem::Done(outcome) => break outcome,
            _ => panic!("an item of a kind that isn't known"),
        }
    };
    assert!(stream.next().await.is_none());
    (events, outcome)
}

/// The events with adjacent pieces of one reply as one.
fn merged(events: Vec<OwnedEvent>) -> Vec<OwnedEvent> {
    let mut all: Vec<OwnedEvent> = Vec::new();
    for event in events {
        if let Happened::Delta { text } = &event.what
            && let Some(last) = all.last_mut()
            && last.span == event.span
            && let Happened::Delta { text: before } = &mut last.what
        {
            before.push_str(text);
        } else {
            all.push(event);
        }
    }
    all
}

/// What happened, in a word and where.
fn words(events: &[OwnedEvent]) -> Vec<String> {
    let word = |event: &OwnedEvent| {
        let what = match &event.what {
            Happened::Opened { .. } => "opened".to_owned(),
            Happened::Closed { ending, .. } => ending.to_string(),
            Happened::Delta { text } => format!("{text:?}"),
            Happened::Decided { gate, .. } => format!("decided by {gate}"),
            Happened::Asked { .. } => "asked".to_owned(),
            Happened::Settled { .. } => "settled".to_owned(),
            other => format!("{other:?}"),
        };
        let place = event.path.rsplit('/').next().unwrap_or_default();
        format!("{place}: {what}")
    };
    events.iter().map(word).collect()
}

/// A desk without questions.
fn plain_desk() -> Workflow<String, String> {
    let say = |_: RunContext, text: String| async move { Ok::<_, loomflow::Error>(text) };
    let refund = Workflow::chain("refund").then_fn("execute", say).build();
    let model = calling(&Done::default(), &refund_call());
    let clerk = Agent::builder("Help.").named("clerk").model(model);
    desk_of(clerk.tool(refund.as_tool()).build().unwrap())
}

#[tokio::test]
async fn the_composed_run_is_streamed_whole_and_then_its_outcome() {
    let durable = Durable::new();
    let process = durable.wired(|loom| loom);
    let desk = plain_desk();
    let (events, outcome) = drained(process.session.run(&desk, "please").stream()).await;
    let outcome = outcome.unwrap();
    assert_eq!(outcome.output, "INV-1");
    assert_eq!(outcome.visited, ["gate", "clerk", "log_completion"]);
    assert_eq!(events, merged(process.recorder.events()));
    assert_eq!(
        words(&events),
        [
            "support: opened",
            "gate: opened",
            "gate: completed",
            "clerk: opened",
            "clerk: opened",
            "turn:0: opened",
            "model:offline: opened",
            "model:offline: completed",
            "tool:refund[c1]: opened",
            "tool:refund[c1]: decided by permissions",
            "refund: opened",
            "execute: opened",
            "execute: completed",
            "refund: completed",
            "tool:refund[c1]: completed",
            "turn:0: completed",
            "turn:1: opened",
            "model:offline: opened",
            "model:offline: \"INV-1\"",
            "model:offline: completed",
            "turn:1: completed",
            "clerk: completed",
            "clerk: completed",
            "log_completion: opened",
            "log_completion: completed",
            "support: completed",
            "support: settled",
        ]
    );
    assert!(
        events
            .iter()
            .all(|it| it.run.as_str().starts_with(outcome.run_id.as_str()))
    );
}

/// A model that says these words, and waits a poll after each if it is told to.
struct Talker {
    waits: bool,
}

const WORDS: [&str; 4] = ["All ", "is ", "", "paid."];

impl Model for Talker {
    fn name(&self) -> &str {
        "talker"
    }

    async fn stream(&self, cx: &RunContext, _request: &Request<'_>) -> Result<Reply> {
        for word in WORDS {
            cx.delta(word);
            if self.waits {
                tokio::task::yield_now().await;
            }
        }
        Ok(Reply::text(WORDS.concat()))
    }
}

#[tokio::test]
async fn pieces_of_one_poll_are_one_event_and_those_of_several_are_not_merged() {
    for (waits, pieces) in [
        (false, &["All is paid."][..]),
        (true, &["All ", "is ", "paid."][..]),
    ] {
        let talker = Agent::builder("Talk.").model(Talker { waits });
        let desk = desk_of(talker.build().unwrap());
        let durable = Durable::new();
        let process = durable.wired(|loom| loom);
        let (events, outcome) = drained(process.session.run(&desk, "please").stream()).await;
        assert_eq!(outcome.unwrap().output, "All is paid.");
        let texts: Vec<_> = events
            .iter()
            .filter_map(|it| match &it.what {
                Happened::Delta { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(texts, pieces);
        assert_eq!(merged(events), merged(process.recorder.events()));
    }
}

#[tokio::test]
async fn branches_are_streamed_as_they_take_turns() {
    let talker = |name: &'static str| {
        let talker = Agent::builder("Talk.").named(name);
        talker.model(Talker { waits: true }).build().unwrap()
    };
    let workflow = Workflow::chain::<String>("duet").parallel((talker("high"), talker("low")));
    let workflow = workflow.build();
    let durable = Durable::new();
    let process = durable.wired(|loom| loom);
    let (events, outcome) = drained(process.session.run(&workflow, "sing").stream()).await;
    let line = "All is paid.".to_owned();
    assert_eq!(outcome.unwrap().output, (line.clone(), line));
    assert_eq!(events, process.recorder.events());
    let sung: Vec<_> = events
        .iter()
        .filter_map(|it| match &it.what {
            Happened::Delta { text } => Some((it.path.split('/').nth(1).unwrap(), &**text)),
            _ => None,
        })
        .collect();
    // Who of the two goes first is left open; neither waits for the other to finish.
    let rounds = sung.chunks(2).map(|round| {
        let mut round = round.to_vec();
        round.sort_unstable();
        round
    });
    let both = |word| vec![("high", word), ("low", word)];
    assert_eq!(
        rounds.collect::<Vec<_>>(),
        [both("All "), both("is "), both("paid.")]
    );
}

#[tokio::test]
async fn a_run_that_pauses_is_streamed_to_its_question_and_its_error() {
    let (durable, done) = (Durable::new(), Done::default());
    let process = durable.process();
    let desk = desk(&done);
    let (events, outcome) = drained(process.session.run(&desk, "please").stream()).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Paused);
    assert_eq!(error.questions().len(), 1);
    assert_eq!(events, merged(process.recorder.events()));
    let words = words(&events);
    let asked = words.iter().position(|it| it == "approve: asked").unwrap();
    assert_eq!(
        words[asked..],
        [
            "approve: asked",
            "approve: paused",
            "refund: paused",
            "tool:refund[c1]: paused",
            "turn:0: paused",
            "clerk: paused",
            "clerk: paused",
            "support: paused",
            "support: settled",
        ]
    );
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_run_and_one_that_goes_away_cancels_it() {
    let (durable, done) = (Durable::new(), Done::default());
    let process = durable.process();
    let talker = Agent::builder("Talk.").model(Talker { waits: true });
    let desk = desk_of(talker.build().unwrap());
    let mut stream = process.session.run(&desk, "please").stream();
    assert_eq!(process.recorder.events(), []);
    // To the first word: the model waits behind it, and nothing is driven but by reading.
    loop {
        match stream.next().await.unwrap() {
            StreamItem::Event(event) if matches!(event.what, Happened::Delta { .. }) => break,
            StreamItem::Event(_) => (),
            other => panic!("{other:?}"),
        }
    }
    let seen = process.recorder.events().len();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(process.recorder.events().len(), seen);
    drop(stream);
    process.tree();
    let dropped = Ending::Cancelled {
        why: CancelReason::Dropped,
    };
    let spans = process.recorder.spans();
    let (whole, open): (Vec<_>, Vec<_>) = spans
        .iter()
        .partition(|it| it.ending == Some(Ending::Completed));
    assert_eq!((whole.len(), open.len(), done.paid.get()), (1, 5, 0));
    assert!(open.iter().all(|it| it.ending == Some(dropped)));
    durable.told();
}
