//! With the clock and the ids injected, a run repeats itself to the byte.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use loom_core::{Clock, Effect, EffectKind, Loom, Result, RunContext};
use loom_testing::{CountingIds, TickingClock};

use crate::recorded::{recorded_by, tree};
use crate::steps::{echo, fail, wait};

async fn eventful(cx: RunContext, text: String) -> Result<String> {
    let run = Effect::new(EffectKind::Agent, "agent");
    cx.perform(run, (), |cx, ()| async move {
        cx.note("remark", &loom_core::Attributes::new().with("n", 1u32));
        cx.delta("hel");
        let both = futures::join!(cx.step("a", &wait, 3u32), cx.step("b", &wait, 1u32));
        Ok(both.0? + both.1?)
    })
    .await?;
    cx.step("c", &fail, text.clone()).await.unwrap_err();
    cx.step("d", &echo, text).await
}

#[test]
fn two_runs_with_counted_ids_and_ticks_are_equal_to_the_byte() {
    let record = || {
        let loom = Loom::builder()
            .ids(CountingIds::default())
            .clock(TickingClock::default());
        let (recorder, session) = recorded_by(loom);
        block_on(session.run(&eventful, "go")).unwrap();
        serde_json::to_string_pretty(&recorder.events()).unwrap()
    };
    let record_once = record();
    assert_eq!(record_once, record());
    assert_eq!(record_once.matches(r#""event":"#).count(), 15);
}

#[test]
fn the_closing_of_a_run_that_failed_is_one_flat_object_with_its_error() {
    let loom = Loom::builder()
        .ids(CountingIds::default())
        .clock(TickingClock::default());
    let (recorder, session) = recorded_by(loom);
    block_on(session.id("conv").run(&fail, "go")).unwrap_err();
    let closed = &recorder.events()[1];
    assert_eq!(
        serde_json::to_value(closed).unwrap(),
        serde_json::json!({
            "user": "alice",
            "session": "conv",
            "run": closed.run.as_str(),
            "parent_run": null,
            "trace": "00000000000000000000000000000003",
            "span": closed.span.to_string(),
            "parent_span": null,
            "effect": "workflow",
            "name": "fail",
            "path": "fail",
            "at_ns": 1_767_225_600_003_000_000_u64,
            "event": "closed",
            "ending": "failed",
            "error_kind": "failed",
            "error": "broken",
            "output": null,
            "attributes": {},
        })
    );
}

/// Jumps back and forth: by an hour, and by ten years.
#[derive(Default)]
struct Jumps(AtomicUsize);

impl Clock for Jumps {
    fn now(&self) -> SystemTime {
        let hours = [100_000, 99_999, 187_600, 100_001, 187_601, 0];
        let reading = self.0.fetch_add(1, Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + Duration::from_secs(3600 * hours[reading % hours.len()])
    }
}

#[test]
fn f044_times_never_go_back_within_a_run_whatever_the_clock_does() {
    let (recorder, session) = recorded_by(Loom::builder().clock(Jumps::default()));
    block_on(session.run(&eventful, "go")).unwrap();
    let times: Vec<SystemTime> = recorder.events().iter().map(|it| it.at).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run eventful",
            "  loom.run agent",
            "    loom.workflow.step a",
            "    loom.workflow.step b",
            "  loom.workflow.step c ✗ failed",
            "  loom.workflow.step d",
        ]
    );
}

#[test]
fn a_clock_before_1970_is_taken_for_1970() {
    struct Ancient;
    impl Clock for Ancient {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH - Duration::from_secs(1)
        }
    }
    let (recorder, session) = recorded_by(Loom::builder().clock(Ancient));
    block_on(session.run(&echo, "go")).unwrap();
    let times: Vec<SystemTime> = recorder.events().iter().map(|it| it.at).collect();
    assert_eq!(times, [SystemTime::UNIX_EPOCH; 3]);
}
