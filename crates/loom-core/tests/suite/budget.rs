//! A call of a model reserves what it may take, waits its turn where too little is left, and
//! settles what it took.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::{FutureExt, join};
use loom_core::{
    Effect, EffectKind, EffectView, ErrorKind, Gate, Limits, Loom, LoomBuilder, Result, RunContext,
    RunErrorKind, Tokens, Verdict,
};
use tokio::sync::Notify;

use crate::recorded::{limits_noted, recorded_by, story};
use crate::steps::give_way;

/// A call that goes on until it is told to end, and takes so many tokens then.
#[derive(Clone, Default)]
struct Call {
    end: Arc<Notify>,
    takes: Option<u64>,
}

impl Call {
    fn taking(tokens: u64) -> Self {
        Self {
            takes: Some(tokens),
            ..Self::default()
        }
    }

    /// One of which nobody knows what it took.
    fn untold() -> Self {
        Self::default()
    }

    fn end(&self) {
        self.end.notify_one();
    }

    fn call<'a>(
        &'a self,
        cx: &'a RunContext,
        name: &'static str,
        reserved: u64,
    ) -> BoxFuture<'a, Result<()>> {
        let effect = Effect::new(EffectKind::Model, name).reserving(reserved, 0);
        let body = move |cx: RunContext, ()| async move {
            self.end.notified().await;
            if let Some(tokens) = self.takes {
                cx.spend(Tokens::new(tokens, 0));
            }
            Ok(())
        };
        cx.perform(effect, (), body).boxed()
    }
}

fn limited(tokens_max: u64) -> LoomBuilder {
    Loom::builder().limits(Limits::default().with_tokens_max(tokens_max))
}

/// Runs the program under such a limit; its story, without the root's own lines. The run ends with
/// the limit exactly if that was noted, whatever the program returns.
fn played<F>(loom: LoomBuilder, program: F) -> (Vec<String>, Vec<String>)
where
    F: Fn(RunContext, String) -> BoxFuture<'static, Result<String>> + Send + Sync + 'static,
{
    let (recorder, session) = recorded_by(loom);
    let ended = block_on(session.run(&program, "go")).map_err(|ended| ended.kind());
    let noted = limits_noted(&recorder);
    match noted.is_empty() {
        true => assert!(ended.is_ok()),
        false => assert_eq!(ended.unwrap_err(), RunErrorKind::Interrupted),
    }
    let lines = story(&recorder).into_iter();
    let inner = lines.filter_map(|it| {
        let (what, place) = it.split_once(" function/model:")?;
        Some(format!("{what} {place}"))
    });
    (inner.collect(), noted)
}

#[test]
fn a_call_for_which_nothing_is_left_waits_for_what_others_give_back() {
    let (lines, noted) = played(limited(100), |cx, text| {
        Box::pin(async move {
            let (one, two) = (Call::taking(40), Call::taking(60));
            let both = async { join!(one.call(&cx, "one", 100), two.call(&cx, "two", 60)) };
            let (results, ()) = join!(both, async {
                give_way().await;
                one.end();
                two.end();
            });
            results.0?;
            results.1?;
            Ok(text)
        })
    });
    assert_eq!(
        lines,
        [
            "open one",
            "close one completed",
            "open two",
            "close two completed"
        ]
    );
    assert_eq!(noted, Vec::<String>::new());
}

#[test]
fn a_call_for_which_nothing_is_left_is_refused_when_no_other_is_open() {
    let (lines, noted) = played(limited(100), |cx, text| {
        Box::pin(async move {
            let (one, two) = (Call::taking(100), Call::taking(1));
            one.end();
            one.call(&cx, "one", 30).await?;
            two.call(&cx, "two", 1).await?;
            Ok(text)
        })
    });
    assert_eq!(lines, ["open one", "close one completed"]);
    assert_eq!(noted, ["function tokens_max 100"]);
}

/// Calls by their names, polled by hand; one that is done is gone.
struct Calls<'a>(Vec<(&'static str, BoxFuture<'a, Result<()>>)>);

