//! Attacks by observers: that panic, meddle with what they are told of, keep contexts or hang.

use std::future::pending;
use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;

use futures::executor::block_on;
use loomflow::{
    Error, Event, EventKind, Handle, Loom, MemoryJournal, Observer, Result, Run, RunContext,
    RunErrorKind, RunId, Settlement, Workflow, step,
};

use crate::support_b::{Bomb, add_one, guarded, nested, on_tokio, plain, rig, spin};

/// Does something at each event.
struct Watch<F>(F);

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for Watch<F> {
    fn on_event(&self, event: &Event<'_>) {
        (self.0)(event);
    }
}

fn watch<F: Fn(&Event<'_>) + Send + Sync + 'static>(at: F) -> Watch<F> {
    Watch(at)
}

#[test]
fn an_observer_that_panics_at_every_event_is_counted_and_hides_nothing() {
    let rig = rig(|it| it.observe(watch(|_| panic!("never"))));
    let outcome = block_on(async { rig.loom.session("alice").run(&nested, 1u64).await.unwrap() });
    assert_eq!(outcome.output, 6);
    assert_eq!(
        rig.loom.observer_faults(),
        rig.recorder.events().len() as u64
    );
    rig.assert_whole();
}

#[test]
fn a_payload_whose_destructor_panics_is_an_ordinary_panic_of_an_observer() {
    let rig = rig(|it| it.observe(watch(|_| panic_any(Bomb))));
    let outcome = block_on(async { rig.loom.session("alice").run(&nested, 1u64).await.unwrap() });
    assert_eq!(outcome.output, 6);
    rig.assert_whole();
}

#[test]
fn an_observer_that_cancels_the_run_at_any_event_leaves_a_whole_record() {
    let events = {
        let rig = plain();
        block_on(async { rig.loom.session("alice").run(&nested, 1u64).await.unwrap() });
        rig.recorder.events().len()
    };
    for at in 0..events {
        let handle: Arc<OnceLock<Handle>> = Arc::default();
        let (seen, cancelled) = (AtomicUsize::new(0), handle.clone());
        let rig = rig(|it| {
            it.observe(watch(move |_| {
                if seen.fetch_add(1, SeqCst) == at {
                    cancelled.get().unwrap().cancel();
                }
            }))
        });
        let session = rig.loom.session("alice");
        let run = session.run(&nested, 1u64);
        handle.set(run.handle()).unwrap();
        let ended = block_on(run).map(|it| it.output).map_err(|it| it.kind());
        let root = rig.endings().remove(0);
        match ended {
            Ok(6) => assert_eq!(root, "nested completed"),
            Err(RunErrorKind::Cancelled(_)) => assert_eq!(root, "nested cancelled (requested)"),
            other => panic!("{other:?} at {at}"),
        }
        rig.assert_whole();
    }
}

#[test]
fn an_observer_that_drops_the_run_hides_no_closing() {
    guarded(|| {
        type Held = Arc<Mutex<Option<Run<'static, u64>>>>;
        static KEPT: Mutex<Option<RunContext>> = Mutex::new(None);
        async fn waits(cx: RunContext, _: u64) -> Result<u64> {
            *KEPT.lock().unwrap() = Some(cx);
            pending().await
        }
        for at in 0..8 {
            let held: Held = Arc::default();
            let (seen, dropped) = (AtomicUsize::new(0), held.clone());
            let rig = rig(|it| {
                it.observe(watch(move |_| {
                    if seen.fetch_add(1, SeqCst) == at {
                        let run = dropped.try_lock().ok().and_then(|mut it| it.take());
                        drop(run);
                    }
                }))
            });
            let mut run = rig
                .loom
                .session("alice")
                .run(Arc::new(loomflow::Step::new(waits)), 1u64);
            assert!(crate::support_b::poke(&mut run).is_pending());
            *held.lock().unwrap() = Some(run);
            let cx = KEPT.lock().unwrap().take().unwrap();
            let _ = spin(50, cx.step("kept", &nested, 1u64));
            drop(held.lock().unwrap().take());
            let endings = rig.endings();
            assert!(endings[0].starts_with("waits cancelled"), "{endings:?}");
            rig.assert_whole();
        }
    });
}

#[test]
fn an_observer_may_start_runs_of_the_same_loom() {
    guarded(|| {
        let loom: Arc<OnceLock<Loom>> = Arc::default();
        let (inner, started) = (loom.clone(), Arc::new(AtomicUsize::new(0)));
        let count = started.clone();
        let rig = rig(|it| {
            it.observe(watch(move |event| {
                if event.cx.user().is_some_and(|it| it.as_str() == "alice") {
                    count.fetch_add(1, SeqCst);
                    let run = inner.get().unwrap().session("spy").run(&nested, 1u64);
                    assert_eq!(run.handle().run_id(), run.handle().run_id());
                    assert_eq!(spin(100, run).unwrap().unwrap().output, 6);
                }
            }))
        });
        loom.set(rig.loom.clone()).ok().unwrap();
        let outcome =
            block_on(async { rig.loom.session("alice").run(&nested, 1u64).await.unwrap() });
        assert_eq!((outcome.output, rig.loom.observer_faults()), (6, 0));
        assert_eq!(outcome.visited, ["one", "two", "two"]);
        assert_eq!(rig.loom.running(), 0);
        let alices = rig
            .recorder
            .events()
            .iter()
            .filter(|it| it.run == outcome.run_id)
            .count();
        assert_eq!(started.load(SeqCst), alices);
        rig.assert_whole();
    });
}

#[test]
fn an_observer_that_answers_what_is_being_asked_answers_it_or_leaves_it_open() {
    guarded(|| {
        async fn asks(cx: RunContext, n: u64) -> Result<u64> {
            let more: u64 = cx.ask("more", "How many more?").await?;
            Ok(n + more)
        }
        let loom: Arc<OnceLock<Loom>> = Arc::default();
        let (inner, answered) = (loom.clone(), Arc::new(Mutex::new(None)));
        let keep = answered.clone();
        let rig = rig(|it| {
            it.journal(MemoryJournal::default())
                .observe(watch(move |event| {
                    if let EventKind::Asked { question } = event.kind {
                        let session = inner.get().unwrap().session("alice").id("s");
                        let id = event.cx.root_run_id().clone();
                        let path = question.path.clone();
                        let told = spin(50, async { session.answer(&id, &path, 5u64).await });
                        *keep.lock().unwrap() = Some(told.unwrap().is_ok());
                    }
                }))
        });
        loom.set(rig.loom.clone()).ok().unwrap();
        let session = rig.loom.session("alice").id("s");
        let ended = block_on(async { session.run(&asks, 1u64).await });
        match answered.lock().unwrap().unwrap() {
            true => assert_eq!(ended.unwrap().output, 6),
            false => assert_eq!(ended.unwrap_err().questions().len(), 1),
        }
        rig.assert_whole();
    });
}

#[test]
fn an_observer_with_kept_contexts_says_nothing_more_of_what_has_closed() {
    guarded(|| {
        static KEPT: Mutex<Vec<RunContext>> = Mutex::new(Vec::new());
        async fn keeps(cx: RunContext, n: u64) -> Result<u64> {
            KEPT.lock().unwrap().push(cx.clone());
            cx.step("one", &add_one, n).await
        }
        let rig = rig(|it| {
            it.observe(watch(|event| {
                if let EventKind::Closed(_) | EventKind::Settled { .. } = event.kind {
                    let kept = KEPT.lock().unwrap().clone();
                    for cx in kept.iter().filter(|it| it.span_id() == event.cx.span_id()) {
                        cx.delta("late");
                        cx.note("late", &loomflow::Attributes::new());
                        cx.record_one("late", true);
                        assert!(spin(50, cx.step("late", &add_one, 1u64)).unwrap().is_err());
                        assert!(spin(50, cx.ask::<bool>("late", "?")).unwrap().is_err());
                        assert!(loomflow::Scope::admin(cx, "late").is_err());
                    }
                }
            }))
        });
        let workflow = Workflow::chain::<u64>("w")
            .then(step(keeps).named("k"))
            .then(keeps)
            .build();
        let outcome = block_on(async {
            rig.loom
                .session("alice")
                .run(&workflow, 1u64)
                .await
                .unwrap()
        });
        assert_eq!((outcome.output, rig.loom.observer_faults()), (3, 0));
        let said = format!("{:?}", rig.recorder.events());
        assert!(!said.contains("late"), "{said}");
        rig.assert_whole();
    });
}

#[test]
fn a_closing_waits_for_an_observer_that_is_still_told_of_the_effect() {
    guarded(|| {
        let (noted, is_noted) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let wait = Mutex::new(wait);
        let rig = rig(|it| {
            it.observe(watch(move |event| {
                if let EventKind::Noted { .. } = event.kind {
                    noted.send(()).unwrap();
                    wait.lock().unwrap().recv().unwrap();
                }
            }))
        });
        let is_noted = Mutex::new(is_noted);
        let body = move |cx: RunContext, n: u64| {
            let teller = thread::spawn(move || cx.note("slow", &loomflow::Attributes::new()));
            drop(teller);
            is_noted.lock().unwrap().recv().unwrap();
            async move { Ok::<_, Error>(n) }
        };
        let outer = Workflow::chain::<u64>("w")
            .then(step(body).named("noting"))
            .build();
        let session = rig.loom.session("alice");
        let mut run = session.run(&outer, 1u64);
        // The step has returned, but one is still telling of it.
        let early = crate::support_b::poke(&mut run);
        let told = rig.recorder.events().len();
        assert!(told <= 3, "{:?}", rig.recorder.events());
        go.send(()).unwrap();
        let outcome = match early {
            std::task::Poll::Ready(it) => it,
            std::task::Poll::Pending => block_on(run),
        };
        assert_eq!(outcome.unwrap().output, 1);
        rig.assert_whole();
    });
}

struct Settles(&'static str);

impl Observer for Settles {
    fn on_event(&self, _event: &Event<'_>) {}
    fn wants_polls(&self) -> bool {
        true
    }
    fn enter(&self, _span: loomflow::SpanId) {
        assert_ne!(self.0, "enter");
    }
    fn exit(&self, _span: loomflow::SpanId) {
        assert_ne!(self.0, "exit");
    }
    fn settle(&self, _run: &RunId) -> impl Future<Output = Settlement> + Send {
        assert_ne!(self.0, "settle");
        async move {
            match self.0 {
                "hang" => pending().await,
                "later" => panic_any(Bomb),
                _ => Settlement::nothing(),
            }
        }
    }
}

#[test]
fn an_observer_that_panics_or_hangs_where_it_settles_throws_no_output_away() {
    for how in ["enter", "exit", "settle", "hang", "later"] {
        guarded(move || {
            let rig = rig(|it| it.observe(Settles(how)));
            let outcome =
                on_tokio(async { rig.loom.session("alice").run(&nested, 1u64).await.unwrap() });
            assert_eq!(outcome.output, 6, "{how}");
            assert!(
                matches!(how, "hang") || rig.loom.observer_faults() > 0,
                "{how}"
            );
            assert_eq!(
                outcome.durable().is_ok(),
                matches!(how, "enter" | "exit"),
                "{how}"
            );
            rig.assert_whole();
        });
    }
}
