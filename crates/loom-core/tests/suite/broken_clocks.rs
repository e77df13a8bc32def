//! A clock that panics costs the record a time, never an event.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use loom_core::{Attributes, Clock, Error, Loom, OwnedEvent, Result, RunContext};
use loom_testing::{CountingIds, Recorder, TickingClock};

use crate::recorded::{assert_well_formed, recorded_by, story};
use crate::steps::{echo, fail, panic, wait};

/// Panics at one reading, or from one on.
struct Breaks {
    ticks: TickingClock,
    reading: AtomicUsize,
    at: std::ops::Range<usize>,
}

impl Clock for Breaks {
    fn now(&self) -> SystemTime {
        let reading = self.reading.fetch_add(1, Ordering::Relaxed);
        assert!(!self.at.contains(&reading), "the clock broke");
        self.ticks.now()
    }
}

async fn eventful(cx: RunContext, text: String) -> Result<String> {
    cx.note("remark", &Attributes::new());
    cx.delta("hel");
    let both = futures::join!(cx.step("a", &wait, 2u32), cx.step("b", &wait, 1u32));
    let sum = both.0? + both.1?;
    cx.step("c", &fail, text.clone()).await.unwrap_err();
    cx.step("d", &panic, text).await.unwrap_err();
    cx.step("e", &echo, sum.to_string()).await
}

fn record(at: std::ops::Range<usize>) -> (Recorder, Result<String>) {
    let clock = Breaks {
        ticks: TickingClock::default(),
        reading: AtomicUsize::new(0),
        at,
    };
    let (recorder, session) = recorded_by(Loom::builder().ids(CountingIds::default()).clock(clock));
    let ended = block_on(session.run(&eventful, "go"));
    let output = ended.map(|it| it.output).map_err(Error::from);
    (recorder, output)
}

fn times(recorder: &Recorder) -> Vec<SystemTime> {
    let at = |it: &OwnedEvent| it.at;
    recorder.events().iter().map(at).collect()
}

#[test]
fn a_clock_that_panics_at_any_reading_leaves_the_same_story() -> Result<()> {
    let (whole, output) = record(0..0);
    assert_eq!(output?, "3");
    // Two readings are for the session's and the run's ids, the others for an event each.
    let readings = whole.events().len() + 2;
    for at in 0..readings {
        let (recorder, output) = record(at..at + 1);
        assert_eq!(output?, "3", "reading {at}");
        assert_eq!(story(&recorder), story(&whole), "reading {at}");
        assert!(times(&recorder).is_sorted(), "reading {at}");
        let (recorder, output) = record(at..usize::MAX);
        assert_eq!(output?, "3", "from reading {at} on");
        assert_well_formed(&recorder);
        assert_eq!(story(&recorder), story(&whole), "from reading {at} on");
    }
    Ok::<_, Error>(())
}

#[test]
fn an_event_without_a_time_of_its_own_takes_the_last_ones() {
    let (whole, _) = record(0..0);
    let (recorder, _) = record(5..6);
    let (whole, times) = (times(&whole), times(&recorder));
    assert_eq!(times[..3], whole[..3]);
    assert_eq!(times[3], times[2]);
    assert_eq!(times[4], times[3] + Duration::from_millis(1));
}

#[test]
fn a_context_for_tests_is_made_under_a_clock_that_panics() {
    let clock = Breaks {
        ticks: TickingClock::default(),
        reading: AtomicUsize::new(0),
        at: 0..usize::MAX,
    };
    let cx = RunContext::test_in(&Loom::builder().clock(clock).build(), "alice");
    assert_eq!(cx.user().map(ToString::to_string), Some("alice".to_owned()));
}
