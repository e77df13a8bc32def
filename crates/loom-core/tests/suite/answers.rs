//! An answer is given to the question that was asked, and an approval to what was approved: to
//! nothing else, however a resumed run differs from the one that paused.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{BoxFuture, pending};
use loom_core::{
    Branch, Effect, ErrorKind, Gate, Loom, MemoryJournal, Result, RunContext, UserId, Verdict,
};

use crate::journaled::{Log, answer_all, run_id, waiting, worker};
use crate::recorded::recorded_by;
use crate::steps::wait;

/// Deletes and sends beside each other, each once it is told that it may; the first time, the
/// one that deletes comes to its question later.
async fn deletes_and_sends(cx: RunContext, _: ()) -> Result<Vec<String>> {
    let cx = &cx;
    let branch = |does: &'static str, polls: u32| {
        Branch::new(async move {
            cx.step(format!("before_{does}"), &wait, polls).await?;
            let may: bool = cx.ask("sure", format!("may it {does}?")).await?;
            Ok(format!("{does}: {may}"))
        })
    };
    cx.join(8, [branch("delete", 3), branch("send", 0)]).await
}

#[test]
fn an_answer_is_never_given_to_the_other_of_two_questions_of_one_name() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let paused = session.run(&deletes_and_sends, ()).await.unwrap_err();
        let questions = paused.questions().iter();
        let bodies: Vec<_> = questions.map(|it| it.body.as_str()).collect();
        assert_eq!(bodies, ["may it send?", "may it delete?"]);
        let run_id = run_id(&paused);
        for question in paused.questions() {
            let may = question.body == "may it send?";
            let answered = session.answer(&run_id, &question.path, may).await;
            answered.unwrap();
        }
        // The steps before are replayed now, so that the one that deletes asks first.
        let resumed = session.resume::<(), _, _>(&run_id, &deletes_and_sends);
        let error = resumed.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let expected = "the answer to \"sure\" was given to another question";
        assert!(error.message().starts_with(expected), "{error}");
    });
}

#[test]
fn a_question_whose_text_changed_refuses_the_old_answer() {
    let asks = |text: &'static str| {
        move |cx: RunContext, _: ()| async move { cx.ask::<bool>("sure", text).await }
    };
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let paused = session.run(&asks("Pay 5?"), ()).await.unwrap_err();
        answer_all(&session, &paused, true).await;
        let run_id = run_id(&paused);
        let changed = session
            .resume::<(), _, _>(&run_id, &asks("Pay 5000?"))
            .await;
        assert_eq!(changed.unwrap_err().kind(), ErrorKind::Invalid);
        let same = session.resume::<(), _, _>(&run_id, &asks("Pay 5?")).await;
        assert!(same.unwrap().output, "what was asked is answered still");
    });
}

/// Wants somebody asked about the step `pay`.
struct Desk;

impl Gate for Desk {
    fn name(&self) -> &str {
        "desk"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        effect.name() == "pay"
    }

    async fn check(&self, _cx: &RunContext, _effect: &Effect) -> Verdict {
        Verdict::Ask("may it?".into())
    }
}

/// Runs the step `pay` for this user.
fn pays(
    log: &Log,
    user: &'static str,
    what: &'static str,
) -> impl Fn(RunContext, ()) -> BoxFuture<'static, Result<String>> + Send + Sync + 'static {
    let log = log.clone();
    move |cx, ()| {
        let pay = log.step("pay");
        Box::pin(async move { cx.acting_as(UserId::new(user)?, "pay", &pay, what).await })
    }
}

#[test]
fn an_approval_of_a_step_holds_for_that_input_and_user_only() {
    block_on(async {
        let log = Log::default();
        for (user, what, bodies) in [("bob", "5", 1), ("bob", "5000", 0), ("mallory", "5", 0)] {
            let loom = Loom::builder().gate(Desk);
            let (_, session) = recorded_by(loom.journal(MemoryJournal::default()));
            let session = session.id("desk");
            let paused = session.run(&pays(&log, "bob", "5"), ()).await.unwrap_err();
            assert_eq!(paused.kind(), ErrorKind::Paused);
            answer_all(&session, &paused, true).await;
            let other = pays(&log, user, what);
            let resumed = session.resume::<(), _, _>(&run_id(&paused), &other).await;
            match resumed {
                Ok(outcome) => assert_eq!(outcome.output, "5 pay"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Denied, "{user} {what}"),
            }
            assert_eq!(log.take().len(), bodies, "{user} {what}");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_resumed_in_vain_still_waits_for_its_answer() {
    let asks = |cx: RunContext, _: ()| async move { cx.ask::<bool>("sure", "sure?").await };
    let hangs = |_: RunContext, _: ()| pending::<Result<bool>>();
    let journal = Arc::new(MemoryJournal::default());
    let (_, session) = worker(&journal);
    let paused = session.run(&asks, ()).await.unwrap_err();
    let (run_id, scope) = (run_id(&paused), session.scope().unwrap());
    let waited = waiting(&journal, &scope).await;
    assert_eq!(waited[0].questions, paused.questions());

    let hurried = session.clone().deadline(Duration::from_secs(1));
    let resumed = hurried.resume::<(), _, _>(&run_id, &hangs).await;
    assert_eq!(resumed.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(waiting(&journal, &scope).await, waited);

    answer_all(&session, &paused, true).await;
    let resumed = session.resume::<(), _, _>(&run_id, &asks).await;
    assert!(resumed.unwrap().output);
    assert_eq!(waiting(&journal, &scope).await, []);
}
