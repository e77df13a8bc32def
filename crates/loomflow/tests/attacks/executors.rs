//! Attacks by executors: when and from where a run is polled, given up, cancelled or dropped.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{Either, select};
use loomflow::{
    Agent, CancelReason, Error, ErrorKind, MemoryJournal, Outcome, Reply, Result, RunContext,
    RunError, RunErrorKind, ScriptedModel, Settling, Tool, Workflow, step,
};
use serde_json::json;

use crate::support_b::{Rig, guarded, on_tokio, plain, poke, rig, slow, spin, yields};

pub(crate) type Owned = Pin<Box<dyn Future<Output = Result<Outcome<u64>, RunError>> + Send>>;

/// An agent within a workflow, with a workflow within the agent.
pub(crate) fn nested() -> Workflow<u64, u64> {
    let inner = Workflow::chain::<u64>("inner")
        .then(slow)
        .parallel((slow, slow))
        .map(|(a, b)| a + b)
        .build();
    let tool = inner.as_tool().named("act");
    let model = ScriptedModel::new([
        Reply::call("act", json!({"input": 1})).and_call("act", json!({"input": 2})),
        Reply::text("done"),
    ]);
    let agent = Agent::builder("Act.")
        .named("agent")
        .model(model)
        .tool(tool)
        .build()
        .unwrap();
    let asks = move |cx: RunContext, n: u64| {
        let agent = agent.clone();
        async move {
            cx.step("agent", &agent, n.to_string()).await?;
            Ok::<_, Error>(n)
        }
    };
    Workflow::chain::<u64>("outer")
        .parallel((
            slow,
            step(asks).named("asks"),
            step(slow).retry(2).or_else(slow).named("wrapped"),
        ))
        .map(|(a, b, c)| a + b + c)
        .then(slow)
        .build()
}

pub(crate) fn assert_ended(rig: &Rig, at: usize, reasons: &[&str]) {
    rig.assert_whole();
    for line in rig.endings() {
        let fine = line.ends_with(" completed") || reasons.iter().any(|it| line.ends_with(it));
        assert!(fine, "{line} at {at}");
    }
    assert_eq!(rig.loom.running(), 0, "at {at}");
}

#[test]
fn a_run_dropped_at_any_poll_closes_all_that_was_open() {
    guarded(|| {
        for journal in [false, true] {
            for at in 0..1_000 {
                let rig = rig(|it| match journal {
                    true => it.journal(MemoryJournal::default()),
                    false => it,
                });
                let workflow = nested();
                let mut run = rig.loom.session("alice").run(&workflow, 1u64);
                let ended = (0..at).any(|_| poke(&mut run).is_ready());
                drop(run);
                assert_ended(&rig, at, &["cancelled (dropped)"]);
                if ended {
                    break;
                }
                assert!(at < 999);
            }
        }
    });
}

#[test]
fn a_run_cancelled_before_any_poll_closes_all_that_was_open_as_requested() {
    guarded(|| {
        for polled in [true, false] {
            for at in 0..1_000 {
                let rig = plain();
                let workflow = nested();
                let mut run = rig.loom.session("alice").run(&workflow, 1u64);
                if (0..at).any(|_| poke(&mut run).is_ready()) {
                    break;
                }
                let handle = run.handle();
                handle.cancel();
                match polled {
                    true => match block_on(run) {
                        Ok(outcome) => assert_eq!(outcome.output, 6),
                        Err(ended) => {
                            assert_eq!(
                                ended.kind(),
                                RunErrorKind::Cancelled(CancelReason::Requested)
                            );
                        }
                    },
                    false => drop(run),
                }
                assert_ended(&rig, at, &["cancelled (requested)"]);
                assert!(at < 999);
            }
        }
    });
}

