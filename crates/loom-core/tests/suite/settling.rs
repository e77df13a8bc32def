//! Observers settle after a run's root closed and before the caller gets the outcome.

use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{Anchor, Error, ErrorKind, Event, Loom, Observer, Outcome, RunId, Settlement};
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded, recorded_by, story};
use crate::steps::{echo, fail, forever};

/// Settles in one of the ways there are.
#[derive(Clone, Copy)]
enum Settles {
    WithAnchor(&'static str),
    WithError,
    Late,
    Silently,
}

impl Observer for Settles {
    fn on_event(&self, _event: &Event<'_>) {}

    async fn settle(&self, _run: &RunId) -> Settlement {
        match self {
            Self::WithAnchor(log) => Settlement::new(*log, Ok(Some(anchor(log)))),
            Self::WithError => {
                Settlement::new("broken", Err(Error::new(ErrorKind::Failed, "disk full")))
            }
            Self::Late => {
                sleep(Duration::from_secs(3600)).await;
                Settlement::new("late", Ok(None))
            }
            Self::Silently => Settlement::nothing(),
        }
    }
}

fn anchor(log: &str) -> Anchor {
    Anchor {
        log: log.to_owned(),
        size: 18,
        head: "ab".to_owned(),
    }
}

fn settlements<T>(outcome: &Outcome<T>) -> Vec<String> {
    let said = |it: &Settlement| match &it.result {
        Ok(anchor) => format!("{}: {:?}", it.name, anchor.as_ref().map(|it| it.size)),
        Err(error) => format!("{}: {} {error}", it.name, error.kind().as_str()),
    };
    outcome.settled.iter().map(said).collect()
}

#[test]
fn the_outcome_says_how_each_observer_settled_and_where_its_log_stands() {
    let loom = Loom::builder()
        .observe(Settles::WithAnchor("one"))
        .observe(Settles::Silently)
        .observe(Settles::WithAnchor("two"));
    let (_, session) = recorded_by(loom);
    let outcome = block_on(session.run(&echo, "go")).unwrap();
    assert_eq!(outcome.anchors, [anchor("one"), anchor("two")]);
    assert_eq!(settlements(&outcome), ["one: Some(18)", "two: Some(18)"]);
    assert_eq!(outcome.durable().unwrap().output, "go");
}

#[test]
fn an_error_s_report_says_so_too() {
    let (_, session) = recorded_by(Loom::builder().observe(Settles::WithAnchor("one")));
    let error = block_on(session.run(&fail, "go")).unwrap_err();
    assert_eq!(error.report().unwrap().anchors, [anchor("one")]);
}

#[test]
fn an_observer_that_fails_to_settle_keeps_the_output_and_durable_says_no() {
    let loom = Loom::builder()
        .observe(Settles::WithError)
        .observe(Settles::WithAnchor("one"));
    let (_, session) = recorded_by(loom);
    let outcome = block_on(session.run(&echo, "go")).unwrap();
    assert_eq!(
        (outcome.output.as_str(), &outcome.anchors[..]),
        ("go", &[anchor("one")][..])
    );
    assert_eq!(
        settlements(&outcome),
        ["broken: failed disk full", "one: Some(18)"]
    );
    let error = outcome.durable().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert_eq!(
        error.message(),
        r#"the records of "broken" aren't known to be durable: disk full"#
    );
}

/// Runs under two observers that settle late; gives the outcome and how long it took.
async fn settled_late(loom: loom_core::LoomBuilder) -> (Outcome<String>, Duration) {
    let (recorder, session) = recorded_by(loom.observe(Settles::Late).observe(Settles::Late));
    let started = Instant::now();
    let outcome = session.run(&echo, "go").await.unwrap();
    assert_eq!(
        story(&recorder),
        ["open echo", "close echo completed", "settled echo"]
    );
    (outcome, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn observers_that_settle_late_are_waited_for_five_seconds_in_all() {
    let (outcome, took) = settled_late(Loom::builder()).await;
    assert_eq!((outcome.output.as_str(), took.as_secs()), ("go", 5));
    assert_eq!(outcome.settled.len(), 2);
    for settlement in &outcome.settled {
        let error = settlement.result.as_ref().unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Failed, "it didn't settle within 5s")
        );
    }
    assert_eq!(outcome.durable().unwrap_err().kind(), ErrorKind::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_loom_may_wait_longer_or_shorter() {
    let (outcome, took) = settled_late(Loom::builder().settle_ms_max(20)).await;
    assert!((20..30).contains(&took.as_millis()), "{took:?}");
    assert!(outcome.durable().is_err());
    let (outcome, took) = settled_late(Loom::builder().settle_ms_max(7_200_000)).await;
    assert_eq!(
        (took.as_secs(), settlements(&outcome)),
        (3600, vec!["late: None".into(), "late: None".into()])
    );
    assert!(outcome.durable().is_ok());
}

#[test]
fn settled_is_the_last_event_of_a_run_that_fails_and_of_one_that_is_dropped() {
    let (recorder, session) = recorded();
    block_on(session.run(&fail, "go")).unwrap_err();
    assert!(session.run(&forever, "go").now_or_never().is_none());
    assert_eq!(
        story(&recorder),
        [
            "open fail",
            "close fail failed",
            "settled fail",
            "open forever",
            "close forever cancelled (dropped)",
            "settled forever",
        ]
    );
}
