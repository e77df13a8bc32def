//! An error that a run ended with ends, pauses or decides nothing in the run around it.

use std::error::Error as _;
use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;
use loom_core::{
    BoxError, Branch, Effect, EffectKind, Error, ErrorKind, Limits, Loom, MemoryJournal, Result,
    RunContext, Session, step,
};

use crate::journaled::asked;

/// Two people's: within a run of alice's, one of bob's is begun.
#[derive(Clone)]
struct Desks {
    loom: Loom,
    bob: Session,
}

fn two() -> Desks {
    let loom = Loom::builder().journal(MemoryJournal::default()).build();
    let bob = loom.session("bob").id("bob's");
    Desks { loom, bob }
}

impl Desks {
    /// Asks bob, in a run of his own.
    async fn ask_bob(&self) -> Result<bool> {
        Ok(self.bob.run(&asks, ()).await?.output)
    }

    fn alice(&self) -> Session {
        self.loom.session("alice").id("alice's")
    }
}

async fn asks(cx: RunContext, _: ()) -> Result<bool> {
    cx.ask("sure", "sure?").await
}

/// Begins bob's run within hers and hands on whatever comes of it as an error of this type.
fn begins<E: From<Error> + Send>(
    desks: &Desks,
) -> impl Fn(RunContext, ()) -> BoxFuture<'static, Result<bool, E>> + Clone + Send + Sync + 'static
{
    let desks = desks.clone();
    move |_, ()| {
        let desks = desks.clone();
        async move { Ok(desks.ask_bob().await?) }.boxed()
    }
}

/// Begins bob's run beside a question of hers.
async fn begins_beside(cx: &RunContext, desks: &Desks) -> Result<bool> {
    let branches = [
        Branch::new(cx.step("ask", &asks, ())),
        Branch::new(desks.ask_bob()),
    ];
    Ok(cx.join(8, branches).await?[0])
}

/// Alice's run failed by bob's question, and isn't among those that wait.
async fn assert_failed(desks: &Desks, error: &Error, words: &str) {
    assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
    assert_eq!(error.to_string(), words);
    assert!(error.questions().is_empty() && !error.is_retryable());
    assert_eq!(error.run().unwrap().session_id.as_str(), "alice's");
    let waiting = |session: &Session| {
        let (loom, scope) = (desks.loom.clone(), session.scope().unwrap());
        async move { loom.paused(&scope).await.unwrap().len() }
    };
    assert_eq!(waiting(&desks.alice()).await, 0);
    assert_eq!(waiting(&desks.bob).await, 1, "bob's own still waits");
}

#[tokio::test(start_paused = true)]
async fn a_question_of_another_run_is_a_failure_of_the_step_that_began_it() {
    macro_rules! fails {
        ($($error:ty, $words:literal;)*) => {$(
            let desks = two();
            let wrapped = step(begins::<$error>(&desks)).named("desk").retry(3);
            let error = desks.alice().run(&wrapped, ()).await.unwrap_err();
            assert_failed(&desks, &error, $words).await;
        )*};
    }
    fails! {
        Error, "desk: asks: waits for an answer: sure: sure?";
        Wrapped, "desk: the other desk";
        Labelled, "desk: asking bob";
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_of_another_run_may_be_fallen_back_on() {
    async fn spare(_: ()) -> Result<bool> {
        Ok(false)
    }
    let desks = two();
    let wrapped = step(begins::<Error>(&desks)).or_else(spare);
    let outcome = desks.alice().run(&wrapped, ()).await.unwrap();
    assert!(!outcome.output);
}

#[tokio::test(start_paused = true)]
async fn a_question_of_another_run_is_asked_with_none_of_this_one() {
    let desks = two();
    let both = {
        let desks = desks.clone();
        move |cx: RunContext, ()| {
            let desks = desks.clone();
            async move { begins_beside(&cx, &desks).await }
        }
    };
    let both = step(both).named("both");
    let error = desks.alice().run(&both, ()).await.unwrap_err();
    let words = "both: asks: waits for an answer: sure: sure?";
    assert_failed(&desks, &error, words).await;
}

#[tokio::test(start_paused = true)]
async fn the_error_of_another_run_is_among_the_sources_as_it_was() {
    let desks = two();
    let begun = step(begins::<Error>(&desks));
    let error = desks.alice().run(&begun, ()).await.unwrap_err();
    let source = error.source().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(source.kind(), ErrorKind::Paused);
    assert_eq!(source.run().unwrap().session_id.as_str(), "bob's");
    assert_eq!(asked(source), ["asks/sure"]);
}

/// An error of a program's own that shows what it was made of.
#[derive(Debug)]
struct Wrapped(Error);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other desk")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<Error> for Wrapped {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// One that becomes ours again, in other words.
#[derive(Debug)]
struct Labelled(Error);

impl From<Error> for Labelled {
    fn from(error: Error) -> Self {
        Self(Error::with_source(ErrorKind::Failed, "asking bob", error).retryable(false))
    }
}

impl From<Labelled> for BoxError {
    fn from(labelled: Labelled) -> Self {
        labelled.0.into()
    }
}

#[test]
fn the_limit_that_ended_another_run_is_a_failure_of_the_effect_that_began_it() {
    async fn one(n: u64) -> Result<u64> {
        Ok(n)
    }
    async fn begins_another(cx: RunContext, n: u64) -> Result<String> {
        let outer = Effect::new(EffectKind::Step, "outer");
        let other = cx.perform(outer, |_| async move {
            let limits = Limits::default().with_effects_max(0);
            let session = Loom::builder().build().session("bob").limits(limits);
            Ok(session.run(&one, n).await?.output)
        });
        Ok(format!("{:?}", other.await.unwrap_err().kind()))
    }
    let session = Loom::builder().build().session("alice");
    let outcome = session.run(&begins_another, 1u64).now_or_never();
    assert_eq!(outcome.unwrap().unwrap().output, "Failed");
}
