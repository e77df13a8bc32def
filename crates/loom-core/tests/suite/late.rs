//! What is over does nothing more and lends no capability, also where the journal was slow.

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

/// A run that ends while a call in it waits for a slow journal; what ran of the call, and the story.
fn left_waiting(
    call: fn(Log, RunContext) -> BoxFuture<'static, Result<String>>,
) -> (Vec<String>, Vec<String>) {
    let (log, late) = (Log::default(), Late::default());
    let (steps, keeps) = (log.clone(), late.clone());
    let root = move |cx: RunContext, _: ()| {
        let mut late = call(steps.clone(), cx);
        assert!((&mut late).now_or_never().is_none());
        *keeps.lock().unwrap() = Some(late);
        std::future::ready(Ok::<_, Error>(()))
    };
    let (recorder, session) = recorded_by(Loom::builder().journal(Slow::default()));
    block_on(session.run(&root, ())).unwrap();
    let late = late.lock().unwrap().take().unwrap();
    assert_eq!(block_on(late).unwrap_err().kind(), ErrorKind::Stopped);
    (log.take(), story(&recorder))
}

#[test]
fn a_call_whose_intent_is_being_written_never_happens_once_its_run_is_over() {
    let (ran, story) = left_waiting(|log, cx| {
        Box::pin(async move { log.call(&cx, "late", "go".to_owned()).await })
    });
    assert_eq!(ran, Vec::<String>::new());
    assert_eq!(
        story,
        [
            "open function",
            "open function/tool:late[c1]",
            "gate function/tool:late[c1] permissions allows",
            "close function/tool:late[c1] cancelled (dropped)",
            "close function completed",
            "settled function",
        ]
    );
}

#[test]
fn a_step_whose_output_is_being_written_holds_nobody_up_and_stops_with_its_run() {
    let (ran, story) = left_waiting(|log, cx| {
        Box::pin(async move { cx.step("late", &log.step("late"), "go").await })
    });
    assert_eq!(ran, ["late"]);
    assert_eq!(
        story,
        [
            "open function",
            "open function/late",
            "close function/late cancelled (dropped)",
            "close function completed",
            "settled function",
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
