//! Any nesting of chains, routes, agents, tools and time limits, stopped anywhere in any way, is
//! recorded whole.

#![cfg(feature = "full")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

mod plan;
mod oracle;
mod checks;
mod waits;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use loomflow::audit::{Audit, AuditKey};
use loomflow::{
    CancelReason, Ending, Handle, Happened, Limits, Loom, OwnedEvent, Recorder, Result, RunError,
    RunErrorKind, Session, Step,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::checks::check_record;
use crate::oracle::Oracle;
use crate::plan::{Guard, Plan, plans};
use crate::waits::{Waits, waited_for};

struct Watched {
    recorder: Recorder,
    audit: Audit,
    session: Session,
}

fn watched() -> Watched {
    let recorder = Recorder::default();
    let audit = Audit::in_memory(AuditKey::generate().unwrap())
        .build()
        .unwrap();
    let loom = Loom::builder()
        .install(audit.clone())
        .observe(recorder.clone())
        .gate(Guard)
        .limits(Limits::default().with_depth_max(100))
        .build();
    Watched {
        recorder,
        audit,
        session: loom.session("alice"),
    }
}

/// Runs on a clock that jumps to the next timer, as panics print nothing.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn endings(events: &[OwnedEvent]) -> Vec<(String, Ending)> {
    let ending = |event: &OwnedEvent| match event.what {
        Happened::Closed { ending, .. } => Some((event.path.clone(), ending)),
        _ => None,
    };
    events.iter().filter_map(ending).collect()
}

/// Polls the run this many times, then gives it up; `None` if it was done before.
async fn stopped_after(
    polls: u32,
    run: impl Future<Output = Result<(), RunError>>,
    stop: impl FnOnce(),
) -> Option<()> {
    let mut run = pin!(run);
    let mut left = polls;
    let early = poll_fn(|task| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        run.as_mut().poll(task).map(|_| true)
    });
    if early.await {
        return None;
    }
    stop();
    Some(())
}

/// Every span that closed before the stop ended as it would have; every other as cancelled.
fn check_stopped(plan: &Plan, events: &[OwnedEvent], before: usize, why: CancelReason) {
    let oracle = Oracle::of(plan);
    for ended in endings(&events[..before]) {
        assert!(
            oracle.spans.contains(&ended),
            "{ended:?} isn't in {:?}",
            oracle.spans
        );
    }
    for (path, ending) in endings(&events[before..]) {
        assert_eq!(ending, Ending::Cancelled { why }, "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_undisturbed_run_is_recorded_as_the_plan_says(plan in plans()) {
        let it = watched();
        let result = block_on(it.session.run(&plan.build(), "go"));
        let events = it.recorder.events();
        check_record(&events, &it.audit);
        let oracle = Oracle::of(&plan);
        let spans: Vec<_> = it.recorder.spans().into_iter().map(|span| (span.path.clone(), span.ending.unwrap())).collect();
        // Concurrent tools open in the order of the calls, but what they open comes as it comes.
        let sorted = |mut spans: Vec<(String, Ending)>| { spans.sort_by(|a, b| a.0.cmp(&b.0)); spans };
        prop_assert_eq!(sorted(spans), sorted(oracle.spans));
        let (result, visited) = match &result {
            Ok(outcome) => (Ok(()), &outcome.visited),
            Err(error) => (Err(error.error().kind()), &error.report().unwrap().visited),
        };
        prop_assert_eq!(result, oracle.result);
        prop_assert_eq!(visited, &oracle.visited);
    }

    #[test]
    fn a_run_past_its_deadline_closes_all_it_opened(plan in plans(), seconds in 1..4_000_000u64) {
        let it = watched();
        let result = block_on(async {
            it.session.clone().deadline(Duration::from_secs(seconds)).run(&plan.build(), "go").await.map(|_| ())
        });
        let events = it.recorder.events();
        check_record(&events, &it.audit);
        let oracle = Oracle::of(&plan);
        let late = Ending::Cancelled { why: CancelReason::Deadline };
        for (path, ending) in endings(&events) {
            prop_assert!(ending == late || oracle.spans.contains(&(path, ending)));
        }
        prop_assert_eq!(endings(&events).iter().any(|(_, it)| *it == late), result.is_err_and(|e| e.kind() == RunErrorKind::Cancelled(CancelReason::Deadline)));
    }
}

/// Stops a run of each plan after every number of polls, in one of the ways there are, and checks
/// that stops came often enough, and while each kind of thing was waited for.
fn stopped_everywhere(stop: fn(&Step<String, String>, u32) -> Stop, why: CancelReason) {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let (cases, stops, waiting) = (Cell::new(0), Cell::new(0), RefCell::new(BTreeSet::new()));
    let result = TestRunner::new(config).run(&plans(), |plan| {
        let step = plan.build();
        for polls in 0.. {
            assert!(polls < POLLS_MAX, "it never ends");
            let Stop { it, before } = stop(&step, polls);
            let events = it.recorder.events();
            check_record(&events, &it.audit);
            let Some(before) = before else {
                cases.set(cases.get() + 1);
                break;
            };
            check_stopped(&plan, &events, before, why);
            stops.set(stops.get() + 1);
            waiting.borrow_mut().extend(waited_for(&events[..before]));
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    let all = [Waits::Gate, Waits::Leaf, Waits::Model, Waits::Tool];
    assert_eq!(waiting.into_inner(), BTreeSet::from(all));
    let (cases, stops) = (cases.get(), stops.get());
    assert!(stops >= 6 * cases, "{stops} stops in {cases} cases");
}

/// More than any plan needs.
const POLLS_MAX: u32 = 10_000;

/// What was recorded of a run that was stopped, and how much of it before the stop; `None` if it
/// was done before.
struct Stop {
    it: Watched,
    before: Option<usize>,
}

#[test]
fn f060_a_run_dropped_at_any_await_point_closes_all_it_opened() {
    let drops = |step: &Step<String, String>, polls| {
        let it = watched();
        let mut before = 0;
        // Dropped inside `block_on`, as timers need their runtime; the record is cut there.
        let stopped = block_on(async {
            let run = async { it.session.run(step, "go").await.map(|_| ()) };
            stopped_after(polls, run, || before = it.recorder.events().len()).await
        });
        Stop {
            before: stopped.map(|()| before),
            it,
        }
    };
    stopped_everywhere(drops, CancelReason::Dropped);
}

#[test]
fn a_run_cancelled_at_any_await_point_closes_all_it_opened() {
    let cancels = |step: &Step<String, String>, polls| {
        let it = watched();
        let before = block_on(async {
            let run = it.session.run(step, "go");
            let handle: Handle = run.handle();
            let mut run = pin!(run);
            let driven = async { (&mut run).await.map(|_| ()) };
            stopped_after(polls, driven, || handle.cancel()).await?;
            let before = it.recorder.events().len();
            let _ = run.await;
            Some(before)
        });
        Stop { it, before }
    };
    stopped_everywhere(cancels, CancelReason::Requested);
}
