//! What the ledger counts, refunds and reports, and what it never does under its lock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;

const STEP: EffectKind = EffectKind::Step;
const MODEL: EffectKind = EffectKind::Model;
const TOOL: EffectKind = EffectKind::Tool;

fn tokens(tokens: u64) -> Amount {
    Amount {
        tokens,
        cost_micro_usd: 0,
    }
}

fn bounded(tokens_max: u64) -> Arc<Ledger> {
    let limits = Limits::default().with_tokens_max(tokens_max);
    Ledger::new(limits, Spent::default())
}

/// A reservation that is let in at once.
fn reserved(ledger: &Arc<Ledger>, wanted: u64) -> Reservation {
    let reserved = ledger.reserve(tokens(wanted), Vec::new()).now_or_never();
    reserved.expect("it waits").expect("it is refused")
}

type Waits = BoxFuture<'static, Result<Reservation, Reached>>;

fn reserve(ledger: &Arc<Ledger>, wanted: u64, around: &[&Reservation]) -> Waits {
    let around = around.iter().map(|it| it.id()).collect();
    let ledger = ledger.clone();
    async move { ledger.reserve(tokens(wanted), around).await }.boxed()
}

#[test]
fn an_effect_and_its_call_are_counted_together_or_not_at_all() {
    let limits = Limits::default()
        .with_effects_max(2)
        .with_model_calls_max(5);
    let ledger = Ledger::new(limits, Spent::default());
    ledger.count(MODEL).unwrap();
    ledger.count(STEP).unwrap();
    let reached = ledger.count(MODEL).unwrap_err();
    assert_eq!((reached.limit, reached.value), ("effects_max", 2));
    let used = ledger.spent().used;
    assert_eq!((used.effects, used.model_calls), (2, 1));
}

#[test]
fn an_effect_that_never_opened_is_refunded_whole_and_a_denied_one_its_call_alone() {
    let ledger = bounded(10);
    for kind in [STEP, MODEL, TOOL] {
        ledger.count(kind).unwrap();
        ledger.uncount(kind);
    }
    assert_eq!(ledger.spent(), Spent::default());
    for kind in [STEP, MODEL, TOOL] {
        ledger.count(kind).unwrap();
        ledger.refund_call(kind);
    }
    let used = ledger.spent().used;
    assert_eq!((used.effects, used.model_calls, used.tool_calls), (3, 0, 0));
}

#[test]
fn effects_that_are_no_calls_take_no_lock() {
    let ledger = bounded(10);
    let locked = ledger.state();
    ledger.count(STEP).unwrap();
    ledger.count_opening().unwrap();
    ledger.record_call(STEP, &Name::from("step"));
    ledger.refund_call(STEP);
    ledger.uncount(STEP);
    drop(locked);
    assert_eq!(ledger.spent().used.effects, 1);
}

#[test]
fn the_first_limit_that_is_reached_stays_the_one() {
    let limits = Limits::default()
        .with_tool_calls_max(0)
        .with_tokens_max(10)
        .with_effects_max(1);
    let ledger = Ledger::new(limits, Spent::default());
    let first = ledger.count(TOOL).unwrap_err();
    assert_eq!(first.limit, "tool_calls_max");
    assert_eq!(ledger.count(STEP), Err(first));
    assert_eq!(ledger.count(MODEL), Err(first));
    assert_eq!(ledger.count_opening(), Err(first));
    let reserved = ledger.reserve(tokens(1), Vec::new()).now_or_never();
    assert_eq!(reserved.unwrap().err(), Some(first));
}

#[test]
fn all_who_wait_end_with_the_limit_that_is_reached() {
    let limits = Limits::default().with_tokens_max(10).with_tool_calls_max(0);
    let ledger = Ledger::new(limits, Spent::default());
    let _open = reserved(&ledger, 10);
    let mut waiting = [1, 2, 3].map(|n| reserve(&ledger, n, &[]));
    assert!(waiting.iter_mut().all(|it| it.now_or_never().is_none()));
    let first = ledger.count(TOOL).unwrap_err();
    for it in waiting {
        assert_eq!(it.now_or_never().unwrap().err(), Some(first));
    }
}

#[test]
fn a_call_within_a_call_waits_for_others_and_takes_what_they_return() {
    let ledger = bounded(100);
    let (outer, other) = (reserved(&ledger, 40), reserved(&ledger, 60));
    let mut inner = reserve(&ledger, 50, &[&outer]);
    assert!((&mut inner).now_or_never().is_none(), "the other is open");
    other.release();
    let inner = inner.now_or_never().expect("nobody else is open").unwrap();
    assert_eq!(ledger.state().queue.open[&inner.id()].tokens, 50);
}

#[test]
fn a_call_within_a_call_is_refused_when_all_who_hold_something_wait_for_it() {
    let ledger = bounded(100);
    let (one, two) = (reserved(&ledger, 50), reserved(&ledger, 50));
    let mut within_one = reserve(&ledger, 10, &[&one]);
    assert!((&mut within_one).now_or_never().is_none(), "two is open");
    let within_two = reserve(&ledger, 10, &[&two]);
    let reached = Reached {
        limit: "tokens_max",
        value: 100,
    };
    // The second waits its turn, and the first is refused: with it the second.
    let mut within_two = within_two;
    assert!((&mut within_two).now_or_never().is_none());
    for waiting in [within_one, within_two] {
        assert_eq!(waiting.now_or_never().unwrap().err(), Some(reached));
    }
}

