//! Any sequence of calls that reserve, settle, fail, are denied or dropped keeps to the budget,
//! lets calls in in their order, and leaves nobody waiting for ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Effect, EffectKind, EffectView, Error, ErrorKind, Event, EventKind, Gate, Limits, Loom,
    Observer, Result, RunContext, RunErrorKind, Tokens, Verdict,
};
use proptest::prelude::*;
use tokio::sync::Notify;

/// How a call ends once it is told to.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Takes(u64),
    Untold,
    Fails,
    Denied,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    /// A further call begins that wants so many tokens.
    Begin(u64, Fate),
    /// One of the calls so far is told to end.
    End(usize),
    /// One of the calls so far is dropped.
    Drop(usize),
}

const TOKENS_MAX: u64 = 100;

fn op() -> impl Strategy<Value = Op> {
    let tokens = || prop_oneof![0..20u64, 0..150u64];
    let fate = prop_oneof![
        4 => tokens().prop_map(Fate::Takes),
        1 => Just(Fate::Untold),
        1 => Just(Fate::Fails),
        1 => Just(Fate::Denied),
    ];
    prop_oneof![
        4 => (tokens(), fate).prop_map(|(wants, fate)| Op::Begin(wants, fate)),
        3 => any::<usize>().prop_map(Op::End),
        1 => any::<usize>().prop_map(Op::Drop),
    ]
}

/// Whether a call was woken; only then is it polled, as an executor would.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The numbers of the calls that were opened, in order.
#[derive(Clone, Default)]
struct Opened(Arc<Mutex<Vec<usize>>>);

impl Observer for Opened {
    fn on_event(&self, event: &Event<'_>) {
        if let (EventKind::Opened { .. }, Some(at)) = (&event.kind, event.effect().at()) {
            self.0.lock().unwrap().push(at.parse().unwrap());
        }
    }
}

/// Tells each call when to end, and denies those that are to be denied.
#[derive(Clone)]
struct Ends(Arc<Vec<Notify>>);

impl Gate for Ends {
    fn name(&self) -> &str {
        "ends"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        effect.name() == "denied"
    }

    async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
        let index: usize = effect.at().unwrap().parse().unwrap();
        self.0[index].notified().await;
        Verdict::deny("no")
    }

    fn limit(&self) -> Option<Duration> {
        None
    }
}

struct Call<'a> {
    future: Option<BoxFuture<'a, Result<()>>>,
    woken: Arc<Woken>,
    wants: u64,
    fate: Fate,
    held: Option<u64>,
}

/// The calls, and by hand what they should have used and reserved.
struct Play<'a> {
    cx: &'a RunContext,
    ends: &'a Ends,
    opened: &'a Opened,
    calls: Vec<Call<'a>>,
    seen: usize,
    used: u64,
    excess: u64,
    refused: bool,
}

impl<'a> Play<'a> {
    fn begin(&mut self, wants: u64, fate: Fate) {
        let index = self.calls.len();
        let name = if let Fate::Denied = fate {
            "denied"
        } else {
            "opus"
        };
        let effect = Effect::new(EffectKind::Model, name).at_index(index);
        let ends = self.ends;
        let body = move |cx: RunContext, ()| async move {
            ends.0[index].notified().await;
            match fate {
                Fate::Takes(tokens) => cx.spend(Tokens::new(tokens, 0)),
                Fate::Fails => return Err(Error::invalid("no")),
                Fate::Untold | Fate::Denied => (),
            }
            Ok(())
        };
        let future = self.cx.perform(effect.reserving(wants, 0), (), body);
        self.calls.push(Call {
            future: Some(future.boxed()),
            woken: Arc::new(Woken(AtomicBool::new(true))),
            wants,
            fate,
            held: None,
        });
    }

    fn drop_call(&mut self, index: usize) {
        let call = &mut self.calls[index];
        if call.future.take().is_some()
            && let Some(held) = call.held.take()
        {
            // One that waits for its gate was never made.
            self.used += if let Fate::Denied = call.fate {
                0
            } else {
                held
            };
        }
    }

    /// Polls who was woken, until nobody is.
    fn run(&mut self) {
        while let Some(index) = self
            .calls
            .iter()
            .position(|it| it.future.is_some() && it.woken.0.swap(false, Ordering::Relaxed))
        {
            self.poll(index);
            self.check();
        }
    }

