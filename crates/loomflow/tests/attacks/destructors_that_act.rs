//! Attacks by destructors that use a context, a loom or another run where they are dropped.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use futures::executor::block_on;
use loomflow::{
    Attributes, Branch, CancelReason, Error, Handle, Loom, MemoryJournal, Result, Run, RunContext,
    RunErrorKind, Step, Workflow, step,
};

use crate::support_b::{Rig, guarded, hangs, plain, poke, rig, slow, spin};

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Runs a body that holds on to something with a destructor, and ends it in one way.
fn ended_with(
    rig: &Rig,
    how: &'static str,
    at_drop: impl Fn(&RunContext) + Send + Sync + Clone + 'static,
) -> Option<Result<u64, RunErrorKind>> {
    let body = move |cx: RunContext, n: u64| {
        let (at_drop, own) = (at_drop.clone(), cx.clone());
        async move {
            let _guard = OnDrop(move || at_drop(&own));
            cx.step("one", &slow, n).await?;
            match how {
                "ok" => Ok(n),
                "err" => Err(Error::invalid("no")),
                "panic" => panic!("no"),
                _ => pending().await,
            }
        }
    };
    let workflow = Workflow::chain::<u64>("w")
        .then(step(body).named("guarded"))
        .build();
    let session = rig.loom.session("alice").id("s");
    let mut run = session.run(&workflow, 1u64);
    if matches!(how, "ok" | "err" | "panic") {
        return Some(block_on(run).map(|it| it.output).map_err(|it| it.kind()));
    }
    for _ in 0..8 {
        assert!(poke(&mut run).is_pending());
    }
    match how {
        "cancel" => {
            run.handle().cancel();
            Some(block_on(run).map(|it| it.output).map_err(|it| it.kind()))
        }
        _ => {
            drop(run);
            None
        }
    }
}

fn expected(how: &str) -> Option<Result<u64, RunErrorKind>> {
    match how {
        "ok" => Some(Ok(1)),
        "err" | "panic" => Some(Err(RunErrorKind::Failed)),
        "cancel" => Some(Err(RunErrorKind::Cancelled(CancelReason::Requested))),
        _ => None,
    }
}

const HOW: [&str; 5] = ["ok", "err", "panic", "cancel", "drop"];

#[test]
fn a_destructor_that_opens_asks_notes_and_records_changes_no_ending() {
    guarded(|| {
        for how in HOW {
            for journal in [false, true] {
                let rig = rig(|it| match journal {
                    true => it.journal(MemoryJournal::default()),
                    false => it,
                });
                let ended = ended_with(&rig, how, |cx| {
                    cx.record_one("late", true);
                    cx.note("late", &Attributes::new());
                    cx.delta("late");
                    let _ = spin(20, cx.step("late", &slow, 1u64));
                    let mut left = Box::pin(cx.step("left", &slow, 1u64));
                    let _ = poke(&mut left);
                    drop(left);
                    drop(cx.idempotency_key());
                });
                assert_eq!(ended, expected(how), "{how} {journal}");
                rig.assert_whole();
                assert_eq!(rig.loom.running(), 0);
            }
        }
    });
}

#[test]
fn a_destructor_that_asks_leaves_no_question_that_the_run_does_not_wait_for() {
    guarded(|| {
        for how in ["err", "panic", "cancel", "drop"] {
            let rig = rig(|it| it.journal(MemoryJournal::default()));
            let ended = ended_with(&rig, how, |cx| {
                let _ = spin(20, cx.ask::<bool>("late", "Late?"));
            });
            if matches!(how, "cancel") {
                assert_eq!(ended, expected(how), "{how}");
            }
            let scope = rig.loom.session("alice").id("s").scope().unwrap();
            let paused = block_on(rig.loom.paused(&scope)).unwrap();
            let waits = ended == Some(Err(RunErrorKind::Paused));
            assert_eq!(
                paused.len(),
                usize::from(waits),
                "{how} {ended:?} {paused:?}"
            );
            rig.assert_whole();
        }
    });
}

#[test]
fn a_destructor_that_cancels_the_run_comes_too_late_for_a_body_that_has_returned() {
    guarded(|| {
        for how in HOW {
            let rig = plain();
            let ended = ended_with(&rig, how, |cx| cx.handle().cancel());
            let requested = Some(Err(RunErrorKind::Cancelled(CancelReason::Requested)));
            assert!(
                ended == expected(how) || ended == requested,
                "{how} {ended:?}"
            );
            let endings = rig.endings();
            if how == "ok" {
                // The destructor ran before the body's future was over; what it cancels, it cancels.
                assert!(endings[0] == "w completed" || endings[0] == "w cancelled (requested)");
            }
            if how == "drop" {
                assert_eq!(endings[0], "w cancelled (dropped)", "the drop came first");
            }
            rig.assert_whole();
        }
    });
}

