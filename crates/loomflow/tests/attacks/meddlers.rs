//! Attacks by observers and destructors that use a context while its run goes on or ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{FutureExt, poll};
use loomflow::audit::{Audit, AuditKey};
use loomflow::{
    Attributes, Branch, CancelReason, Event, EventKind, Loom, Observer, Recorder, RunContext,
    RunErrorKind, step,
};

use crate::escapes::{Kept, forever, one, recorded};
use crate::support_a::{Counter, check_record, ms};

/// Uses a kept context in the middle of every event.
struct Meddler(Kept<RunContext>, AtomicBool);

impl Observer for Meddler {
    fn on_event(&self, event: &Event<'_>) {
        if self.1.swap(true, Ordering::SeqCst) {
            return;
        }
        let kept = self.0.lock().unwrap().clone();
        if let Some(cx) = kept {
            cx.note("meddled", &Attributes::default());
            cx.record_one("meddled", 1i64);
            cx.delta("meddled");
            let _ = cx.ask::<bool>("meddled", "?").now_or_never();
            let _ = cx.step("meddled", &one, ()).now_or_never();
            if matches!(event.kind, EventKind::Closed(_)) && event.effect().name() == "second" {
                cx.handle().cancel();
            }
        }
        self.1.store(false, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_uses_a_context_in_every_event_neither_hangs_nor_spoils_the_record() {
    let kept: Kept<RunContext> = Arc::default();
    let recorder = Recorder::default();
    let audit = Audit::in_memory(AuditKey::from_bytes(&[7; 32]).unwrap())
        .build()
        .unwrap();
    let loom = Loom::builder()
        .install(audit.clone())
        .observe(recorder.clone())
        .observe(Meddler(kept.clone(), AtomicBool::new(false)))
        .build();
    let body = {
        let kept = kept.clone();
        move |cx: RunContext, _: ()| {
            *kept.lock().unwrap() = Some(cx.clone());
            async move {
                cx.step("first", &one, ()).await?;
                cx.step("second", &one, ()).await?;
                cx.step("third", &one, ()).await
            }
        }
    };
    let ended = loom
        .session("alice")
        .run(&step(body).named("body"), ())
        .await
        .unwrap_err();
    assert_eq!(
        ended.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    check_record(&recorder.events());
    assert!(audit.verify().open.is_empty(), "{:?}", audit.verify());
    assert!(audit.verify().findings.is_empty(), "{:?}", audit.verify());
}

/// Uses its context when it is dropped.
struct LastWords(RunContext, Counter);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.1.up();
        self.0.note("late", &Attributes::default());
        self.0.record_one("late", 1i64);
        self.0.delta("late");
        let _ = self.0.step("late", &one, ()).now_or_never();
        let _ = self.0.ask::<bool>("late", "?").now_or_never();
        self.0.handle().cancel();
    }
}

#[tokio::test(start_paused = true)]
async fn destructors_that_use_their_context_open_nothing_once_the_run_ends() {
    for how in ["cancel", "drop", "deadline"] {
        let counter = Counter::default();
        let body = {
            let counter = counter.clone();
            move |cx: RunContext, _: ()| {
                let counter = counter.clone();
                async move {
                    let one = |i: usize| {
                        let counter = counter.clone();
                        Branch::named(format!("b{i}"), move |cx: RunContext| async move {
                            let _last = LastWords(cx.clone(), counter);
                            cx.step("inner", &forever, ()).await
                        })
                    };
                    let _last = LastWords(cx.clone(), counter.clone());
                    cx.join(4, (0..3).map(one)).await
                }
            }
        };
        let (loom, recorder) = recorded();
        let (session, body) = (loom.session("alice"), step(body).named("body"));
        let mut run = session.run(&body, ()).deadline(ms(100));
        assert!(poll!(&mut run).is_pending());
        while recorder.spans().len() < 4 {
            tokio::task::yield_now().await;
            assert!(poll!(&mut run).is_pending());
        }
        match how {
            "cancel" => {
                run.handle().cancel();
                run.await.unwrap_err();
            }
            "drop" => drop(run),
            _ => {
                run.await.unwrap_err();
            }
        }
        assert_eq!(counter.get(), 4);
        let endings = check_record(&recorder.events());
        assert_eq!(
            endings.len(),
            4,
            "{how}: nothing was opened by destructors: {endings:?}"
        );
        assert_eq!(loom.running(), 0);
    }
}
