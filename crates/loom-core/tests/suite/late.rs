//! What is over opens nothing more and lends no capability, also where the journal was slow.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{Error, ErrorKind, Loom, Result, RunContext, Scope};

use crate::journaled::Log;
use crate::recorded::{recorded, recorded_by, story};
use crate::unruly_journals::Slow;

/// A step that is under way, kept beyond the run it was begun in.
type Late = Arc<Mutex<Option<BoxFuture<'static, Result<String>>>>>;

#[test]
fn a_step_that_waited_for_the_journal_opens_nothing_once_the_run_is_over() {
    let (log, late) = (Log::default(), Late::default());
    let (steps, keeps) = (log.clone(), late.clone());
    let root = move |cx: RunContext, _: ()| {
        let (log, keeps) = (steps.clone(), keeps.clone());
        async move {
            let mut late = async move { cx.step("late", &log.step("late"), "go").await }.boxed();
            assert!((&mut late).now_or_never().is_none());
            *keeps.lock().unwrap() = Some(late);
            Ok::<_, Error>(())
        }
    };
    let (recorder, session) = recorded_by(Loom::builder().journal(Slow::default()));
    block_on(session.run(&root, ())).unwrap();
    let late = late.lock().unwrap().take().unwrap();
    assert_eq!(block_on(late).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(log.take(), Vec::<String>::new());
    assert_eq!(
        story(&recorder),
        [
            "open function",
            "close function completed",
            "settled function"
        ]
    );
}

#[test]
fn the_admin_scope_is_not_to_be_had_where_it_can_t_be_recorded() {
    let root = |cx: RunContext, _: ()| async move {
        let keep = Arc::new(Mutex::new(None));
        let keeps = keep.clone();
        let keeper = move |cx: RunContext, _: ()| {
            *keeps.lock().unwrap() = Some(cx);
            std::future::ready(Ok::<_, Error>(()))
        };
        cx.step("keeper", &keeper, ()).await?;
        let kept: RunContext = keep.lock().unwrap().take().unwrap();
        let error = Scope::admin(&kept, "count").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        Scope::admin(&cx, "count").map(drop)
    };
    let (recorder, session) = recorded();
    block_on(session.run(&root, ())).unwrap();
    let notes: Vec<_> = recorder.spans().into_iter().map(|it| it.notes).collect();
    assert_eq!(notes, [vec!["acting_as"], vec![]]);
}