    fn poll(&mut self, index: usize) {
        let call = &mut self.calls[index];
        let waker = Waker::from(call.woken.clone());
        let Some(future) = &mut call.future else {
            return;
        };
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        self.let_in();
        let Poll::Ready(result) = polled else { return };
        let call = &mut self.calls[index];
        call.future = None;
        match call.held.take() {
            Some(held) => {
                let took = match call.fate {
                    Fate::Takes(tokens) => tokens,
                    Fate::Untold | Fate::Fails => held,
                    Fate::Denied => 0,
                };
                self.used += took;
                self.excess += took.saturating_sub(held);
            }
            None => {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Stopped);
                assert!(self.refused || self.open() == 0, "others could give back");
                assert!(self.refused || self.used >= TOKENS_MAX, "some was left");
                self.refused = true;
            }
        }
    }

    /// Notes who was opened since.
    fn let_in(&mut self) {
        let opened = self.opened.0.lock().unwrap()[self.seen..].to_vec();
        self.seen += opened.len();
        for index in opened {
            assert!(!self.refused, "the tree had ended");
            let waits = |it: &Call<'_>| it.future.is_some() && it.held.is_none();
            assert!(!self.calls[..index].iter().any(waits), "{index} passed one");
            assert!(self.used < TOKENS_MAX, "nothing was left for {index}");
            let held = self.calls[index].wants.min(TOKENS_MAX - self.used);
            self.calls[index].held = Some(held);
        }
    }

    fn open(&self) -> usize {
        self.calls.iter().filter(|it| it.held.is_some()).count()
    }

    fn reserved(&self) -> u64 {
        self.calls.iter().filter_map(|it| it.held).sum()
    }

    fn check(&self) {
        let (used, reserved, excess) = (self.used, self.reserved(), self.excess);
        assert!(
            used + reserved <= TOKENS_MAX + excess,
            "used {used} reserved {reserved} excess {excess}"
        );
    }

    /// Whether somebody waits though nobody is open who could give back.
    fn is_stuck(&self) -> bool {
        self.open() == 0 && self.calls.iter().any(|it| it.future.is_some())
    }
}

/// Whether the limit was reached.
fn play(cx: &RunContext, ends: &Ends, opened: &Opened, ops: &[Op]) -> bool {
    let mut play = Play {
        cx,
        ends,
        opened,
        calls: Vec::new(),
        seen: 0,
        used: 0,
        excess: 0,
        refused: false,
    };
    for op in ops {
        let begun = play.calls.len();
        match *op {
            Op::Begin(wants, fate) => play.begin(wants, fate),
            Op::End(n) if begun > 0 => ends.0[n % begun].notify_one(),
            Op::Drop(n) if begun > 0 => play.drop_call(n % begun),
            Op::End(_) | Op::Drop(_) => (),
        }
        play.run();
        assert!(!play.is_stuck(), "after {op:?}");
    }
    for end in ends.0.iter() {
        end.notify_one();
        play.run();
    }
    assert!(
        play.calls.iter().all(|it| it.future.is_none()),
        "somebody waits for ever"
    );
    play.refused
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f071_any_sequence_of_calls_keeps_to_the_budget_and_leaves_nobody_waiting(
        ops in proptest::collection::vec(op(), 1..60),
    ) {
        let opened = Opened::default();
        let ends = Ends(Arc::new(ops.iter().map(|_| Notify::new()).collect()));
        let loom = Loom::builder()
            .limits(Limits::default().with_tokens_max(TOKENS_MAX))
            .observe(opened.clone())
            .gate(ends.clone())
            .build();
        let refused = Arc::new(AtomicBool::new(false));
        let is_refused = refused.clone();
        let root = move |cx: RunContext, _: String| {
            is_refused.store(play(&cx, &ends, &opened, &ops), Ordering::Relaxed);
            std::future::ready(Ok::<_, Error>(()))
        };
        let played = block_on(loom.session("alice").run(&root, "go"));
        let ended = played.map(drop).map_err(|ended| ended.kind());
        let expected = match refused.load(Ordering::Relaxed) {
            true => Err(RunErrorKind::Interrupted),
            false => Ok(()),
        };
        prop_assert_eq!(ended, expected);
    }
}