#[test]
fn a_nested_step_given_up_at_any_poll_leaves_the_run_and_its_record_whole() {
    guarded(|| {
        for at in 0..60 {
            let rig = plain();
            let body = move |cx: RunContext, n: u64| async move {
                let workflow = nested();
                let work = Box::pin(cx.step("nested", &workflow, n));
                let first = select(work, Box::pin(yields(at))).await;
                let early = match first {
                    Either::Left((done, _)) => done? > 0,
                    Either::Right(_) => false,
                };
                cx.step("after", &slow, u64::from(early)).await
            };
            let session = rig.loom.session("alice");
            let outcome = block_on(async { session.run(&body, 1u64).await.unwrap() });
            assert!(outcome.output >= 1);
            assert_ended(&rig, at, &["cancelled (dropped)"]);
        }
    });
}

#[test]
fn a_timeout_or_deadline_at_any_moment_leaves_the_record_whole() {
    async fn naps(n: u64) -> Result<u64> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(n + 1)
    }
    async fn both(cx: RunContext, n: u64) -> Result<u64> {
        let inner = Workflow::chain::<u64>("inner")
            .then(naps)
            .parallel((naps, naps))
            .map(|(a, b)| a + b)
            .build();
        cx.step("inner", &inner, n).await
    }
    guarded(|| {
        for ms in 1..9 {
            let rig = plain();
            let limit = Duration::from_millis(ms);
            let workflow = Workflow::chain::<u64>("w")
                .then(step(both).timeout(limit))
                .then(naps)
                .build();
            let settled = Workflow::chain::<u64>("s")
                .parallel((step(both).timeout(limit), naps).settle())
                .build();
            on_tokio(async {
                let session = rig.loom.session("alice");
                let ended = session
                    .run(&workflow, 1u64)
                    .await
                    .map_err(|it| it.error().kind());
                assert!(
                    matches!(ended, Ok(_) | Err(ErrorKind::Timeout)),
                    "{ended:?}"
                );
                assert!(
                    session
                        .run(&settled, 1u64)
                        .await
                        .unwrap()
                        .output
                        .1
                        .done()
                        .is_some()
                );
                let ended = session
                    .run(&workflow, 1u64)
                    .deadline(Duration::from_micros(ms * 500))
                    .await;
                assert_eq!(
                    ended.unwrap_err().kind(),
                    RunErrorKind::Cancelled(CancelReason::Deadline)
                );
            });
            assert_eq!(rig.loom.running(), 0);
            rig.assert_whole();
        }
    });
}

#[test]
fn a_run_polled_from_a_new_thread_each_time_is_one_run() {
    guarded(|| {
        let rig = plain();
        let mut run: Owned = Box::pin(rig.loom.session("alice").run(Arc::new(nested()), 1u64));
        let ended = loop {
            let polled = thread::spawn(move || {
                let ended = poke(&mut run);
                (run, ended)
            });
            let (back, ended) = polled.join().unwrap();
            run = back;
            if let Poll::Ready(ended) = ended {
                break ended;
            }
        };
        assert_eq!(ended.unwrap().output, 6);
        assert_ended(&rig, 0, &[]);
    });
}

#[test]
fn thousands_of_polls_for_nothing_do_nothing() {
    guarded(|| {
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        let hangs = |cx: RunContext, _: u64| async move {
            let hang = |_: u64| async {
                BEGUN.fetch_add(1, SeqCst);
                pending::<Result<u64>>().await
            };
            cx.step("hang", &hang, 1u64).await
        };
        let rig = rig(|it| it.journal(MemoryJournal::default()));
        let session = rig.loom.session("alice");
        let mut run = session.run(&hangs, 1u64);
        for _ in 0..10_000 {
            assert!(poke(&mut run).is_pending());
        }
        assert_eq!(BEGUN.load(SeqCst), 1);
        assert_eq!(rig.recorder.events().len(), 2);
        drop(run);
        assert_ended(&rig, 0, &["cancelled (dropped)"]);
    });
}

