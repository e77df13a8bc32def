//! Any tree of calls that reserve, within one another and beside one another, settle, are released
//! or dropped in any order: a naive model says after each step who waits and who holds how much.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;
use proptest::prelude::*;

use super::*;

const TOKENS_MAX: u64 = 100;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// A further call begins: within one that is open, or at the top.
    Begin { within: Option<usize>, wants: u64 },
    /// An open call reports what it took, and stays open.
    Settle(usize, u64),
    /// An open call closes, and all within it.
    Close(usize),
    /// An open call turns out not to have been made.
    Release(usize),
    /// One that waits is dropped.
    GiveUp(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let tokens = || prop_oneof![0..20u64, 0..150u64];
    let within = proptest::option::weighted(0.6, any::<usize>());
    prop_oneof![
        6 => (within, tokens()).prop_map(|(within, wants)| Op::Begin { within, wants }),
        3 => (any::<usize>(), tokens()).prop_map(|(n, took)| Op::Settle(n, took)),
        3 => any::<usize>().prop_map(Op::Close),
        1 => any::<usize>().prop_map(Op::Release),
        1 => any::<usize>().prop_map(Op::GiveUp),
    ]
}

/// A call as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Waits,
    Holds(u64),
    Gone,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Call {
    within: Option<usize>,
    wants: u64,
    stage: Stage,
    woken: Arc<Woken>,
    waits: Option<BoxFuture<'static, Result<Reservation, Reached>>>,
    reservation: Option<Reservation>,
}

struct Play {
    ledger: Arc<Ledger>,
    calls: Vec<Call>,
    used: u64,
    /// How much more than they held replies took.
    excess: u64,
    refused: bool,
}

impl Play {
    fn new() -> Self {
        let limits = Limits::default().with_tokens_max(TOKENS_MAX);
        Self {
            ledger: Ledger::new(limits, Spent::default()),
            calls: Vec::new(),
            used: 0,
            excess: 0,
            refused: false,
        }
    }

    fn begin(&mut self, within: Option<usize>, wants: u64) {
        let around = self.around(within);
        let ids = around.iter().map(|it| self.calls[*it].reservation.as_ref());
        let ids: Vec<u64> = ids.flatten().map(Reservation::id).collect();
        assert_eq!(ids.len(), around.len(), "those around are open");
        let (ledger, wanted) = (self.ledger.clone(), tokens(wants));
        let waits = async move { ledger.reserve(wanted, ids).await };
        self.calls.push(Call {
            within,
            wants,
            stage: Stage::Waits,
            woken: Arc::new(Woken(AtomicBool::new(true))),
            waits: Some(waits.boxed()),
            reservation: None,
        });
    }

    fn settle(&mut self, index: usize, took: u64) {
        let reported = Tokens::new(took, 0);
        let reservation = self.calls[index].reservation.as_ref();
        self.ledger
            .charge(&Name::from("opus"), reported, reservation);
        if let Stage::Holds(held) = self.calls[index].stage {
            self.used += took;
            self.excess += took.saturating_sub(held);
            self.calls[index].stage = Stage::Holds(0);
        }
    }

    /// Closes a call, and first all within it, as when its future is dropped.
    fn close(&mut self, index: usize) {
        for inner in index + 1..self.calls.len() {
            if self.calls[inner].within == Some(index) && self.calls[inner].stage != Stage::Gone {
                self.close(inner);
            }
        }
        if let Stage::Holds(held) = self.calls[index].stage {
            self.used += held;
        }
        self.gone(index);
    }

    fn gone(&mut self, index: usize) {
        let call = &mut self.calls[index];
        call.stage = Stage::Gone;
        (call.waits, call.reservation) = (None, None);
    }

    fn release(&mut self, index: usize) {
        // A gate decides before anything happens within the call.
        if !self.calls.iter().any(|it| it.within == Some(index)) {
            self.calls[index].reservation.take().unwrap().release();
            self.gone(index);
        }
    }

    /// Polls who was woken, until nobody is: nobody else, as an executor would.
    fn run(&mut self) {
        while let Some(call) = self
            .calls
            .iter_mut()
            .find(|it| it.waits.is_some() && it.woken.0.swap(false, Ordering::Relaxed))
        {
            let waker = Waker::from(call.woken.clone());
            let polled = call.waits.as_mut().map(|it| {
                let mut task = Context::from_waker(&waker);
                it.as_mut().poll(&mut task)
            });
            match polled {
                Some(Poll::Ready(Ok(reservation))) => {
                    (call.waits, call.reservation) = (None, Some(reservation));
                }
                Some(Poll::Ready(Err(_))) => call.waits = None,
                Some(Poll::Pending) | None => (),
            }
        }
    }

