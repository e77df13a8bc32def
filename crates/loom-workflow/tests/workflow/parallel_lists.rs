//! Lists of branches: told apart by their index, eight at a time, merged by a step.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom_core::{Data, Error, Result, RunContext, Runnable, Step};
use loom_workflow::{Workflow, branch};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded, tree};

async fn say(text: String) -> Result<String> {
    Ok(text)
}

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

fn waiting(secs: u64) -> Step<u64, u64> {
    branch(move |n: u64| async move {
        sleep(Duration::from_secs(secs)).await;
        Ok::<_, Error>(10 * n + secs)
    })
}

#[tokio::test]
async fn a_list_s_branches_are_told_apart_by_name_and_index() {
    let (recorder, session) = recorded();
    let steps = vec![branch(say), branch(shout), branch(say)];
    let workflow = Workflow::chain("poll").parallel(steps).build();
    let outcome = session.run(&workflow, "hi").await.unwrap();
    assert_eq!(outcome.output, ["hi", "HI", "hi"]);
    assert_eq!(outcome.visited, ["say", "shout", "say_2"]);
    let paths: Vec<String> = recorder.spans().into_iter().map(|it| it.path).collect();
    assert_eq!(
        paths,
        ["poll", "poll/say[0]", "poll/shout[1]", "poll/say_2[2]"]
    );
}

#[tokio::test]
async fn a_list_may_hold_one_function_many_times() {
    let (_, session) = recorded();
    let workflow = Workflow::chain("poll").parallel(vec![shout; 3]).build();
    let outcome = session.run(&workflow, "hi").await.unwrap();
    assert_eq!(outcome.output, ["HI", "HI", "HI"]);
    assert_eq!(outcome.visited, ["shout", "shout_2", "shout_3"]);
}

#[tokio::test(start_paused = true)]
async fn outputs_are_in_the_order_of_the_list_whatever_ends_first() {
    let (_, session) = recorded();
    let steps = [3, 1, 2].map(waiting).to_vec();
    let workflow = Workflow::chain("poll").parallel(steps).build();
    let outcome = session.run(&workflow, 7u64).await.unwrap();
    assert_eq!(outcome.output, [73, 71, 72]);
    assert_eq!(outcome.visited, ["step_2", "step_3", "step_1"]);
}

#[tokio::test(start_paused = true)]
async fn eight_run_at_a_time_and_the_next_begins_when_one_ends() {
    let now = Arc::new(AtomicUsize::new(0));
    let at_once_max = Arc::new(AtomicUsize::new(0));
    let steps = (0..20u64).map(|i| {
        let (now, at_once_max) = (now.clone(), at_once_max.clone());
        branch(move |start: u64| {
            let (now, at_once_max) = (now.clone(), at_once_max.clone());
            async move {
                let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                at_once_max.fetch_max(running, Ordering::SeqCst);
                // The first takes one second, all others two.
                sleep(Duration::from_secs(if i == 0 { 1 } else { 2 })).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Error>(start + i)
            }
        })
    });
    let (_, session) = recorded();
    let workflow = Workflow::chain("poll").parallel(steps.collect::<Vec<_>>());
    let start = Instant::now();
    let outcome = session.run(&workflow.build(), 100u64).await.unwrap();
    assert_eq!(outcome.output, (100..120).collect::<Vec<u64>>());
    assert_eq!(at_once_max.load(Ordering::SeqCst), 8);
    // 0s: eight begin; 1s: the ninth; 2s: 7 more; 3s: one; 4s: the last 3.
    assert_eq!(start.elapsed().as_secs(), 6);
}

#[tokio::test]
async fn an_empty_list_gives_an_empty_list() {
    let (recorder, session) = recorded();
    let none: Vec<Step<String, String>> = Vec::new();
    let workflow = Workflow::chain("poll").parallel(none).build();
    let outcome = session.run(&workflow, "hi").await.unwrap();
    assert_eq!(outcome.output, Vec::<String>::new());
    assert_eq!(tree(&recorder), ["loom.workflow.run poll"]);
}