#[test]
fn a_run_polled_after_its_end_does_nothing_more() {
    let rig = plain();
    let workflow = nested();
    let session = rig.loom.session("alice");
    let mut run = session.run(&workflow, 1u64);
    while poke(&mut run).is_pending() {}
    let events = rig.recorder.events().len();
    for _ in 0..3 {
        let again = catch_unwind(AssertUnwindSafe(|| poke(&mut run)));
        assert!(
            !matches!(again, Ok(Poll::Ready(Ok(_)))),
            "its output came once"
        );
    }
    drop(run);
    assert_eq!(rig.recorder.events().len(), events);
    rig.assert_whole();
}

#[test]
fn a_step_moved_to_another_task_ends_with_its_run() {
    struct Told(Arc<AtomicUsize>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    guarded(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let rig = plain();
        on_tokio(async {
            let tasks: Arc<Mutex<Vec<tokio::task::JoinHandle<Result<u64>>>>> = Arc::default();
            let (moved, told) = (tasks.clone(), dropped.clone());
            let body = move |cx: RunContext, n: u64| {
                for name in ["a", "b"] {
                    let (cx, told) = (cx.clone(), Told(told.clone()));
                    moved.lock().unwrap().push(tokio::spawn(async move {
                        let hang = |n: u64| async move {
                            pending::<()>().await;
                            Ok::<_, Error>(n)
                        };
                        let ended = cx.step(name, &hang, n).await;
                        drop(told);
                        ended
                    }));
                }
                async move {
                    yields(3).await;
                    Ok::<_, Error>(n)
                }
            };
            let outcome = rig.loom.session("alice").run(&body, 1u64).await.unwrap();
            assert_eq!(outcome.output, 1);
            let tasks = std::mem::take(&mut *tasks.lock().unwrap());
            for task in tasks {
                assert_eq!(task.await.unwrap().unwrap_err().kind(), ErrorKind::Stopped);
            }
        });
        assert_eq!(dropped.load(SeqCst), 2);
        assert_eq!(rig.recorder.spans().len(), 3, "{:?}", rig.endings());
        assert_ended(&rig, 0, &["cancelled (dropped)"]);
    });
}

#[test]
fn code_that_never_ends_trying_is_dropped_once_the_run_is_cancelled() {
    guarded(|| {
        for how in ["step", "ask", "tool", "spawned", "join"] {
            static TRIES: AtomicUsize = AtomicUsize::new(0);
            TRIES.store(0, SeqCst);
            let rig = rig(|it| it.journal(MemoryJournal::default()));
            let body = move |cx: RunContext, n: u64| async move {
                cx.handle().cancel();
                loop {
                    TRIES.fetch_add(1, SeqCst);
                    match how {
                        "ask" => drop(cx.ask::<bool>("again", "Again?").await),
                        "tool" => {
                            let tool = Tool::new("t", "T.", slow).read_only();
                            drop(tool.call(&cx, "c", json!({"input": 1})).await);
                        }
                        "join" => {
                            let branch =
                                |cx: RunContext| async move { cx.step("x", &slow, n).await };
                            drop(cx.join(1, [loomflow::Branch::new(branch)]).await);
                        }
                        _ => drop(cx.step("again", &slow, n).await),
                    }
                }
                #[allow(unreachable_code)]
                Ok::<u64, Error>(n)
            };
            let session = rig.loom.session("alice");
            let ended = spin(2_000, session.run(&body, 1u64))
                .expect("it ends")
                .map(|it| it.output);
            let ended = ended.map_err(|it| it.kind());
            assert_eq!(
                ended,
                Err(RunErrorKind::Cancelled(CancelReason::Requested)),
                "{how}"
            );
            assert!(TRIES.load(SeqCst) <= 300, "{how}: {}", TRIES.load(SeqCst));
            assert_ended(&rig, 0, &["cancelled (requested)"]);
        }
    });
}
