//! What happens to an effect that closes just then, in another thread: what is told of it comes
//! before its closing, and a call below it that is refused has taken nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn, yield_now};

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Attributes, Backpressure, Effect, EffectKind, Error, Event, EventKind, Limits, Loom, Note,
    Observer, OwnedEvent, Result, Run, RunContext, Tokens,
};
use loom_testing::Recorder;

use crate::recorded::{recorded_by, story, tree};
use crate::steps::forever;

/// Is told of the note `slow` until it may go on.
struct Holds {
    telling: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Observer for Holds {
    fn on_event(&self, event: &Event<'_>) {
        if let EventKind::Noted {
            note: Note::Custom { name: "slow" },
            ..
        } = event.kind
        {
            self.telling.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
    }
}

/// A run whose step closes while another thread tells of it, and what lets that thread go on.
struct Held {
    recorder: Recorder,
    run: Run<'static, String>,
    release: Sender<()>,
    teller: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// The step returns, or never ends, once the thread is telling of it.
fn held(returns: bool) -> Held {
    let ((telling, told), (release, go_on)) = (channel(), channel());
    let holds = Holds {
        telling,
        go_on: Mutex::new(go_on),
    };
    let (told, teller) = (Arc::new(Mutex::new(told)), Arc::new(Mutex::new(None)));
    let tells = teller.clone();
    let noted = Arc::new(move |cx: RunContext, text: String| {
        let (tells, told) = (tells.clone(), told.clone());
        async move {
            let teller = cx.clone();
            *tells.lock().unwrap() = Some(spawn(move || teller.note("slow", &Attributes::new())));
            told.lock().unwrap().recv().unwrap();
            match returns {
                true => Ok::<_, Error>(text),
                false => forever(text).await,
            }
        }
    });
    let root = move |cx: RunContext, text: String| {
        let noted = noted.clone();
        async move {
            let kept = Arc::new(Mutex::new(None));
            let keeps = kept.clone();
            let noted = move |cx: RunContext, text: String| {
                *keeps.lock().unwrap() = Some(cx.clone());
                noted(cx, text)
            };
            let text = cx.step("noted", &noted, text).await?;
            let kept = kept.lock().unwrap().take().unwrap();
            kept.note("late", &Attributes::new());
            kept.delta("late");
            Ok::<_, Error>(text)
        }
    };
    let (recorder, session) = recorded_by(Loom::builder().observe(holds));
    Held {
        recorder,
        run: session.run(Arc::new(root), "go"),
        release,
        teller,
    }
}

fn joined(teller: &Mutex<Option<JoinHandle<()>>>) {
    teller.lock().unwrap().take().unwrap().join().unwrap();
}

#[test]
fn what_is_told_of_a_step_while_it_closes_comes_before_its_closing_and_nothing_after() {
    let mut held = held(true);
    let ended = (&mut held.run).now_or_never();
    assert!(ended.is_none(), "the run isn't over before all is told");
    assert_eq!(
        held.recorder.tree().lines(),
        [
            "loom.workflow.run function … open",
            "  loom.workflow.step noted … open",
        ]
    );
    held.release.send(()).unwrap();
    assert_eq!(block_on(held.run).unwrap().output, "go");
    joined(&held.teller);
    assert_eq!(
        story(&held.recorder),
        [
            "open function",
            "open function/noted",
            "note function/noted slow",
            "close function/noted completed",
            "close function completed",
            "settled function",
        ]
    );
}

#[test]
fn what_is_told_of_a_step_while_its_run_is_dropped_comes_before_its_closing() {
    let mut held = held(false);
    assert!((&mut held.run).now_or_never().is_none());
    drop(held.run);
    assert_eq!(held.recorder.events().len(), 2, "the last to tell reports");
    held.release.send(()).unwrap();
    joined(&held.teller);
    assert_eq!(
        story(&held.recorder),
        [
            "open function",
            "open function/noted",
            "note function/noted slow",
            "close function/noted cancelled (dropped)",
            "close function cancelled (dropped)",
            "settled function",
        ]
    );
}

/// Counts who is about to be let through.
#[derive(Clone, Default)]
struct Turnstile(Arc<AtomicUsize>);

impl Backpressure for Turnstile {
    async fn ready(&self) -> Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// A model call that reserves all there is, and takes it.
async fn call(cx: &RunContext) -> Result<()> {
    let effect = Effect::new(EffectKind::Model, "opus").reserving(100, 0);
    cx.perform(effect, (), |cx, ()| async move {
        cx.spend(Tokens::new(100, 0));
        Ok(())
    })
    .await
}

#[test]
fn a_call_below_a_step_that_closes_meanwhile_has_either_opened_or_taken_nothing() {
    for _ in 0..300 {
        let turnstile = Turnstile::default();
        // The run, its step and one call: a refused one is none.
        let limits = Limits::default().with_tokens_max(100).with_effects_max(3);
        let loom = Loom::builder().limits(limits);
        let (recorder, session) = recorded_by(loom.backpressure(turnstile.clone()));
        let left: Arc<Mutex<Option<JoinHandle<Result<()>>>>> = Arc::default();
        let leaves = left.clone();
        let closes = Arc::new(move |cx: RunContext, _: ()| {
            let before = turnstile.0.load(Ordering::SeqCst);
            let late = move || block_on(call(&cx));
            *leaves.lock().unwrap() = Some(spawn(late));
            while turnstile.0.load(Ordering::SeqCst) == before {
                yield_now();
            }
            std::future::ready(Ok::<_, Error>(()))
        });
        let root = move |cx: RunContext, _: ()| {
            let (closes, left) = (closes.clone(), left.clone());
            async move {
                cx.step("closes", &*closes, ()).await?;
                let late = left.lock().unwrap().take().unwrap();
                let _either = late.join().unwrap();
                call(&cx).await
            }
        };
        let ended = block_on(session.run(&root, ()));
        let is_late = |it: &OwnedEvent| it.path == "function/closes/model:opus";
        let opened = recorder.events().iter().any(is_late);
        assert_eq!(ended.is_ok(), !opened, "{:?}", tree(&recorder));
    }
}
