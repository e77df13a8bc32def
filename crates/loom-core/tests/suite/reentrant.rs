//! Foreign code that acts while it is called: observers that cancel or drop the run they are told
//! of, and executors that poll inside `wake`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use loom_core::{
    Attributes, CancelReason, Effect, EffectKind, Error, ErrorKind, Event, EventKind, Handle,
    Limits, Loom, Observer, Result, RunContext, RunErrorKind, Step, StreamItem, Tokens,
};
use tokio::sync::Notify;

use crate::recorded::{recorded, recorded_by, story};
use crate::steps::{echo, fail, forever, wait};

async fn eventful(cx: RunContext, text: String) -> Result<String> {
    cx.note("remark", &Attributes::new());
    cx.delta("hel");
    let both = futures::join!(cx.step("a", &wait, 2u32), cx.step("b", &wait, 1u32));
    let sum = both.0? + both.1?;
    let _ = cx.step("c", &fail, text.clone()).await;
    cx.step("d", &echo, sum.to_string()).await
}

/// Cancels the run while it is told of one of its events.
#[derive(Clone)]
struct CancelsAt {
    event: usize,
    seen: Arc<AtomicUsize>,
    run: Arc<Mutex<Option<Handle>>>,
}

impl Observer for CancelsAt {
    fn on_event(&self, _event: &Event<'_>) {
        if self.seen.fetch_add(1, Ordering::Relaxed) == self.event {
            self.run.lock().unwrap().take().unwrap().cancel();
        }
    }
}

#[test]
fn an_observer_may_cancel_the_run_while_it_is_told_of_any_event() {
    let (whole, session) = recorded();
    block_on(session.run(&eventful, "go")).unwrap();
    let whole = story(&whole);
    for event in 0..whole.len() {
        let cancels = CancelsAt {
            event,
            seen: Arc::default(),
            run: Arc::default(),
        };
        let (recorder, session) = recorded_by(Loom::builder().observe(cancels.clone()));
        let run = session.run(&eventful, "go");
        *cancels.run.lock().unwrap() = Some(run.handle());
        let ended = block_on(run).map(drop).map_err(|ended| ended.kind());
        let story = story(&recorder);
        assert_eq!(story[..=event], whole[..=event]);
        // The last two say that the root has closed and is settled.
        if event + 2 < whole.len() {
            let requested = RunErrorKind::Cancelled(CancelReason::Requested);
            assert_eq!(ended, Err(requested), "{story:?}");
        } else {
            assert_eq!((ended, &story), (Ok(()), &whole));
        }
    }
}

/// Drops what it holds while it is told of a note.
#[derive(Clone, Default)]
struct DropsAtANote(Arc<Mutex<Option<BoxFuture<'static, ()>>>>);

impl Observer for DropsAtANote {
    fn on_event(&self, event: &Event<'_>) {
        if let EventKind::Noted { .. } = event.kind {
            let held = self.0.lock().unwrap().take();
            drop(held);
        }
    }
}

/// A context that is kept.
type Kept = Arc<Mutex<Option<RunContext>>>;

/// A step that leaves its context there and never ends.
fn keeps(kept: &Kept) -> Step<String, String> {
    let kept = kept.clone();
    Step::new(move |cx: RunContext, text: String| {
        *kept.lock().unwrap() = Some(cx);
        forever(text)
    })
}

#[test]
fn an_observer_may_drop_the_run_while_it_is_told_of_it() {
    let (drops, kept) = (DropsAtANote::default(), Kept::default());
    let waits = keeps(&kept);
    let root = Arc::new(move |cx: RunContext, text: String| {
        let waits = waits.clone();
        async move { cx.step("waits", &waits, text).await }
    });
    let (recorder, session) = recorded_by(Loom::builder().observe(drops.clone()));
    let mut run = session.run(root, "go").map(drop).boxed();
    assert!((&mut run).now_or_never().is_none());
    *drops.0.lock().unwrap() = Some(run);
    let kept = kept.lock().unwrap().take().unwrap();
    kept.note("last", &Attributes::new());
    kept.note("later", &Attributes::new());
    assert_eq!(
        story(&recorder),
        [
            "open function",
            "open function/waits",
            "note function/waits last",
            "close function/waits cancelled (dropped)",
            "close function cancelled (dropped)",
            "settled function",
        ]
    );
}

#[test]
fn an_observer_may_drop_a_step_while_it_is_told_of_what_encloses_it() {
    let drops = DropsAtANote::default();
    let holds = drops.clone();
    let root = move |cx: RunContext, text: String| {
        let holds = holds.clone();
        async move {
            let held = cx.clone();
            let held = async move { held.step("held", &forever, "x").await };
            let mut held = held.map(drop).boxed();
            assert!((&mut held).now_or_never().is_none());
            *holds.0.lock().unwrap() = Some(held);
            cx.note("drop it", &Attributes::new());
            Ok::<_, Error>(text)
        }
    };
    let (recorder, session) = recorded_by(Loom::builder().observe(drops));
    block_on(session.run(&root, "go")).unwrap();
    assert_eq!(
        story(&recorder),
        [
            "open function",
            "open function/held",
            "close function/held cancelled (dropped)",
            "note function drop it",
            "close function completed",
            "settled function",
        ]
    );
}

/// A task that is polled by whoever wakes it, inside `wake`.
struct PolledInWake {
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    again: AtomicBool,
}

impl PolledInWake {
    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        let task = Arc::new(Self {
            future: Mutex::new(Some(future.boxed())),
            again: AtomicBool::new(false),
        });
        task.wake();
    }
}