#[test]
fn a_destructor_that_sends_its_context_away_lets_nothing_happen_there() {
    guarded(|| {
        for how in HOW {
            let rig = plain();
            let kept: Arc<Mutex<Vec<RunContext>>> = Arc::default();
            let keep = kept.clone();
            let _ = ended_with(&rig, how, move |cx| keep.lock().unwrap().push(cx.clone()));
            let events = rig.recorder.events().len();
            let kept = std::mem::take(&mut *kept.lock().unwrap());
            assert_eq!(kept.len(), 1);
            let late = thread::spawn(move || {
                block_on(async {
                    for cx in &kept {
                        let opened = cx.step("late", &slow, 1u64).await;
                        assert!(opened.is_err());
                        cx.note("late", &Attributes::new());
                        cx.handle().cancel();
                        let mut set = cx.branches();
                        set.push(
                            0,
                            Branch::new(|cx: RunContext| async move {
                                cx.step("late", &slow, 1u64).await
                            }),
                        );
                        assert!(set.next().await.is_err());
                        assert!(cx.is_stopping() || opened.is_err());
                    }
                });
            });
            late.join().unwrap();
            assert_eq!(rig.recorder.events().len(), events, "{how}");
            rig.assert_whole();
        }
    });
}

#[test]
fn a_destructor_that_resumes_or_answers_its_own_run_finds_it_held_or_over() {
    guarded(|| {
        for how in ["cancel", "drop", "err", "panic"] {
            let rig = rig(|it| it.journal(MemoryJournal::default()));
            let tried = Arc::new(AtomicUsize::new(0));
            let (loom, count) = (rig.loom.clone(), tried.clone());
            let again = Workflow::chain::<u64>("w")
                .then(
                    step(|_: RunContext, n: u64| async move { Ok::<_, Error>(n) }).named("guarded"),
                )
                .build();
            let ended = ended_with(&rig, how, move |cx| {
                let session = loom.session("alice").id("s").accepting_changes();
                let resumed = spin(50, session.resume(cx.root_run_id(), &again));
                assert!(resumed.is_none_or(|it| it.is_err()), "it is under way");
                let answered = spin(
                    50,
                    session.answer(cx.root_run_id(), "w/guarded/nothing", true),
                );
                assert!(answered.unwrap().is_err());
                count.fetch_add(1, SeqCst);
            });
            assert_eq!(ended, expected(how));
            assert_eq!(tried.load(SeqCst), 1, "{how}");
            rig.assert_whole();
        }
    });
}

#[test]
fn a_destructor_that_drops_another_run_or_starts_one_leaves_both_records_whole() {
    guarded(|| {
        for how in HOW {
            let rig = plain();
            let held: Arc<Mutex<Vec<Run<'static, u64>>>> = Arc::default();
            let mut other = rig
                .loom
                .session("bob")
                .run(Arc::new(Step::<u64, u64>::new(hangs)), 1u64);
            assert!(poke(&mut other).is_pending());
            held.lock().unwrap().push(other);
            let loom = rig.loom.clone();
            let ended = ended_with(&rig, how, move |_| {
                drop(held.lock().unwrap().pop());
                let outcome = spin(50, loom.session("carol").run(&slow, 1u64)).unwrap();
                assert_eq!(outcome.unwrap().output, 2);
            });
            assert_eq!(ended, expected(how));
            let endings = rig.endings();
            assert!(
                endings.contains(&"hangs cancelled (dropped)".to_owned()),
                "{endings:?}"
            );
            assert_eq!(rig.loom.running(), 0);
            rig.assert_whole();
        }
    });
}

#[test]
fn a_handle_a_context_and_a_stream_may_be_dropped_last_and_anywhere() {
    guarded(|| {
        let kept: Arc<Mutex<Vec<(RunContext, Handle)>>> = Arc::default();
        let rig = plain();
        let keep = kept.clone();
        let body = move |cx: RunContext, n: u64| {
            let cyclic = OnDrop({
                let keep = keep.clone();
                move || drop(keep.try_lock().map(|mut it| it.pop()))
            });
            keep.lock().unwrap().push((cx.clone(), cx.handle()));
            async move {
                let _cyclic = cyclic;
                cx.step("one", &slow, n).await
            }
        };
        let session = rig.loom.session("alice");
        let stream = session.run(&body, 1u64).stream();
        drop(stream);
        assert_eq!(rig.recorder.events().len(), 0);
        let mut run = session.run(&body, 1u64);
        let _ = poke(&mut run);
        let Rig {
            recorder,
            audit,
            loom,
        } = rig;
        drop((loom, session));
        drop(run);
        let last = kept.lock().unwrap().pop();
        let rig = Rig {
            recorder,
            audit,
            loom: Loom::builder().build(),
        };
        rig.assert_whole();
        drop(last);
        assert_eq!(rig.recorder.spans().len(), 2);
    });
}
