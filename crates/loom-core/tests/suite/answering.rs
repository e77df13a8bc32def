//! A question is listed and may be answered as long as its run waits for it, and no longer.

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Branch, Error, ErrorKind, JournalRun, MemoryJournal, PausedRun, Result, RunContext, Scope,
};

use crate::journaled::{Log, Refund, asked, rewrite, run_id, waiting, worker};
use crate::steps::give_way;

async fn asks(cx: RunContext, name: &'static str) -> Result<bool> {
    cx.ask(name, "sure?").await
}

async fn asks_two(cx: RunContext, _: ()) -> Result<Vec<bool>> {
    let branches = [
        Branch::new(|cx| asks(cx, "one")),
        Branch::new(|cx| asks(cx, "two")),
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
        assert_eq!(asked(&paused), ["asks_two/[0]/one", "asks_two/[1]/two"]);
        assert_eq!(listed(&journal, &scope).await, asked(&paused));
        session
            .answer(&run, "asks_two/[0]/one", true)
            .await
            .unwrap();
        assert_eq!(listed(&journal, &scope).await, ["asks_two/[1]/two"]);
        session
            .answer(&run, "asks_two/[1]/two", true)
            .await
            .unwrap();
        let none: [&str; 0] = [];
        assert_eq!(
            listed(&journal, &scope).await,
            none,
            "it waits to be resumed"
        );
        let resumed = session.resume(&run, &asks_two).await;
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
        let branches = [Branch::new(|cx| asks(cx, "sure")), Branch::new(|_| fails)];
        cx.join(8, branches).await
    }
    block_on(async {
        let (_, session) = worker(&Arc::default());
        let paused = session.run(&asks_once, ()).await.unwrap_err();
        let run = run_id(&paused);
        session.answer(&run, "asks_once/sure", true).await.unwrap();
        session.resume(&run, &asks_once).await.unwrap();
        assert_eq!(
            refused(session.answer(&run, "asks_once/sure", true).await),
            "the question at \"asks_once/sure\" is answered already"
        );
        let failed = session.run(&fails_beside, ()).await.unwrap_err();
        assert_eq!(failed.message(), "broken");
        let run = run_id(&failed);
        assert_eq!(
            refused(session.answer(&run, "fails_beside/[0]/sure", true).await),
            format!(
                "the run {run} doesn't wait for the question at \"fails_beside/[0]/sure\" any more"
            )
        );
    });
}

#[test]
fn c04_a_run_that_is_answered_while_it_is_under_way_resumes_by_itself() {
    async fn asks_beside(cx: RunContext, _: ()) -> Result<Vec<bool>> {
        let slow = async {
            for _ in 0..9 {
                give_way().await;
            }
            Ok(true)
        };
        let branches = [Branch::new(|cx| asks(cx, "sure")), Branch::new(|_| slow)];
        cx.join(8, branches).await
    }
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let mut run = session.run(&asks_beside, ());
        let run_id = run.handle().run_id().clone();
        assert!((&mut run).now_or_never().is_none());
        let sure = "asks_beside/[0]/sure";
        session.answer(&run_id, sure, true).await.unwrap();
        let second = session.answer(&run_id, sure, false).await;
        assert_eq!(
            refused(second),
            format!("the question at {sure:?} is answered already")
        );
        assert_eq!(run.await.unwrap().output, [true, true], "it saw no pause");
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
        changed.resume(&run, &gives).await.unwrap();
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
        rewrite(&journal, &broken, vec![], |head| head.version = 99).await;
        let listed = waiting(&journal, &scope).await;
        let shown = listed.iter().map(|it| (&it.run_id, it.questions.len()));
        assert!(shown.eq([(&runs[0], 2), (&runs[1], 0), (&runs[2], 2)]));
        let why = listed.iter().map(|it| it.unreadable.as_deref());
        let version = "the journal's record has version 99; this program reads version 1";
        assert!(why.eq([None, Some(version), None]), "{listed:?}");
    });
}
