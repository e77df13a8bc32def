//! An answer is given to the question that was asked, and an approval to what was approved: to
//! nothing else, however a resumed run differs from the one that paused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{BoxFuture, pending};
use loom_core::{
    Branch, CancelReason, Effect, EffectView, ErrorKind, Gate, Loom, MemoryJournal, Result,
    RunContext, RunErrorKind, UserId, Verdict,
};

use crate::journaled::{Log, answer_all, asked, run_id, waiting, worker};
use crate::recorded::recorded_by;
use crate::steps::wait;

/// Deletes and sends concurrently, each once it may; the first time, the one that deletes comes to
/// its question later.
async fn deletes_and_sends(cx: RunContext, _: ()) -> Result<Vec<String>> {
    let branch = |does: &'static str, polls: u32| {
        Branch::new(move |cx| async move {
            cx.step("before", &wait, polls).await?;
            let may: bool = cx.ask("sure", "Sure?").await?;
            Ok(format!("{does}: {may}"))
        })
    };
    cx.join(8, [branch("delete", 3), branch("send", 0)]).await
}

#[test]
fn c01_each_of_two_questions_of_one_name_in_branches_gets_its_own_answer() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let paused = session.run(&deletes_and_sends, ()).await.unwrap_err();
        let [sends, deletes] = ["deletes_and_sends/[1]/sure", "deletes_and_sends/[0]/sure"];
        assert_eq!(asked(&paused), [sends, deletes]);
        let run = run_id(&paused);
        session.answer(&run, sends, true).await.unwrap();
        session.answer(&run, deletes, false).await.unwrap();
        // The steps before are replayed now, so that the one that deletes asks first.
        let resumed = session.resume(&run, &deletes_and_sends).await.unwrap();
        assert_eq!(resumed.output, ["delete: false", "send: true"]);
    });
}

#[test]
fn c01_a_question_beside_another_part_of_the_same_context_is_invalid_and_tells_how_to_ask() {
    async fn asks_twice(cx: RunContext, _: ()) -> Result<bool> {
        let asks = |polls: u32| async move { wait(polls).await };
        let one = async {
            asks(3).await?;
            cx.ask::<bool>("approve", "Sure?").await
        };
        let other = cx.ask::<bool>("approve", "Sure?");
        let (one, other) = futures::join!(one, other);
        other.and(one)
    }
    async fn asks_beside_a_step(cx: RunContext, _: ()) -> Result<bool> {
        let (step, asked) = futures::join!(
            cx.step("slow", &wait, 3u32),
            cx.ask::<bool>("sure", "Sure?")
        );
        step?;
        asked
    }
    block_on(async {
        let (_, session) = worker(&Arc::default());
        let paused = session.run(&asks_twice, ()).await.unwrap_err();
        assert_eq!(paused.kind(), RunErrorKind::Paused, "the first one asked");
        let invalid = session.run(&asks_beside_a_step, ()).await.unwrap_err();
        assert_eq!(
            (invalid.error().kind(), invalid.message()),
            (
                ErrorKind::Invalid,
                "\"sure\" is asked while another effect or question of the same context is under way: ask in a branch (`cx.join`, `cx.branches`), with the context it is handed"
            )
        );
    });
}

#[test]
fn a_question_whose_text_changed_is_asked_anew_and_the_old_answer_stays_with_the_old_text() {
    let asks = |text: &'static str| {
        move |cx: RunContext, _: ()| async move { cx.ask::<bool>("sure", text).await }
    };
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let paused = session.run(&asks("Pay 5?"), ()).await.unwrap_err();
        answer_all(&session, &paused, true).await;
        let run = run_id(&paused);
        let changed = session.resume(&run, &asks("Pay 5000?")).await.unwrap_err();
        assert_eq!(asked(&changed), ["function/sure#round:2"]);
        assert_eq!(changed.questions()[0].body, "Pay 5000?");
        let same = session.resume(&run, &asks("Pay 5?")).await;
        assert!(same.unwrap().output, "what was asked is answered still");
    });
}

#[test]
fn c02_a_question_whose_text_differs_at_each_try_is_asked_in_further_rounds() {
    let tries = AtomicU32::new(0);
    let asks = move |cx: RunContext, _: ()| {
        let try_ = tries.fetch_add(1, Ordering::Relaxed).min(2);
        async move {
            cx.ask::<bool>("sure", format!("It is 12:0{try_}. Sure?"))
                .await
        }
    };
    block_on(async {
        let (_, session) = worker(&Arc::default());
        let mut came_out = session.run(&asks, ()).await;
        let mut questions = Vec::new();
        while let Err(paused) = came_out {
            let [question] = paused.questions() else {
                panic!("one question: {paused}")
            };
            questions.push(format!("{} {}", question.path, question.body));
            answer_all(&session, &paused, true).await;
            came_out = session.resume(&run_id(&paused), &asks).await;
        }
        assert_eq!(
            questions,
            [
                "function/sure It is 12:00. Sure?",
                "function/sure#round:2 It is 12:01. Sure?",
                "function/sure#round:3 It is 12:02. Sure?",
            ]
        );
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

    async fn check(&self, _cx: &EffectView, _effect: &Effect) -> Verdict {
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
            assert_eq!(paused.kind(), RunErrorKind::Paused);
            answer_all(&session, &paused, true).await;
            let other = pays(&log, user, what);
            let resumed = session.resume(&run_id(&paused), &other).await;
            match resumed {
                Ok(outcome) => assert_eq!(outcome.output, "5 pay"),
                Err(error) => assert_eq!(error.error().kind(), ErrorKind::Denied, "{user} {what}"),
            }
            assert_eq!(log.take().len(), bodies, "{user} {what}");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_resumed_in_vain_asks_again_once_its_caller_resumes_it() {
    let asks = |cx: RunContext, _: ()| async move { cx.ask::<bool>("sure", "sure?").await };
    let hangs = |_: RunContext, _: ()| pending::<Result<bool>>();
    let journal = Arc::new(MemoryJournal::default());
    let (_, session) = worker(&journal);
    let paused = session.run(&asks, ()).await.unwrap_err();
    let (run_id, scope) = (run_id(&paused), session.scope().unwrap());
    assert_eq!(
        waiting(&journal, &scope).await[0].questions,
        paused.questions()
    );

    let hurried = session.clone().deadline(Duration::from_secs(1));
    let cancelled = hurried.resume(&run_id, &hangs).await.unwrap_err();
    assert_eq!(
        cancelled.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(waiting(&journal, &scope).await, [], "it is cancelled");

    let again = session.resume(&run_id, &asks).await.unwrap_err();
    assert_eq!(again.questions(), paused.questions());
    answer_all(&session, &again, true).await;
    assert!(session.resume(&run_id, &asks).await.unwrap().output);
    assert_eq!(waiting(&journal, &scope).await, []);
}
