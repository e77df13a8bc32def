//! A question is listed and may be answered as long as its run waits for it, and no longer.

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Branch, Error, ErrorKind, Journal, JournalRun, MemoryJournal, PausedRun, Result, RunContext,
    Scope, Slot,
};

use crate::journaled::{Log, Refund, asked, run_id, waiting, worker};
use crate::steps::give_way;

async fn asks(cx: RunContext, name: &'static str) -> Result<bool> {
    cx.ask(name, "sure?").await
}

async fn asks_two(cx: RunContext, _: ()) -> Result<Vec<bool>> {
    let branches = [
        Branch::new(asks(cx.clone(), "one")),
        Branch::new(asks(cx.clone(), "two")),
    ];
    cx.join(8, branches).await
}

/// The paths that the only waiting run of this partition asks.
async fn listed(journal: &Arc<MemoryJournal>, scope: &Scope) -> Vec<String> {
    let runs: Vec<PausedRun> = waiting(journal, scope).await;
    let [run] = &runs[..] else {
        panic!("one run waits: {runs:?}")
    };
    run.questions.iter().map(|it| it.path.clone()).collect()
}

#[test]
fn what_is_answered_is_listed_no_more_and_the_run_until_it_is_resumed() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let scope = session.scope().unwrap();
        let paused = session.run(&asks_two, ()).await.unwrap_err();
        let run = run_id(&paused);
        assert_eq!(asked(&paused), ["asks_two/one", "asks_two/two"]);
        assert_eq!(listed(&journal, &scope).await, asked(&paused));
        session.answer(&run, "asks_two/one", true).await.unwrap();
        assert_eq!(listed(&journal, &scope).await, ["asks_two/two"]);
        session.answer(&run, "asks_two/two", true).await.unwrap();
        let none: [&str; 0] = [];
        assert_eq!(
            listed(&journal, &scope).await,
            none,
            "it waits to be resumed"
        );
        let resumed = session.resume::<(), _, _>(&run, &asks_two).await;
        assert_eq!(resumed.unwrap().output, [true, true]);
        assert_eq!(waiting(&journal, &scope).await, []);
    });
}

fn refused(result: Result<(), Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.message().to_owned()
}

#[test]
fn a_run_that_no_longer_waits_takes_no_answer() {
    async fn asks_once(cx: RunContext, _: ()) -> Result<bool> {
        cx.ask("sure", "sure?").await
    }
    async fn fails_beside(cx: RunContext, _: ()) -> Result<Vec<bool>> {
        let fails = async {
            give_way().await;
            Err(Error::invalid("broken"))
        };
        let branches = [
            Branch::new(asks(cx.clone(), "sure").boxed()),
            Branch::new(fails.boxed()),
        ];
        cx.join(8, branches).await
    }
    block_on(async {
        let (_, session) = worker(&Arc::default());
        let paused = session.run(&asks_once, ()).await.unwrap_err();
        let run = run_id(&paused);
        session.answer(&run, "asks_once/sure", true).await.unwrap();
        session.resume::<(), _, _>(&run, &asks_once).await.unwrap();
        assert_eq!(
            refused(session.answer(&run, "asks_once/sure", true).await),
            "the question at \"asks_once/sure\" is answered already"
        );
        let failed = session.run(&fails_beside, ()).await.unwrap_err();
        assert_eq!(failed.message(), "broken");
        let run = run_id(&failed);
        assert_eq!(
            refused(session.answer(&run, "fails_beside/sure", true).await),
            format!(
                "the run {run} doesn't wait for the question at \"fails_beside/sure\" any more"
            )
        );
    });
}

#[test]
fn a_question_can_be_answered_from_the_moment_it_is_asked() {
    async fn asks_beside(cx: RunContext, _: ()) -> Result<Vec<bool>> {
        let slow = async {
            for _ in 0..9 {
                give_way().await;
            }
            Ok(true)
        };
        let branches = [
            Branch::new(asks(cx.clone(), "sure").boxed()),
            Branch::new(slow.boxed()),
        ];
        cx.join(8, branches).await
    }
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let mut run = session.start(&asks_beside, ());
        let run_id = run.handle().run_id().clone();
        assert!((&mut run).now_or_never().is_none());
        let scope = session.scope().unwrap();
        assert_eq!(listed(&journal, &scope).await, ["asks_beside/sure"]);
        let answered = session.answer(&run_id, "asks_beside/sure", true).await;
        answered.unwrap();
        assert_eq!(run.await.unwrap_err().kind(), ErrorKind::Paused);
        let resumed = session.resume::<(), _, _>(&run_id, &asks_beside).await;
        assert_eq!(resumed.unwrap().output, [true, true]);
    });
}

#[test]
fn a_run_that_gave_its_output_otherwise_takes_no_answer() {
    block_on(async {
        let (journal, log) = (Arc::new(MemoryJournal::default()), Log::default());
        let (_, session) = worker(&journal);
        let paused = session.run(&Refund(log), "go").await.unwrap_err();
        let run = run_id(&paused);
        // Another definition of the same name that never asks.
        let gives = crate::journaled::Renamed("refund");
        let changed = session.clone().accepting_changes();
        changed.resume::<String, _, _>(&run, &gives).await.unwrap();
        assert_eq!(
            refused(session.answer(&run, "refund/sure", true).await),
            format!("the run {run} doesn't wait for the question at \"refund/sure\" any more")
        );
    });
}

#[test]
fn a_run_whose_record_cannot_be_read_hides_no_other() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let scope = session.scope().unwrap();
        let mut runs = Vec::new();
        for _ in 0..3 {
            let paused = session.run(&asks_two, ()).await.unwrap_err();
            runs.push(run_id(&paused));
        }
        let root = runs[1].clone();
        let broken = JournalRun {
            scope: scope.clone(),
            root,
        };
        let lease = journal.claim(&broken).await.unwrap();
        let record = serde_json::json!({"version": 99});
        journal.put(&lease, Slot::Run, record).await.unwrap();
        let listed = waiting(&journal, &scope).await;
        let shown = listed.iter().map(|it| (&it.run_id, it.questions.len()));
        assert!(shown.eq([(&runs[0], 2), (&runs[1], 0), (&runs[2], 2)]));
        let why = listed.iter().map(|it| it.unreadable.as_deref());
        let version = "the journal's record has version 99; this program reads version 1";
        assert!(why.eq([None, Some(version), None]), "{listed:?}");
    });
}
