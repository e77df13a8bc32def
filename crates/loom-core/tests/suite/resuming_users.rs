//! What was recorded for one user is never used for another, however a resumed run came to act as
//! somebody else.

use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{ErrorKind, Loom, MemoryJournal, Result, RunContext, Session, UserId};

use crate::journaled::{answer_all, asked, run_id};
use crate::recorded::{recorded_by, tree};

type Root = BoxFuture<'static, Result<String>>;

async fn whoami(cx: RunContext, _: ()) -> Result<String> {
    Ok(cx.user().map(ToString::to_string).unwrap_or_default())
}

/// Looks something up as this user, and asks whether to go on.
fn looks_as(user: &'static str) -> impl Fn(RunContext, ()) -> Root + Send + Sync + 'static {
    move |cx, ()| {
        Box::pin(async move {
            let seen = cx
                .acting_as(UserId::new(user)?, "look", &whoami, ())
                .await?;
            cx.ask::<bool>("go_on", "go on?").await?;
            Ok(seen)
        })
    }
}

/// Asks as this user, and gives the answer.
fn asks_as(user: &'static str) -> impl Fn(RunContext, ()) -> Root + Send + Sync + 'static {
    let asks = |cx: RunContext, _: ()| async move {
        let sure: bool = cx.ask("sure", "your card ends in 1234, sure?").await?;
        Ok::<_, loom_core::Error>(sure.to_string())
    };
    move |cx, ()| Box::pin(async move { cx.acting_as(UserId::new(user)?, "ask", &asks, ()).await })
}

fn desk() -> (loom_testing::Recorder, Session) {
    let (recorder, session) = recorded_by(Loom::builder().journal(MemoryJournal::default()));
    (recorder, session.id("desk"))
}

#[test]
fn what_a_step_gave_one_user_is_not_used_again_for_another() {
    block_on(async {
        let (recorder, session) = desk();
        let paused = session.run(&looks_as("bob"), ()).await.unwrap_err();
        answer_all(&session, &paused, true).await;
        let run = run_id(&paused);
        recorder.clear();
        let other = session.resume(&run, &looks_as("mallory")).await;
        let error = other.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.to_string(),
            "function/look: it was recorded for another user: what one is given is never shown to the other"
        );
        assert_eq!(tree(&recorder), ["loom.workflow.run function ✗ failed"]);
        let same = session.resume(&run, &looks_as("bob")).await;
        assert_eq!(same.unwrap().output, "bob", "bob's is bob's still");
    });
}

#[test]
fn what_one_user_answered_is_no_answer_of_another() {
    block_on(async {
        let (_, session) = desk();
        let paused = session.run(&asks_as("bob"), ()).await.unwrap_err();
        answer_all(&session, &paused, true).await;
        let run = run_id(&paused);
        let other = session.resume(&run, &asks_as("mallory")).await;
        let error = other.unwrap_err();
        assert_eq!(asked(&error), ["function/ask/sure#round:2"], "{error}");
        let same = session.resume(&run, &asks_as("bob")).await;
        assert_eq!(same.unwrap().output, "true");
    });
}