#[tokio::test(start_paused = true)]
async fn a_merge_waits_for_all_and_may_wait_itself() {
    async fn best(cx: RunContext, answers: Vec<u64>) -> Result<u64> {
        async fn greatest(answers: Vec<u64>) -> Result<Option<u64>> {
            sleep(Duration::from_secs(1)).await;
            Ok(answers.into_iter().max())
        }
        let greatest: Option<u64> = cx.step("greatest", &greatest, answers).await?;
        Ok(greatest.unwrap_or(0))
    }
    let (recorder, session) = recorded();
    let steps = [2, 5, 3].map(waiting).to_vec();
    let workflow = Workflow::chain("poll").parallel_merged(steps, best).build();
    let start = Instant::now();
    let outcome = session.run(&workflow, 7u64).await.unwrap();
    assert_eq!(outcome.output, 75);
    assert_eq!(start.elapsed().as_secs(), 6);
    assert_eq!(outcome.visited, ["step_1", "step_3", "step_2", "best"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run poll",
            "  loom.workflow.step step_1",
            "  loom.workflow.step step_2",
            "  loom.workflow.step step_3",
            "  loom.workflow.step best",
            "    loom.workflow.step greatest",
        ]
    );
}

#[tokio::test]
async fn a_list_of_workflows_nests_a_run_in_every_branch() {
    let (recorder, session) = recorded();
    let desk = |name: &'static str| Workflow::chain(name).then(shout).build();
    let desks = vec![desk("north"), desk("south")];
    let workflow = Workflow::chain("desks").parallel(desks).build();
    let outcome = session.run(&workflow, "hi").await.unwrap();
    assert_eq!(outcome.output, ["HI", "HI"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run desks",
            "  loom.workflow.step north",
            "    loom.workflow.run north",
            "      loom.workflow.step shout",
            "  loom.workflow.step south",
            "    loom.workflow.run south",
            "      loom.workflow.step shout",
        ]
    );
    assert_eq!(recorder.spans()[2].path, "desks/north[0]/north");
}

/// A text that says how often it was copied.
#[derive(Debug)]
struct Copied {
    text: String,
    copies: Arc<AtomicUsize>,
}

impl Clone for Copied {
    fn clone(&self) -> Self {
        assert_ne!(self.text, "fragile", "it broke while it was copied");
        self.copies.fetch_add(1, Ordering::SeqCst);
        Self {
            text: self.text.clone(),
            copies: self.copies.clone(),
        }
    }
}

impl Data for Copied {
    fn to_value(&self) -> Result<Value> {
        Ok(Value::String(self.text.clone()))
    }

    fn from_value(_: Value) -> Result<Self> {
        unreachable!("nothing is recorded")
    }
}

async fn append(mut it: Copied) -> Result<String> {
    it.text.push('!');
    Ok(it.text)
}

#[tokio::test]
async fn every_branch_has_a_copy_of_its_own() {
    let copies = Arc::new(AtomicUsize::new(0));
    let input = |text: &str| Copied {
        text: text.to_owned(),
        copies: copies.clone(),
    };
    let (_, session) = recorded();
    let tuple = Workflow::chain("both").parallel((append, append)).build();
    let list = Workflow::chain("both").parallel(vec![append; 2]).build();
    let outcome = session.run(&tuple, input("hi")).await.unwrap();
    assert_eq!(outcome.output, ("hi!".to_owned(), "hi!".to_owned()));
    let outcome = session.run(&list, input("hi")).await.unwrap();
    assert_eq!(outcome.output, ["hi!", "hi!"]);
    assert_eq!(copies.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn an_input_that_breaks_while_it_is_copied_fails_the_run_before_any_branch() {
    let input = Copied {
        text: "fragile".to_owned(),
        copies: Arc::default(),
    };
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("both").parallel(vec![append; 2]).build();
    let error = session.run(&workflow, input).await.unwrap_err();
    assert_eq!(error.error().kind(), loom_core::ErrorKind::Panicked);
    assert!(error.message().contains("it broke"), "{error}");
    assert_eq!(tree(&recorder), ["loom.workflow.run both ✗ failed"]);
}

#[test]
fn a_list_and_a_tuple_of_the_same_steps_are_different_definitions_and_none_at_all_is_nothing() {
    async fn one(text: String) -> Result<String> {
        Ok(text)
    }
    let chain = || Workflow::chain::<String>("it").then(one);
    let tuple = chain().parallel((one, one)).build();
    let list = chain().parallel(vec![branch(one), branch(one)]).build();
    assert_eq!(
        list.info().difference_from(&tuple.info()).unwrap(),
        r#"the detail "of a list" of "one_2" is new; the detail "of a list" of "one_3" is new"#
    );
    let none = chain().parallel(Vec::<Step<String, String>>::new()).build();
    let after = chain().build();
    assert_eq!(none.info().links, after.info().links);
}
