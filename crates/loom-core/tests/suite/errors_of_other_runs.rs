//! An error that a run ended with ends, pauses or decides nothing in the run around it.

use std::error::Error as _;
use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;
use loom_core::{
    BoxError, Branch, Effect, EffectKind, Error, ErrorKind, Limits, Loom, MemoryJournal, Result,
    RunContext, RunError, Session, step,
};

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
        Branch::new(move |cx: RunContext| async move { cx.step("ask", &asks, ()).await }),
        Branch::new(move |_| desks.ask_bob()),
    ];
    Ok(cx.join(8, branches).await?[0])
}

/// Alice's run failed by bob's question, and isn't among those that wait.
async fn assert_failed(desks: &Desks, error: &RunError, words: &str, begun: usize) {
    assert_eq!(error.error().kind(), ErrorKind::Failed, "{error}");
    assert_eq!(error.to_string(), words);
    assert!(error.questions().is_empty() && error.report().is_some());
    assert_eq!(error.report().unwrap().session_id.as_str(), "alice's");
    let waiting = |session: &Session| {
        let (loom, scope) = (desks.loom.clone(), session.scope().unwrap());
        async move { loom.paused(&scope).await.unwrap().len() }
    };
    assert_eq!(waiting(&desks.alice()).await, 0);
    assert_eq!(waiting(&desks.bob).await, begun, "bob's own still waits");
}

#[tokio::test(start_paused = true)]
async fn a_question_of_another_run_is_a_failure_of_the_step_that_began_it() {
    macro_rules! fails {
        ($($error:ty, $words:literal, $begun:literal;)*) => {$(
            let desks = two();
            let wrapped = step(begins::<$error>(&desks)).named("desk").retry(3);
            let error = desks.alice().run(&wrapped, ()).await.unwrap_err();
            assert_failed(&desks, &error, $words, $begun).await;
        )*};
    }
    fails! {
        Error, "desk: waits for an answer: sure: sure?", 1;
        // An error of the program's own says nothing of what it holds, and is retried.
        Wrapped, "desk: the other desk", 3;
        Labelled, "desk: asking bob", 1;
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
    let words = "both: waits for an answer: sure: sure?";
    assert_failed(&desks, &error, words, 1).await;
}

#[test]
fn the_end_of_another_run_is_not_its_own_source_and_keeps_what_lies_below() {
    async fn reads(_: ()) -> Result<bool, std::io::Error> {
        Err(std::io::Error::other("the disk is full"))
    }
    let ended = Loom::builder()
        .build()
        .session("bob")
        .run(&reads, ())
        .now_or_never();
    let ended = ended.unwrap().unwrap_err();
    assert_eq!(ended.to_string(), "reads: the disk is full");
    let error = Error::from(ended);
    assert_eq!(error.message(), "reads: the disk is full");
    let source = error.source().unwrap();
    assert!(source.downcast_ref::<std::io::Error>().is_some());
    assert!(source.source().is_none());
}

#[test]
fn only_what_can_be_judged_from_outside_keeps_its_kind() {
    let kinds = [
        (ErrorKind::Failed, ErrorKind::Failed, false),
        (ErrorKind::Upstream, ErrorKind::Upstream, true),
        (ErrorKind::Timeout, ErrorKind::Timeout, true),
        (ErrorKind::Invalid, ErrorKind::Invalid, false),
        (ErrorKind::Denied, ErrorKind::Failed, false),
        (ErrorKind::LimitReached, ErrorKind::Failed, false),
        (ErrorKind::Panicked, ErrorKind::Failed, false),
        (ErrorKind::Stopped, ErrorKind::Failed, false),
    ];
    for (kind, seen, retryable) in kinds {
        let fails = move |_: ()| {
            let error = Error::new(kind, "x").retryable(true);
            std::future::ready(Err::<bool, _>(error))
        };
        let ended = Loom::builder()
            .build()
            .session("bob")
            .run(&fails, ())
            .now_or_never();
        let error = Error::from(ended.unwrap().unwrap_err());
        assert_eq!(
            (error.kind(), error.is_retryable()),
            (seen, retryable),
            "{kind:?}"
        );
    }
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
        let other = cx.perform(outer, (), |_, ()| async move {
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
