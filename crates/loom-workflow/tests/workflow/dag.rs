//! A dag's nodes take what others give, begin as soon as it is there, and never depend on what
//! ended first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom_core::{Accepts, Error, Result, Step};
use loom_workflow::{Dag, Settled, Workflow, branch};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded, tree};

async fn search_web(question: String) -> Result<Vec<String>> {
    Ok(vec![format!("a page on {question}")])
}

async fn search_docs(question: String) -> Result<String> {
    Ok(format!("a chapter on {question}"))
}

async fn merge((web, docs): (Vec<String>, String)) -> Result<String> {
    Ok(format!("{}, {docs}", web.join(", ")))
}

fn research() -> Workflow<String, String> {
    let (mut dag, question) = Dag::<String>::new("research");
    let web = dag.node("web", question, search_web);
    let docs = dag.node("docs", question, search_docs);
    let answer = dag.node("merge", (web, docs), merge);
    dag.output(answer).unwrap()
}

/// Waits so many seconds, and gives them in the end.
fn after(secs: u64) -> Step<u64, u64> {
    branch(move |_: u64| async move {
        sleep(Duration::from_secs(secs)).await;
        Ok::<_, Error>(secs)
    })
}

async fn listed(numbers: Vec<u64>) -> Result<Vec<u64>> {
    Ok(numbers)
}

async fn pair(pair: (u64, u64)) -> Result<Vec<u64>> {
    Ok(vec![pair.0, pair.1])
}

