//! An answer that isn't of the type that was asked for is no answer: the run asks again.

use std::sync::Arc;

use futures::executor::block_on;
use loom_core::{ErrorKind, MemoryJournal, Result, RunContext, RunErrorKind};

use crate::journaled::{run_id, waiting, worker};
use crate::recorded::story;

async fn asks(cx: RunContext, _: ()) -> Result<bool> {
    cx.ask("sure", "sure?").await
}

#[test]
fn a_mistyped_answer_is_asked_for_again_until_it_fits() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (recorder, session) = worker(&journal);
        let paused = session.run(&asks, ()).await.unwrap_err();
        let (run, scope) = (run_id(&paused), session.scope().unwrap());
        let mut path = paused.questions()[0].path.clone();
        for round in 2..5 {
            session.answer(&run, &path, "yes".to_owned()).await.unwrap();
            recorder.clear();
            let again = session.resume(&run, &asks).await.unwrap_err();
            assert_eq!(again.kind(), RunErrorKind::Paused);
            assert_eq!(
                story(&recorder)[1..],
                [
                    "note asks resumed",
                    "ask asks sure",
                    "close asks paused",
                    "settled asks"
                ]
            );
            let waits = waiting(&journal, &scope).await;
            let [question] = &waits[0].questions[..] else {
                panic!("one question: {waits:?}")
            };
            assert_eq!(question.path, format!("asks/sure#round:{round}"));
            assert_eq!(question.body, "sure?");
            let again = session.answer(&run, &path, true).await;
            assert_eq!(again.unwrap_err().kind(), ErrorKind::Invalid);
            path.clone_from(&question.path);
        }
        let still = session.resume(&run, &asks).await.unwrap_err();
        assert_eq!(still.kind(), RunErrorKind::Paused, "nobody answered since");
        assert_eq!(still.questions()[0].path, path);
        session.answer(&run, &path, true).await.unwrap();
        let resumed = session.resume(&run, &asks).await;
        assert!(resumed.unwrap().output);
        assert_eq!(waiting(&journal, &scope).await, []);
    });
}

#[test]
fn the_first_of_two_fitting_answers_stays() {
    block_on(async {
        let (_, session) = worker(&Arc::default());
        let paused = session.run(&asks, ()).await.unwrap_err();
        let (run, path) = (run_id(&paused), &paused.questions()[0].path);
        session.answer(&run, path, false).await.unwrap();
        let second = session.answer(&run, path, true).await.unwrap_err();
        assert_eq!(
            (second.kind(), second.message()),
            (
                ErrorKind::Invalid,
                "the question at \"asks/sure\" is answered already"
            )
        );
        let resumed = session.resume(&run, &asks).await;
        assert!(!resumed.unwrap().output);
    });
}