impl Wake for PolledInWake {
    fn wake(self: Arc<Self>) {
        let Some(mut future) = self.future.lock().unwrap().take() else {
            self.again.store(true, Ordering::Relaxed);
            return;
        };
        let waker = Waker::from(self.clone());
        let mut task = Context::from_waker(&waker);
        while future.as_mut().poll(&mut task).is_pending() {
            if !self.again.swap(false, Ordering::Relaxed) {
                *self.future.lock().unwrap() = Some(future);
                return;
            }
        }
    }
}

/// What a task ended with.
type Came<T> = Arc<Mutex<Option<T>>>;

/// Runs the future as such a task; what comes of it is there when it has ended.
fn polled_in_wake<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Came<T> {
    let came = Came::default();
    let keeps = came.clone();
    PolledInWake::spawn(async move {
        let output = future.await;
        *keeps.lock().unwrap() = Some(output);
    });
    came
}

#[test]
fn a_run_and_a_step_that_was_moved_from_it_may_be_polled_inside_wake() {
    let moved: Came<Came<Result<String>>> = Came::default();
    let moves = moved.clone();
    let root = Arc::new(move |cx: RunContext, text: String| {
        let step = async move { cx.step("moved", &forever, "x").await };
        *moves.lock().unwrap() = Some(polled_in_wake(step));
        forever(text)
    });
    let (recorder, session) = recorded();
    let run = session.run(root, "go");
    let handle = run.handle();
    let ended = polled_in_wake(run);
    assert!(ended.lock().unwrap().is_none());
    handle.cancel();
    let ended = ended.lock().unwrap().take().unwrap().unwrap_err();
    assert_eq!(
        ended.kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    let moved = moved.lock().unwrap().take().unwrap();
    let moved = moved.lock().unwrap().take().unwrap().unwrap_err();
    assert_eq!(moved.kind(), ErrorKind::Stopped);
    assert_eq!(
        story(&recorder),
        [
            "open function",
            "open function/moved",
            "close function/moved cancelled (requested)",
            "close function cancelled (requested)",
            "settled function",
        ]
    );
}

#[test]
fn a_call_that_waits_for_what_another_gives_back_may_be_polled_inside_wake() {
    let end = Arc::new(Notify::new());
    let ends = end.clone();
    let root = Arc::new(move |cx: RunContext, text: String| {
        let call = |name: &'static str| {
            let (cx, end) = (cx.clone(), ends.clone());
            let effect = Effect::new(EffectKind::Model, name).reserving(100, 0);
            polled_in_wake(async move {
                let body = |cx: RunContext, ()| async move {
                    if name == "first" {
                        end.notified().await;
                    }
                    cx.spend(Tokens::new(50, 0));
                    Ok(())
                };
                cx.perform(effect, (), body).await
            })
        };
        let calls = [call("first"), call("second")];
        let end = ends.clone();
        async move {
            end.notify_one();
            for call in calls {
                call.lock().unwrap().take().unwrap()?;
            }
            Ok::<_, Error>(text)
        }
    });
    let limits = Limits::default().with_tokens_max(100);
    let (recorder, session) = recorded_by(Loom::builder().limits(limits));
    block_on(session.run(root, "go")).unwrap();
    let mut story = story(&recorder);
    assert_eq!(story[..2], ["open function", "open function/model:first"]);
    story.sort();
    assert_eq!(
        story,
        [
            "close function completed",
            "close function/model:first completed",
            "close function/model:second completed",
            "open function",
            "open function/model:first",
            "open function/model:second",
            "settled function",
        ]
    );
}

#[test]
fn a_stream_may_be_polled_inside_wake_while_another_task_tells_of_its_run() {
    let kept = Kept::default();
    let root = Arc::new(keeps(&kept));
    let (recorder, session) = recorded();
    let run = session.run(root, "go");
    let (handle, read) = (run.handle(), Arc::new(Mutex::new(Vec::new())));
    let reads = read.clone();
    PolledInWake::spawn(run.stream().for_each(move |item| {
        reads.lock().unwrap().push(match item {
            StreamItem::Event(event) => {
                serde_json::to_value(event.what).unwrap()["event"].to_string()
            }
            StreamItem::Done(ended) => ended.unwrap_err().kind().as_str().to_owned(),
            _ => unreachable!("an item is an event or the outcome"),
        });
        std::future::ready(())
    }));
    let cx = kept.lock().unwrap().take().unwrap();
    cx.note("remark", &Attributes::new());
    assert_eq!(*read.lock().unwrap(), ["\"opened\"", "\"noted\""]);
    handle.cancel();
    cx.note("late", &Attributes::new());
    assert_eq!(
        *read.lock().unwrap(),
        [
            "\"opened\"",
            "\"noted\"",
            "\"closed\"",
            "\"settled\"",
            "cancelled"
        ]
    );
    assert_eq!(story(&recorder).len(), 4);
}
