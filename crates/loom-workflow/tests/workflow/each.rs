//! One step for every item of a list: in order, bounded, told apart by index.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom_core::{
    Accepts, Error, Info, Kind, Limits, Link, Loom, Result, RunErrorKind, Runnable, Step, step,
};
use loom_workflow::{Settled, Workflow, branch};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded, tree};

async fn double(n: u64) -> Result<u64> {
    Ok(2 * n)
}

/// Waits as many seconds as the item says.
async fn wait(secs: u64) -> Result<String> {
    sleep(Duration::from_secs(secs)).await;
    Ok(format!("{secs} s"))
}

async fn small(n: u64) -> Result<u64> {
    match n {
        0..10 => Ok(n),
        _ => Err(Error::invalid("too large")),
    }
}

/// A step that tells how many of it ran at the same time at most.
fn counted() -> (Step<u64, u64>, Arc<AtomicUsize>) {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let step = branch(move |n: u64| {
        let (running, most) = (running.clone(), most.clone());
        async move {
            most.fetch_max(
                running.fetch_add(1, Ordering::Relaxed) + 1,
                Ordering::Relaxed,
            );
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::Relaxed);
            Ok::<_, Error>(n)
        }
    });
    (step, seen)
}

#[tokio::test]
async fn every_item_is_a_step_told_apart_by_its_index() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("doubles").each(2, double).build();
    let outcome = session.run(&workflow, vec![3u64, 1, 2]).await.unwrap();
    assert_eq!(outcome.output, [6, 2, 4]);
    assert_eq!(outcome.visited, ["double", "double", "double"]);
    let spans = recorder.spans();
    let seen = spans.into_iter().map(|it| (it.path, it.input, it.output));
    let number = |n: u64| Some(n.into());
    assert_eq!(
        seen.skip(1).collect::<Vec<_>>(),
        [
            ("doubles/double[0]".to_owned(), number(3), number(6)),
            ("doubles/double[1]".to_owned(), number(1), number(2)),
            ("doubles/double[2]".to_owned(), number(2), number(4)),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn outputs_are_in_the_order_of_the_items_whatever_ends_first() {
    let (_, session) = recorded();
    let workflow = Workflow::chain("waits").each(8, wait).build();
    let started = Instant::now();
    let outcome = session.run(&workflow, vec![3u64, 1, 2]).await.unwrap();
    assert_eq!(outcome.output, ["3 s", "1 s", "2 s"]);
    assert_eq!(started.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn no_more_run_at_a_time_than_was_said() {
    for (concurrency_max, expected) in [(1, 1), (3, 3), (100, 20)] {
        let (step, most) = counted();
        let (_, session) = recorded();
        let workflow = Workflow::chain("counted").each(concurrency_max, step);
        let items: Vec<u64> = (0..20).collect();
        let outcome = session.run(&workflow.build(), items.clone()).await.unwrap();
        assert_eq!(outcome.output, items);
        assert_eq!(most.load(Ordering::Relaxed), expected);
    }
}

#[tokio::test]
async fn an_empty_list_gives_an_empty_list_and_opens_no_step() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("doubles").each(2, double).build();
    let outcome = session.run(&workflow, Vec::<u64>::new()).await.unwrap();
    assert_eq!(outcome.output, [0u64; 0]);
    assert_eq!(tree(&recorder), ["loom.workflow.run doubles"]);
}

#[tokio::test]
async fn a_hundred_thousand_items_run_eight_at_a_time() {
    const ITEMS: u64 = 100_000;
    let limits = Limits::default().with_effects_max(ITEMS + 1);
    let session = Loom::builder().limits(limits).build().session("alice");
    let (counted, most) = counted();
    let workflow = Workflow::chain("many").each(8, step(counted).map(|n: u64| 2 * n));
    let items: Vec<u64> = (0..ITEMS).collect();
    let doubled: Vec<u64> = items.iter().map(|n| 2 * n).collect();
    let outcome = session.run(&workflow.build(), items).await.unwrap();
    assert!(outcome.output == doubled);
    assert_eq!(most.load(Ordering::Relaxed), 8);
}

#[tokio::test]
async fn an_item_is_made_into_what_the_step_takes_and_not_before_it_begins() {
    #[derive(Serialize, Deserialize)]
    struct Question(String);

    impl Accepts<u64> for Question {
        fn accept(n: u64) -> Self {
            assert!(
                n < 3,
                "the third item failed, so the fourth is none of ours"
            );
            Self(format!("what is {n}?"))
        }
    }
    async fn answer(question: Question) -> Result<String> {
        match question.0.contains('2') {
            true => Err(Error::invalid("no idea")),
            false => Ok(question.0),
        }
    }
    let (_, session) = recorded();
    let workflow = Workflow::chain("quiz").each(1, answer).build();
    let outcome = session.run(&workflow, vec![0u64, 1]).await.unwrap();
    assert_eq!(outcome.output, ["what is 0?", "what is 1?"]);
    let error = session.run(&workflow, vec![0u64, 1, 2, 3]).await;
    assert_eq!(error.unwrap_err().to_string(), "quiz/answer[2]: no idea");
}

#[tokio::test]
async fn items_that_are_settled_come_to_their_own_end() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("all")
        .each_settled(2, small)
        .then(|all: Vec<Settled<u64>>| async move { Ok::<_, Error>(all) });
    let outcome = session.run(&workflow.build(), vec![7u64, 70, 8]).await;
    let failed = Settled::Failed {
        kind: "invalid".to_owned(),
        message: "all/small[1]: too large".to_owned(),
    };
    let expected = [Settled::Done(7), failed, Settled::Done(8)];
    assert_eq!(outcome.unwrap().output, expected);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run all",
            "  loom.workflow.step small",
            "  loom.workflow.step small ✗ failed",
            "  loom.workflow.step small",
            "  loom.workflow.step step_2",
        ]
    );
}

