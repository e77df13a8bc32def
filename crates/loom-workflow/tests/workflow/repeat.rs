//! A step on its own output, until that is good enough or the cap is reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom_core::{
    Accepts, Attributes, Error, ErrorKind, Happened, Link, MemoryJournal, Result, RunContext,
    RunErrorKind, Runnable, key,
};
use loom_workflow::Workflow;
use serde::{Deserialize, Serialize};

use crate::recorded::{journaled, recorded, tree};

async fn halve(n: u64) -> Result<u64> {
    Ok(n / 2)
}

fn halving(repeat_max: u32) -> Workflow<u64, u64> {
    Workflow::chain("halving")
        .repeat(repeat_max, halve, |n| *n < 2)
        .build()
}

#[tokio::test]
async fn a_step_runs_on_its_own_output_until_that_is_good() {
    let (recorder, session) = recorded();
    let outcome = session.run(&halving(3), 8u64).await.unwrap();
    assert_eq!(outcome.output, 1);
    assert_eq!(outcome.visited, ["halve", "halve", "halve"]);
    let spans = recorder.spans();
    let paths: Vec<&str> = spans.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "halving",
            "halving/halve",
            "halving/halve#2",
            "halving/halve#3"
        ]
    );
}

#[tokio::test]
async fn a_step_runs_at_least_once() {
    let (_, session) = recorded();
    let outcome = session.run(&halving(1), 0u64).await.unwrap();
    assert_eq!(outcome.visited, ["halve"]);
    let error = session.run(&halving(1), 8u64).await.unwrap_err();
    assert_eq!(error.message(), "halve: repeat_max 1 reached");
}

#[tokio::test]
async fn reaching_the_cap_interrupts_the_run_names_the_step_and_is_recorded() {
    let (recorder, session) = recorded();
    let outer = Workflow::chain("outer")
        .then(halving(2))
        .then(halve)
        .build();
    let error = session.run(&outer, 8u64).await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.error().kind(), ErrorKind::LimitReached);
    assert_eq!(
        error.to_string(),
        "outer/halving/halving: halving: halve: repeat_max 2 reached"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run outer ✗ interrupted",
            "  loom.workflow.step halving ✗ interrupted",
            "    loom.workflow.run halving ✗ interrupted",
            "      loom.workflow.step halve",
            "      loom.workflow.step halve",
        ]
    );
    let reached = recorder
        .events()
        .into_iter()
        .filter_map(|it| match it.what {
            Happened::Noted { note, attributes } => Some((it.path, note, attributes)),
            _ => None,
        });
    let facts = Attributes::new()
        .with(key::LIMIT, "repeat_max")
        .with(key::VALUE, 2u64);
    assert_eq!(
        reached.collect::<Vec<_>>(),
        [("outer/halving/halving".to_owned(), "limit_reached", facts)]
    );
}

#[tokio::test]
async fn the_first_failure_ends_the_repeating() {
    async fn minus_two(n: u64) -> Result<u64> {
        n.checked_sub(2).ok_or_else(|| Error::invalid("too small"))
    }
    let (_, session) = recorded();
    let workflow = Workflow::chain("down").repeat(9, minus_two, |n| *n == 0);
    let error = session.run(&workflow.build(), 5u64).await.unwrap_err();
    assert_eq!(error.to_string(), "down/minus_two#3: too small");
    assert_eq!(error.report().unwrap().visited, ["minus_two", "minus_two"]);
}

#[tokio::test]
async fn what_the_step_gives_is_made_into_what_it_takes() {
    #[derive(Serialize, Deserialize)]
    struct Draft(String);

    impl Accepts<String> for Draft {
        fn accept(text: String) -> Self {
            Self(text)
        }
    }
    async fn polish(draft: Draft) -> Result<String> {
        Ok(draft.0 + "!")
    }
    let (_, session) = recorded();
    let workflow = Workflow::chain("polished").repeat(5, polish, |text| text.ends_with("!!"));
    let outcome = session.run(&workflow.build(), "hi").await.unwrap();
    assert_eq!(outcome.output, "hi!!");
}

#[tokio::test]
async fn a_panic_in_the_question_whether_it_is_good_is_an_error_of_the_run() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("halving").repeat(5, halve, |_| panic!("who knows"));
    let error = session.run(&workflow.build(), 8u64).await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Panicked);
    assert_eq!(error.to_string(), "halving: who knows");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run halving ✗ failed",
            "  loom.workflow.step halve",
        ]
    );
}

#[test]
fn its_info_says_that_it_goes_back_to_itself_and_how_often() {
    let workflow = Workflow::chain("both")
        .then(halve)
        .repeat(3, halve, |_| true);
    let info = workflow.then(halve).build().info();
    let parts: Vec<(&str, &str)> = info
        .parts
        .iter()
        .map(|it| (&*it.name, &*it.detail))
        .collect();
    assert_eq!(
        parts,
        [
            ("halve", ""),
            ("halve_2", "at most 3 times"),
            ("halve_3", "")
        ]
    );
    assert_eq!(
        *info.links,
        [
            Link::entry(0),
            Link::new(0, 1),
            Link::new(1, 1).backward(true),
            Link::new(1, 2),
            Link::exit(2),
        ]
    );
    assert!(!info.joins && info.parts.iter().all(|part| !part.joins));
}

#[tokio::test]
async fn a_resumed_run_repeats_none_of_the_recorded_times() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let workflow = Workflow::chain("halving")
        .then_fn("begin", |_cx, n: u64| async move { Ok::<_, Error>(n) })
        .repeat(
            9,
            move |cx: RunContext, n: u64| {
                counted.fetch_add(1, Ordering::Relaxed);
                async move {
                    if n == 4 {
                        cx.ask::<bool>("on", "Go on?").await?;
                    }
                    Ok::<_, Error>(n / 2)
                }
            },
            |n| *n < 2,
        )
        .build();
    let journal = Arc::new(MemoryJournal::default());
    let paused = journaled(&journal).1.run(&workflow, 16u64).await;
    let paused = paused.unwrap_err();
    assert_eq!(paused.questions()[0].path, "halving/step_2#3/on");
    assert_eq!(runs.load(Ordering::Relaxed), 3);

    let run_id = &paused.report().unwrap().run_id;
    let (recorder, session) = journaled(&journal);
    session
        .answer(run_id, "halving/step_2#3/on", true)
        .await
        .unwrap();
    let outcome = session.resume(run_id, &workflow).await.unwrap();
    assert_eq!(outcome.output, 1);
    assert_eq!(runs.load(Ordering::Relaxed), 5);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run halving",
            "  loom.workflow.step begin ↻",
            "  loom.workflow.step step_2 ↻",
            "  loom.workflow.step step_2 ↻",
            "  loom.workflow.step step_2",
            "  loom.workflow.step step_2",
        ]
    );
}
