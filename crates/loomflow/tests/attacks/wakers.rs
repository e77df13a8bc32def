//! Attacks by wakers: that poll their run where they are woken, cancel it or panic.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures::executor::block_on;
use loomflow::{CancelReason, Handle, Result, Run, RunContext, RunErrorKind, Step};

use crate::executors::{Owned, assert_ended};
use crate::support_b::{guarded, plain, slow};

/// Polls its run wherever it is woken.
struct PollsInWake {
    run: Mutex<Option<Owned>>,
    ended: Mutex<Option<Result<u64, RunErrorKind>>>,
    polls: AtomicUsize,
    missed: AtomicUsize,
}

impl PollsInWake {
    fn new(run: Run<'static, u64>) -> Arc<Self> {
        Arc::new(Self {
            run: Mutex::new(Some(Box::pin(run))),
            ended: Mutex::default(),
            polls: AtomicUsize::new(0),
            missed: AtomicUsize::new(0),
        })
    }
}

impl Wake for PollsInWake {
    fn wake(self: Arc<Self>) {
        self.missed.fetch_add(1, SeqCst);
        let Ok(mut held) = self.run.try_lock() else {
            return;
        };
        while self.missed.swap(0, SeqCst) > 0 {
            let Some(run) = held.as_mut() else { return };
            self.polls.fetch_add(1, SeqCst);
            let waker = Waker::from(self.clone());
            if let Poll::Ready(ended) = run.as_mut().poll(&mut Context::from_waker(&waker)) {
                *held = None;
                *self.ended.lock().unwrap() =
                    Some(ended.map(|it| it.output).map_err(|it| it.kind()));
            }
        }
    }
}

#[test]
fn a_run_may_be_polled_within_the_wake_that_a_cancel_causes() {
    guarded(|| {
        let rig = plain();
        let hangs = |cx: RunContext, n: u64| async move {
            cx.step("first", &slow, n).await?;
            pending::<Result<u64>>().await
        };
        let run = rig
            .loom
            .session("alice")
            .run(Arc::new(Step::new(hangs)), 1u64);
        let handle = run.handle();
        let task = PollsInWake::new(run);
        task.clone().wake();
        assert_eq!(*task.ended.lock().unwrap(), None);
        handle.cancel();
        assert_eq!(
            *task.ended.lock().unwrap(),
            Some(Err(RunErrorKind::Cancelled(CancelReason::Requested)))
        );
        rig.assert_whole();
    });
}

#[test]
fn a_run_may_be_polled_within_the_wake_that_another_thread_causes() {
    guarded(|| {
        for _ in 0..30 {
            let rig = plain();
            let spread = |cx: RunContext, n: u64| async move {
                let (told, hears) = futures::channel::oneshot::channel();
                thread::spawn(move || {
                    let output = block_on(async { cx.step("elsewhere", &slow, n).await });
                    let _ = told.send(output);
                });
                hears.await.unwrap()
            };
            let run = rig
                .loom
                .session("alice")
                .run(Arc::new(Step::new(spread)), 1u64);
            let task = PollsInWake::new(run);
            task.clone().wake();
            while task.ended.lock().unwrap().is_none() {
                thread::yield_now();
            }
            assert_eq!(task.ended.lock().unwrap().take(), Some(Ok(2)));
            rig.assert_whole();
        }
    });
}

/// A waker that cancels the run, or panics, where it is woken or dropped.
struct Meddles(Arc<OnceLock<Handle>>, &'static str);

impl Wake for Meddles {
    fn wake(self: Arc<Self>) {
        match self.1 {
            "wake" => self.0.get().unwrap().cancel(),
            "panic" => panic!("woken"),
            _ => (),
        }
    }
}

impl Drop for Meddles {
    fn drop(&mut self) {
        if let ("drop", Some(handle)) = (self.1, self.0.get()) {
            handle.cancel();
        }
    }
}

#[test]
fn wakers_that_meddle_hold_nothing_up_and_hide_nothing() {
    for how in ["wake", "drop", "panic"] {
        guarded(move || {
            let rig = plain();
            let hangs = |cx: RunContext, n: u64| async move {
                let hang = |cx: RunContext, n: u64| async move {
                    cx.step("hang", &|_: u64| pending::<Result<u64>>(), n).await
                };
                cx.step("below", &hang, n).await
            };
            let session = rig.loom.session("alice");
            let mut run = session.run(&hangs, 1u64);
            let handle: Arc<OnceLock<Handle>> = Arc::default();
            handle.set(run.handle()).ok().unwrap();
            let mut ended = None;
            for _ in 0..3 {
                let waker = Waker::from(Arc::new(Meddles(handle.clone(), how)));
                if ended.is_none()
                    && let Poll::Ready(it) =
                        Pin::new(&mut run).poll(&mut Context::from_waker(&waker))
                {
                    ended = Some(it);
                }
            }
            let asked = catch_unwind(AssertUnwindSafe(|| handle.get().unwrap().cancel()));
            assert!(asked.is_ok() || how == "panic", "{how}");
            let ended = ended.unwrap_or_else(|| block_on(run));
            let ended = ended.map(|it| it.output).map_err(|it| it.kind());
            assert_eq!(
                ended,
                Err(RunErrorKind::Cancelled(CancelReason::Requested)),
                "{how}"
            );
            assert_ended(&rig, 0, &["cancelled (requested)"]);
        });
    }
}