#[tokio::test]
async fn a_limit_of_the_tree_is_not_settled() {
    // The run and the first item.
    let limits = Limits::default().with_effects_max(2);
    let session = Loom::builder().limits(limits).build().session("alice");
    let workflow = Workflow::chain("all").each_settled(1, small).build();
    let error = session.run(&workflow, vec![1u64, 2]).await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.to_string(), "all: effects_max 2 reached");
}

#[tokio::test]
async fn items_may_be_workflows_of_their_own_and_lists_may_nest() {
    let (recorder, session) = recorded();
    let inner = Workflow::chain("inner").each(2, double).build();
    let workflow = Workflow::chain("outer").each(2, inner).build();
    let items = vec![vec![1u64, 2], vec![3]];
    let outcome = session.run(&workflow, items).await.unwrap();
    assert_eq!(outcome.output, [vec![2, 4], vec![6]]);
    let paths: Vec<String> = recorder.spans().into_iter().map(|it| it.path).collect();
    assert!(paths.contains(&"outer/inner[0]/inner/double[1]".to_owned()));
    assert!(paths.contains(&"outer/inner[1]/inner/double[0]".to_owned()));
}

#[test]
fn its_info_says_that_it_runs_for_each_item_but_not_how_many_at_a_time() {
    let info = |n| {
        let workflow = Workflow::chain("all").each(n, double);
        workflow.each_settled(n, small).build().info()
    };
    let part = |name: &'static str, detail: &'static str| {
        let step = Info::new(name, Kind::Function);
        step.clone().with_detail(detail).with_parts([step])
    };
    let expected = Info::new("all", Kind::Workflow)
        .with_parts([
            part("double", "for each item"),
            part("small", "for each item, settled"),
        ])
        .with_links([Link::entry(0), Link::new(0, 1), Link::exit(1)]);
    assert_eq!(info(1), expected);
    assert_eq!(info(8), expected);
}