impl Calls<'_> {
    fn poll(&mut self, names: &str) {
        for name in names.split(' ') {
            let Some(i) = self.0.iter().position(|it| it.0 == name) else {
                panic!("{name} is done");
            };
            if let Some(result) = (&mut self.0[i].1).now_or_never() {
                result.unwrap();
                drop(self.0.remove(i));
            }
        }
    }

    fn drop(&mut self, name: &str) {
        self.0.retain(|it| it.0 != name);
    }
}

#[test]
fn those_who_wait_come_in_in_their_order_whoever_is_polled_first() {
    let (lines, _) = played(limited(10), |cx, text| {
        Box::pin(async move {
            let calls = ["a", "b", "c", "d"].map(|name| (name, Call::taking(1)));
            let [a, b, c, d] = &calls;
            let started = calls
                .iter()
                .map(|(name, it)| (*name, it.call(&cx, name, 10)));
            let mut queue = Calls(started.collect());
            queue.poll("a b c d");
            queue.poll("d c b");
            for (ends, rest) in [(a, "d c b"), (b, "d c"), (c, "d")] {
                ends.1.end();
                queue.poll(ends.0);
                queue.poll(rest);
            }
            d.1.end();
            queue.poll("d");
            Ok(text)
        })
    });
    let opened: Vec<_> = lines.iter().filter(|it| it.starts_with("open")).collect();
    assert_eq!(opened, ["open a", "open b", "open c", "open d"]);
    assert_eq!(lines.len(), 8);
}

#[test]
fn a_newcomer_does_not_pass_those_who_wait() {
    let (lines, _) = played(limited(10), |cx, text| {
        Box::pin(async move {
            let calls = ["a", "b", "c"].map(|name| (name, Call::taking(1)));
            let started = calls
                .iter()
                .map(|(name, it)| (*name, it.call(&cx, name, 10)));
            let mut queue = Calls(started.collect());
            queue.poll("a b");
            calls.iter().for_each(|it| it.1.end());
            // Much is given back, and `b` wasn't polled since.
            queue.poll("a c b c");
            Ok(text)
        })
    });
    assert_eq!(
        lines,
        [
            "open a",
            "close a completed",
            "open b",
            "close b completed",
            "open c",
            "close c completed"
        ]
    );
}

#[test]
fn who_stops_waiting_gives_its_place_up() {
    let (lines, noted) = played(limited(10), |cx, text| {
        Box::pin(async move {
            let calls = ["a", "b", "c"].map(|name| (name, Call::taking(1)));
            let started = calls
                .iter()
                .map(|(name, it)| (*name, it.call(&cx, name, 10)));
            let mut queue = Calls(started.collect());
            queue.poll("a b c");
            queue.drop("b");
            calls.iter().for_each(|it| it.1.end());
            queue.poll("a c");
            Ok(text)
        })
    });
    assert_eq!(
        lines,
        ["open a", "close a completed", "open c", "close c completed"]
    );
    assert_eq!(noted, Vec::<String>::new());
}

#[test]
fn who_stops_waiting_made_no_call() {
    let limits = Limits::default()
        .with_tokens_max(10)
        .with_model_calls_max(2);
    let (lines, noted) = played(Loom::builder().limits(limits), |cx, text| {
        Box::pin(async move {
            let calls = ["a", "b", "c"].map(|name| (name, Call::taking(1)));
            let started = calls[..2]
                .iter()
                .map(|(name, it)| (*name, it.call(&cx, name, 10)));
            let mut queue = Calls(started.collect());
            queue.poll("a b");
            queue.drop("b");
            calls.iter().for_each(|it| it.1.end());
            queue.poll("a");
            calls[2].1.call(&cx, "c", 5).await?;
            Ok(text)
        })
    });
    assert_eq!(
        lines,
        ["open a", "close a completed", "open c", "close c completed"]
    );
    assert_eq!(noted, Vec::<String>::new());
}

