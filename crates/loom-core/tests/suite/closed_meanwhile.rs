//! A call that is refused because what it stands below closes just then, in another thread, has taken
//! nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn, yield_now};

use futures::executor::block_on;
use loom_core::{
    Attributes, Backpressure, Effect, EffectKind, Error, Event, EventKind, Limits, Loom, Observer,
    Result, RunContext, Tokens,
};

use crate::steps::echo;

/// Is told of the opening of `slow` until it may go on; nothing else opens beside it meanwhile.
struct Holds {
    telling: Sender<()>,
    go_on: Mutex<Receiver<()>>,
    notes: Arc<AtomicUsize>,
}

impl Observer for Holds {
    fn on_event(&self, event: &Event<'_>) {
        match event.kind {
            EventKind::Noted { .. } => drop(self.notes.fetch_add(1, Ordering::SeqCst)),
            EventKind::Opened { .. } if event.effect().name() == "slow" => {
                self.telling.send(()).unwrap();
                self.go_on.lock().unwrap().recv().unwrap();
            }
            _ => (),
        }
    }
}

/// Counts who is about to be let through.
#[derive(Clone, Default)]
struct Turnstile(Arc<AtomicUsize>);

impl Backpressure for Turnstile {
    async fn ready(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A model call that reserves all there is, and takes it.
async fn call(cx: &RunContext) -> Result<()> {
    let effect = Effect::new(EffectKind::Model, "opus").reserving(100, 0);
    cx.perform(effect, |cx| async move {
        cx.spend(Tokens::new(100, 0));
        Ok(())
    })
    .await
}

/// Gives way to the other threads until this is so.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        yield_now();
    }
}

#[test]
fn a_call_below_a_step_that_closes_meanwhile_gives_back_what_it_reserved() {
    let ((telling, told), (release, go_on)) = (channel(), channel());
    let (notes, turnstile) = (Arc::new(AtomicUsize::new(0)), Turnstile::default());
    let holds = Holds {
        telling,
        go_on: Mutex::new(go_on),
        notes: notes.clone(),
    };
    // The run, its step, the step `slow`, and one call: the refused one is none.
    let limits = Limits::default().with_tokens_max(100).with_effects_max(4);
    let loom = Loom::builder().limits(limits).observe(holds);
    let loom = loom.backpressure(turnstile.clone()).build();
    let left: Arc<Mutex<Vec<JoinHandle<Result<()>>>>> = Arc::default();
    let (told, all) = (Arc::new(Mutex::new(told)), left.clone());
    let closes = Arc::new(move |cx: RunContext, text: String| {
        let (slow, late, watched) = (cx.clone(), cx.clone(), cx);
        let mut all = all.lock().unwrap();
        all.push(spawn(move || {
            block_on(slow.step::<String, _, _>("slow", &echo, "x")).map(drop)
        }));
        told.lock().unwrap().recv().unwrap();
        let before = turnstile.0.load(Ordering::SeqCst);
        all.push(spawn(move || block_on(call(&late))));
        wait_until(|| turnstile.0.load(Ordering::SeqCst) > before);
        // It has reserved by then, and waits to be opened; else it is refused earlier.
        (0..10_000).for_each(|_| yield_now());
        let (notes, release) = (notes.clone(), release.clone());
        all.push(spawn(move || {
            wait_until(|| {
                let before = notes.load(Ordering::SeqCst);
                watched.note("open", &Attributes::new());
                notes.load(Ordering::SeqCst) == before
            });
            release.send(()).map_err(Error::from_any)
        }));
        std::future::ready(Ok::<_, Error>(text))
    });
    let root = move |cx: RunContext, text: String| {
        let (closes, left) = (closes.clone(), left.clone());
        async move {
            cx.step::<String, _, _>("closes", &*closes, text).await?;
            let left = std::mem::take(&mut *left.lock().unwrap());
            let ended = left.into_iter().map(|it| it.join().unwrap().is_ok());
            // `slow` may end before it is closed from above.
            assert_eq!(ended.skip(1).collect::<Vec<_>>(), [false, true]);
            call(&cx).await
        }
    };
    block_on(loom.session("alice").run(&root, "go")).unwrap();
}