#[tokio::test]
async fn each_node_is_a_step_and_gets_what_its_handles_stand_for() {
    let (recorder, session) = recorded();
    let outcome = session.run(&research(), "looms").await.unwrap();
    assert_eq!(outcome.output, "a page on looms, a chapter on looms");
    assert_eq!(outcome.visited, ["web", "docs", "merge"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run research",
            "  loom.workflow.step web",
            "  loom.workflow.step docs",
            "  loom.workflow.step merge",
        ]
    );
    let spans = recorder.spans();
    let seen = spans.into_iter().map(|it| (it.path, it.input.unwrap()));
    let both = json!([["a page on looms"], "a chapter on looms"]);
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            ("research".to_owned(), json!("looms")),
            ("research/web".to_owned(), json!("looms")),
            ("research/docs".to_owned(), json!("looms")),
            ("research/merge".to_owned(), both),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_joined_stands_in_the_order_of_the_handles_whatever_ends_first() {
    for secs in [[3, 1, 2], [1, 2, 3], [2, 3, 1]] {
        let (_, session) = recorded();
        let (mut dag, n) = Dag::<u64>::new("waits");
        let waits = [0, 1, 2].map(|i| dag.node(format!("wait {i}"), n, after(secs[i])));
        let all = dag.node("all", waits, listed);
        let workflow = dag.output(all).unwrap();
        let started = Instant::now();
        let outcome = session.run(&workflow, 0u64).await.unwrap();
        assert_eq!(outcome.output, secs);
        assert_eq!(started.elapsed().as_secs(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_begins_when_all_it_takes_is_there_and_waits_for_nothing_else() {
    let (_, session) = recorded();
    let (mut dag, n) = Dag::<u64>::new("waits");
    let slow = dag.node("slow", n, after(5));
    let first = dag.node("first", n, after(1));
    let second = dag.node("second", first, after(1));
    let third = dag.node("third", (second, n), |_: (u64, u64)| async {
        Ok::<_, Error>(3)
    });
    let all = dag.node("all", vec![slow, second, third], listed);
    let workflow = dag.output(all).unwrap();
    let started = Instant::now();
    let outcome = session.run(&workflow, 0u64).await.unwrap();
    assert_eq!(outcome.output, [5, 1, 3]);
    assert_eq!(outcome.visited, ["first", "second", "third", "slow", "all"]);
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn handles_are_joined_as_tuples_and_lists_of_each_other() {
    type Nested = (Vec<u64>, (u64, String), Vec<u64>, Vec<(u64, u64)>);
    async fn gather((list, (n, text), array, pairs): Nested) -> Result<String> {
        Ok(format!("{list:?} {n} {text:?} {array:?} {pairs:?}"))
    }
    let (_, session) = recorded();
    let (mut dag, n) = Dag::<u64>::new("joins");
    let text = dag.node(
        "text",
        n,
        |n: u64| async move { Ok::<_, Error>(n.to_string()) },
    );
    let two = dag.node("two", n, |n: u64| async move { Ok::<_, Error>(2 * n) });
    let joined = (vec![n, two], (n, text), [two, two, n], [(n, two)]);
    let gathered = dag.node("gather", joined, gather);
    let workflow = dag.output(gathered).unwrap();
    let outcome = session.run(&workflow, 4u64).await.unwrap();
    assert_eq!(outcome.output, r#"[4, 8] 4 "4" [8, 8, 4] [(4, 8)]"#);
}

#[tokio::test]
async fn up_to_eight_values_of_different_types_are_joined_as_a_tuple() {
    type Eight = (u64, bool, u64, String, u64, (u64, u64), u64, Vec<u64>);
    async fn eight(it: Eight) -> Result<String> {
        Ok(format!("{it:?}"))
    }
    let (_, session) = recorded();
    let (mut dag, n) = Dag::<u64>::new("eight");
    let big = dag.node("big", n, |n: u64| async move { Ok::<_, Error>(n > 9) });
    let text = dag.node(
        "text",
        n,
        |n: u64| async move { Ok::<_, Error>(n.to_string()) },
    );
    let joined = (n, big, n, text, n, (n, n), n, vec![n]);
    let output = dag.node("all", joined, eight);
    let outcome = session.run(&dag.output(output).unwrap(), 7u64).await;
    let expected = r#"(7, false, 7, "7", 7, (7, 7), 7, [7])"#;
    assert_eq!(outcome.unwrap().output, expected);
}

#[tokio::test]
async fn several_values_are_given_together_and_the_input_may_be_one_of_them() {
    let (_, session) = recorded();
    let (mut dag, question) = Dag::<String>::new("research");
    let web = dag.node("web", question, search_web);
    let docs = dag.node("docs", question, search_docs);
    let workflow = dag.output((question, vec![docs, docs], web)).unwrap();
    let outcome = session.run(&workflow, "looms").await.unwrap();
    let chapter = "a chapter on looms".to_owned();
    let expected = (
        "looms".to_owned(),
        vec![chapter.clone(), chapter],
        vec!["a page on looms".to_owned()],
    );
    assert_eq!(outcome.output, expected);
}

#[tokio::test]
async fn a_dag_without_a_node_gives_its_input() {
    let (recorder, session) = recorded();
    let (dag, question) = Dag::<String>::new("as it is");
    let workflow = dag.output(question).unwrap();
    assert_eq!(session.run(&workflow, "hi").await.unwrap().output, "hi");
    assert_eq!(tree(&recorder), ["loom.workflow.run as it is"]);
}

#[tokio::test]
async fn a_node_that_takes_an_empty_list_begins_at_once() {
    let (_, session) = recorded();
    let (mut dag, n) = Dag::<u64>::new("none");
    let nothing = dag.node("nothing", [n; 0], listed);
    let outcome = session.run(&dag.output(nothing).unwrap(), 7u64).await;
    assert_eq!(outcome.unwrap().output, [0u64; 0]);
}

#[tokio::test]
async fn a_step_gets_what_can_be_made_of_what_its_handles_stand_for() {
    #[derive(Serialize, Deserialize)]
    struct Prompt(String);

    impl Accepts<(Vec<String>, String)> for Prompt {
        fn accept((web, docs): (Vec<String>, String)) -> Self {
            Self(format!("{web:?} and {docs:?}"))
        }
    }
    async fn answer(prompt: Prompt) -> Result<String> {
        Ok(prompt.0)
    }
    let (_, session) = recorded();
    let (mut dag, question) = Dag::<String>::new("research");
    let web = dag.node("web", question, search_web);
    let docs = dag.node("docs", question, search_docs);
    let answer = dag.node("answer", (web, docs), answer);
    let outcome = session.run(&dag.output(answer).unwrap(), "looms").await;
    let expected = r#"["a page on looms"] and "a chapter on looms""#;
    assert_eq!(outcome.unwrap().output, expected);
}

/// Says how many clones there were on the way to it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tracked(u32);

impl Clone for Tracked {
    fn clone(&self) -> Self {
        Self(self.0 + 1)
    }
}

#[tokio::test]
async fn a_value_is_cloned_for_all_but_the_last_who_takes_it() {
    async fn same(it: Tracked) -> Result<Tracked> {
        Ok(it)
    }
    let (_, session) = recorded();
    let (mut dag, input) = Dag::<Tracked>::new("tracked");
    let only = dag.node("only", input, same);
    let ends = ["a", "b", "c"].map(|name| dag.node(name, only, same));
    let workflow = dag.output(ends).unwrap();
    let outcome = session.run(&workflow, Tracked(0)).await.unwrap();
    assert_eq!(outcome.output, [Tracked(1), Tracked(1), Tracked(0)]);
}

#[tokio::test]
async fn no_more_bodies_run_at_a_time_than_was_said_begun_in_the_order_they_were_ready() {
    for (concurrency_max, expected) in [(None, 8), (Some(3), 3), (Some(1), 1)] {
        let (recorder, session) = recorded();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let step = || {
            let (running, most) = (running.clone(), most.clone());
            branch(move |n: u64| {
                let (running, most) = (running.clone(), most.clone());
                async move {
                    let now = running.fetch_add(1, Ordering::Relaxed) + 1;
                    most.fetch_max(now, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::Relaxed);
                    Ok::<_, Error>(n)
                }
            })
        };
        let (mut dag, n) = Dag::<u64>::new("wide");
        if let Some(n) = concurrency_max {
            dag.concurrency_max(n);
        }
        let first: Vec<_> = (0..20)
            .map(|i| dag.node(format!("a{i}"), n, step()))
            .collect();
        let ends: Vec<_> = first
            .into_iter()
            .enumerate()
            .map(|(i, var)| dag.node(format!("b{i}"), var, step()))
            .collect();
        let workflow = dag.output(ends).unwrap();
        let outcome = session.run(&workflow, 7u64).await.unwrap();
        assert_eq!(outcome.output, [7; 20]);
        assert_eq!(most.load(Ordering::Relaxed), expected);
        let begun: Vec<String> = recorder
            .spans()
            .iter()
            .map(|it| it.name.to_string())
            .collect();
        // A node of the second row is ready when the one above it ended.
        let ended = outcome.visited.iter().filter(|name| name.starts_with('a'));
        let second = ended.map(|name| name.replace('a', "b"));
        let expected = (0..20).map(|i| format!("a{i}")).chain(second);
        assert_eq!(begun[1..], expected.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn nodes_that_are_ready_at_once_begin_in_the_order_of_their_declaration() {
    let (recorder, session) = recorded();
    let (mut dag, n) = Dag::<u64>::new("ties");
    let same = |n: u64| async move { Ok::<_, Error>(n) };
    let last = dag.node("first", n, same);
    let ends = ["z", "y", "x"].map(|name| dag.node(name, last, same));
    let workflow = dag.output(ends).unwrap();
    session.run(&workflow, 7u64).await.unwrap();
    let begun: Vec<String> = recorder
        .spans()
        .iter()
        .map(|it| it.name.to_string())
        .collect();
    assert_eq!(begun, ["ties", "first", "z", "y", "x"]);
}

#[tokio::test]
async fn a_node_may_take_one_value_twice() {
    let (_, session) = recorded();
    let (mut dag, n) = Dag::<u64>::new("twice");
    let next = dag.node("next", n, |n: u64| async move { Ok::<_, Error>(n + 1) });
    let both = dag.node("both", (next, next), pair);
    let outcome = session.run(&dag.output(both).unwrap(), 7u64).await;
    assert_eq!(outcome.unwrap().output, [8, 8]);
}

#[tokio::test]
async fn the_failure_of_a_settled_node_is_a_value() {
    async fn breaks(_: String) -> Result<u64> {
        Err(Error::invalid("the net is down"))
    }
    async fn both((web, docs): (Settled<u64>, Settled<String>)) -> Result<Settled<u64>> {
        assert_eq!(docs, Settled::Done("a chapter on looms".to_owned()));
        Ok(web)
    }
    let (recorder, session) = recorded();
    let (mut dag, question) = Dag::<String>::new("research");
    let web = dag.settled("web", question, breaks);
    let docs = dag.settled("docs", question, search_docs);
    let both = dag.node("both", (web, docs), both);
    let outcome = session.run(&dag.output(both).unwrap(), "looms").await;
    let failed = Settled::Failed {
        kind: "invalid".to_owned(),
        message: "research/web: the net is down".to_owned(),
    };
    assert_eq!(outcome.unwrap().output, failed);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run research",
            "  loom.workflow.step web ✗ failed",
            "  loom.workflow.step docs",
            "  loom.workflow.step both",
        ]
    );
}

#[tokio::test]
async fn a_dag_is_a_step_and_a_node_may_be_a_workflow() {
    let (recorder, session) = recorded();
    let (mut dag, question) = Dag::<String>::new("twice");
    let one = dag.node("one", question, research());
    let other = dag.node("other", one, research());
    let twice = dag.output(other).unwrap();
    let workflow = Workflow::chain("outer").then(twice).build();
    let outcome = session.run(&workflow, "x").await.unwrap();
    assert_eq!(outcome.visited, ["twice"]);
    let research = |node: &str| {
        [
            format!("      loom.workflow.step {node}"),
            "        loom.workflow.run research".to_owned(),
            "          loom.workflow.step web".to_owned(),
            "          loom.workflow.step docs".to_owned(),
            "          loom.workflow.step merge".to_owned(),
        ]
    };
    let mut expected = vec![
        "loom.workflow.run outer".to_owned(),
        "  loom.workflow.step twice".to_owned(),
        "    loom.workflow.run twice".to_owned(),
    ];
    expected.extend(research("one"));
    expected.extend(research("other"));
    assert_eq!(tree(&recorder), expected);
}