#[test]
fn what_is_not_told_counts_as_reserved_also_when_the_call_is_dropped_or_fails() {
    let (lines, noted) = played(limited(100), |cx, text| {
        Box::pin(async move {
            let untold = Call::untold();
            untold.end();
            untold.call(&cx, "untold", 40).await?;
            let dropped = Call::taking(0);
            let mut call = dropped.call(&cx, "dropped", 30);
            assert!((&mut call).now_or_never().is_none());
            drop(call);
            let failed = Effect::new(EffectKind::Model, "failed").reserving(20, 0);
            let failed = cx.perform(failed, (), |_, ()| async {
                Err::<(), _>(loom_core::Error::invalid("no"))
            });
            failed.await.unwrap_err();
            let (last, none) = (Call::taking(10), Call::taking(1));
            last.end();
            last.call(&cx, "last", 10).await?;
            none.call(&cx, "none", 1).await.unwrap_err();
            Ok(text)
        })
    });
    assert_eq!(lines.len(), 8, "four were opened and closed: {lines:?}");
    assert_eq!(lines[3], "close dropped cancelled (dropped)");
    assert_eq!(noted, ["function tokens_max 100"]);
}

#[test]
fn what_is_held_is_given_back_when_the_call_closes_also_if_its_context_is_kept() {
    let (lines, noted) = played(limited(100), |cx, text| {
        Box::pin(async move {
            let kept = Arc::new(Mutex::new(None));
            let keeps = kept.clone();
            let effect = Effect::new(EffectKind::Model, "kept").reserving(100, 0);
            let body = move |cx: RunContext, ()| async move {
                cx.spend(Tokens::new(10, 0));
                *keeps.lock().unwrap() = Some(cx);
                Ok(())
            };
            cx.perform(effect, (), body).await?;
            let next = Call::taking(10);
            next.end();
            let next = next.call(&cx, "next", 10).now_or_never();
            assert!(next.is_some_and(|it| it.is_ok()), "it waits for ever");
            drop(kept);
            Ok(text)
        })
    });
    assert_eq!(lines.len(), 4);
    assert_eq!(noted, Vec::<String>::new());
}

/// Denies the model `denied`, when it is told to decide.
#[derive(Clone, Default)]
struct Slow(Arc<Notify>);

impl Gate for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        effect.name() == "denied"
    }

    async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
        self.0.notified().await;
        Verdict::deny("no")
    }

    fn limit(&self) -> Option<Duration> {
        None
    }
}

#[test]
fn a_denied_call_gives_back_what_it_held_to_those_who_wait() {
    let gate = Slow::default();
    let decide = gate.clone();
    let limits = Limits::default()
        .with_tokens_max(100)
        .with_model_calls_max(2);
    let loom = Loom::builder().limits(limits).gate(gate);
    let (lines, noted) = played(loom, move |cx, text| {
        let decide = decide.clone();
        Box::pin(async move {
            let (denied, next) = (Call::taking(1), Call::taking(100));
            next.end();
            let both =
                async { join!(denied.call(&cx, "denied", 100), next.call(&cx, "next", 100)) };
            let ((denied, next), ()) = join!(both, async {
                give_way().await;
                decide.0.notify_one();
            });
            assert_eq!(denied.unwrap_err().kind(), ErrorKind::Denied);
            next?;
            Ok(text)
        })
    });
    assert_eq!(
        lines,
        [
            "open denied",
            "gate denied slow denies: no",
            "close denied denied",
            "open next",
            "close next completed",
        ]
    );
    assert_eq!(noted, Vec::<String>::new());
}

#[test]
fn a_reply_may_take_more_than_was_reserved_and_the_next_is_refused() {
    let (lines, noted) = played(limited(100), |cx, text| {
        Box::pin(async move {
            let (long, next) = (Call::taking(150), Call::taking(1));
            long.end();
            long.call(&cx, "long", 50).await?;
            next.call(&cx, "next", 1).await.unwrap_err();
            Ok(text)
        })
    });
    assert_eq!(lines, ["open long", "close long completed"]);
    assert_eq!(noted, ["function tokens_max 100"]);
}