/// Finds the ledger unlocked whenever it is woken and when it is dropped.
struct Looks(Arc<Ledger>, Arc<AtomicU32>);

impl Looks {
    fn look(&self) {
        if self.0.state.try_lock().is_ok() {
            self.1.fetch_add(1, Ordering::Relaxed);
        } else {
            self.1.fetch_add(1_000, Ordering::Relaxed);
        }
    }
}

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        self.look();
    }
}

#[test]
fn nobody_is_woken_and_no_waker_dropped_under_the_lock() {
    let limits = Limits::default().with_tokens_max(10).with_tool_calls_max(0);
    let looked = Arc::new(AtomicU32::new(0));
    // Each time it waits twice, so that one waker takes another's place.
    let waits = |ledger: &Arc<Ledger>, waiting: &mut Waits| {
        for _ in 0..2 {
            let waker = Waker::from(Arc::new(Looks(ledger.clone(), looked.clone())));
            let polled = waiting.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
    };
    let ends: [fn(&Arc<Ledger>, Reservation); 4] = [
        |_, open| drop(open),
        |_, open| open.release(),
        |ledger, open| ledger.charge(&Name::from("opus"), Tokens::new(1, 1), Some(&open)),
        |ledger, _| _ = ledger.count(TOOL).unwrap_err(),
    ];
    for end in ends {
        let ledger = Ledger::new(limits, Spent::default());
        let open = reserved(&ledger, 10);
        let mut waiting = reserve(&ledger, 10, &[]);
        waits(&ledger, &mut waiting);
        let mut gone = reserve(&ledger, 10, &[]);
        waits(&ledger, &mut gone);
        drop(gone);
        end(&ledger, open);
        assert!(waiting.now_or_never().is_some());
    }
    // For each end, two wakers of each of two are dropped, and one is woken before.
    let looked = looked.load(Ordering::Relaxed);
    assert_eq!(looked, 4 * (2 * 2 + 1), "thousands were under the lock");
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_asleep() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("it won't wake");
        }
    }
    let limits = Limits::default().with_tokens_max(10).with_tool_calls_max(0);
    let ledger = Ledger::new(limits, Spent::default());
    let _open = reserved(&ledger, 10);
    let woken = Arc::new(AtomicU32::new(0));
    let wakers = [
        Waker::from(Arc::new(Panics)),
        Waker::from(Arc::new(Looks(ledger.clone(), woken.clone()))),
    ];
    let mut waiting = [1, 2].map(|n| reserve(&ledger, n, &[]));
    for (it, waker) in waiting.iter_mut().zip(&wakers) {
        let polled = it.as_mut().poll(&mut Context::from_waker(waker));
        assert!(matches!(polled, Poll::Pending));
    }
    ledger.count(TOOL).unwrap_err();
    assert_eq!(woken.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_not_limited_is_never_reached() {
    let ledger = bounded(100);
    let first = reserved(&ledger, 10);
    let enormous = Tokens::new(1, 1).costing(u64::MAX);
    ledger.charge(&Name::from("opus"), enormous, Some(&first));
    drop(first);
    let second = reserved(&ledger, 10);
    assert_eq!(ledger.spent().used.amount.tokens, 12);
    drop(second);
}

#[test]
fn what_paused_counts_until_the_run_pauses() {
    let (ledger, opus) = (bounded(100), Name::from("opus"));
    for kind in [STEP, TOOL, MODEL] {
        ledger.count(kind).unwrap();
        ledger.record_call(kind, &opus);
        ledger.paused(kind, &opus, true);
    }
    // One that a gate asked about: its call is refunded already.
    ledger.count(MODEL).unwrap();
    ledger.refund_call(MODEL);
    ledger.paused(MODEL, &opus, false);
    let used = ledger.spent().used;
    assert_eq!((used.effects, used.model_calls, used.tool_calls), (4, 1, 1));
    ledger.refund_paused();
    assert_eq!(ledger.spent(), Spent::default());
    ledger.refund_paused();
    assert_eq!(ledger.spent(), Spent::default(), "only once");
}

#[test]
fn an_attempt_is_told_from_the_whole_run_and_the_charge_from_the_report() {
    let opus = Name::from("opus");
    let attempt = |before: Spent, reported: Tokens| {
        let limits = Limits::default().with_tokens_max(1_000);
        let ledger = Ledger::new(limits, before);
        ledger.count(MODEL).unwrap();
        ledger.record_call(MODEL, &opus);
        let reservation = reserved(&ledger, 100);
        ledger.charge(&opus, reported, Some(&reservation));
        drop(reservation);
        ledger
    };
    let first = attempt(Spent::default(), Tokens::default());
    let stored = serde_json::to_value(first.spent()).unwrap();
    let stored = serde_json::from_value(stored).unwrap();
    let second = attempt(stored, Tokens::new(7, 3).costing(5));
    let (whole, latest) = (second.spent(), second.spent_in_attempt());
    let figures = |spent: Spent| {
        let (usage, charged) = spent.reported(second.limits());
        let charged = (charged.effects, charged.tokens, charged.cost_micro_usd);
        (usage.model_calls, usage.input_tokens, charged)
    };
    let unknown = (2, None, (2, Some(110), None));
    assert_eq!(figures(whole), unknown, "no cost bounds the first");
    assert_eq!(figures(latest), (1, Some(7), (1, Some(10), Some(5))));
}