    /// What the rules say becomes of those who wait, worked out anew.
    fn expect(&mut self) {
        while let Some(first) = self.of(|it| *it == Stage::Waits).first().copied() {
            if self.refused {
                self.calls[first].stage = Stage::Gone;
                continue;
            }
            let open = self.of(|it| matches!(it, Stage::Holds(_)));
            let waiting = self.of(|it| *it == Stage::Waits);
            let is_waited_in = |open: &usize| {
                let mut waiting = waiting.iter();
                waiting.any(|it| self.around(self.calls[*it].within).contains(open))
            };
            let all_wait = open.iter().all(is_waited_in);
            let left = TOKENS_MAX.saturating_sub(self.used + self.held(&open));
            let around = self.around(self.calls[first].within);
            let ever = TOKENS_MAX.saturating_sub(self.used + self.held(&around));
            let wants = self.calls[first].wants;
            if left > 0 && (all_wait || wants.min(ever) <= left) {
                self.calls[first].stage = Stage::Holds(wants.min(left));
            } else if left == 0 && all_wait {
                self.refused = true;
            } else {
                break;
            }
        }
    }

    fn check(&mut self) {
        self.run();
        self.expect();
        for (index, call) in self.calls.iter().enumerate() {
            let is = (call.waits.is_some(), call.reservation.is_some());
            let expected = match call.stage {
                Stage::Waits => (true, false),
                Stage::Holds(_) => (false, true),
                Stage::Gone => (false, false),
            };
            assert_eq!(is, expected, "call {index}: waits, holds");
        }
        let held = |call: &Call| match (call.stage, &call.reservation) {
            (Stage::Holds(held), Some(reservation)) => Some((reservation.id(), held)),
            _ => None,
        };
        let expected: BTreeMap<u64, u64> = self.calls.iter().filter_map(held).collect();
        let open = self.ledger.state().queue.open.clone();
        let open = open.into_iter().map(|(id, held)| (id, held.tokens));
        assert_eq!(open.collect::<BTreeMap<_, _>>(), expected);
        let reserved: u64 = expected.values().sum();
        assert_eq!(self.ledger.spent().used.amount.tokens, self.used + reserved);
        assert!(self.used + reserved <= TOKENS_MAX + self.excess);
    }

    /// Closes the innermost calls one by one, until all are gone: somebody can always go on.
    fn finish(&mut self, order: &[usize]) {
        for turn in 0.. {
            let open = self.of(|it| matches!(it, Stage::Holds(_)));
            let alive = self.of(|it| *it != Stage::Gone);
            let is_inner = |index: &usize| {
                let within = |it: &usize| self.calls[*it].within == Some(*index);
                !alive.iter().any(within)
            };
            let ready: Vec<usize> = open.into_iter().filter(is_inner).collect();
            match (ready.len(), alive.len()) {
                (_, 0) => break,
                (0, _) => panic!("{} wait for ever", alive.len()),
                (ready_len, _) => self.close(ready[order[turn % order.len()] % ready_len]),
            }
            self.check();
        }
    }

    fn of(&self, is: impl Fn(&Stage) -> bool) -> Vec<usize> {
        let calls = self.calls.iter().enumerate();
        calls
            .filter(|(_, it)| is(&it.stage))
            .map(|it| it.0)
            .collect()
    }

    fn around(&self, within: Option<usize>) -> Vec<usize> {
        std::iter::successors(within, |it| self.calls[*it].within).collect()
    }

    fn held(&self, calls: &[usize]) -> u64 {
        let held = calls.iter().map(|it| match self.calls[*it].stage {
            Stage::Holds(held) => held,
            Stage::Waits | Stage::Gone => 0,
        });
        held.sum()
    }

    fn step(&mut self, op: Op) {
        let open = self.of(|it| matches!(it, Stage::Holds(_)));
        let waiting = self.of(|it| *it == Stage::Waits);
        let pick = |of: &[usize], n: usize| (!of.is_empty()).then(|| of[n % of.len()]);
        match op {
            Op::Begin { within, wants } => {
                self.begin(within.and_then(|n| pick(&open, n)), wants);
            }
            Op::Settle(n, took) => pick(&open, n)
                .into_iter()
                .for_each(|it| self.settle(it, took)),
            Op::Close(n) => pick(&open, n).into_iter().for_each(|it| self.close(it)),
            Op::Release(n) => pick(&open, n).into_iter().for_each(|it| self.release(it)),
            Op::GiveUp(n) => pick(&waiting, n).into_iter().for_each(|it| self.gone(it)),
        }
    }
}

fn tokens(tokens: u64) -> Amount {
    Amount {
        tokens,
        cost_micro_usd: 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_tree_of_calls_keeps_to_the_limit_in_order_and_leaves_nobody_waiting(
        ops in proptest::collection::vec(op(), 1..60),
        order in proptest::collection::vec(any::<usize>(), 1..8),
    ) {
        let mut play = Play::new();
        for op in ops {
            play.step(op);
            play.check();
        }
        play.finish(&order);
    }
}
