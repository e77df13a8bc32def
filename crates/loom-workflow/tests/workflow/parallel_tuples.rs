//! Tuples of branches: all get the same input, and the outputs stand where their branches stood.

use std::sync::Arc;
use std::time::Duration;

use loom_core::{Accepts, Error, Info, Kind, Link, Result, RunContext, Runnable, step};
use loom_workflow::{Settled, Settling, Workflow};
use serde_json::json;
use tokio::sync::Barrier;
use tokio::time::sleep;

use crate::look_alike::LookAlike;
use crate::recorded::{recorded, tree};

/// Eight steps of eight types; the first takes longest.
async fn a(n: u64) -> Result<u8> {
    sleep(Duration::from_secs(8)).await;
    Ok(u8::try_from(n).unwrap())
}
async fn b(n: u64) -> Result<String> {
    sleep(Duration::from_secs(7)).await;
    Ok(n.to_string())
}
async fn c(n: u64) -> Result<bool> {
    sleep(Duration::from_secs(6)).await;
    Ok(n == 7)
}
async fn d(n: u64) -> Result<char> {
    sleep(Duration::from_secs(5)).await;
    Ok(char::from_digit(u32::try_from(n).unwrap(), 10).unwrap())
}
async fn e(n: u64) -> Result<Vec<u64>> {
    sleep(Duration::from_secs(4)).await;
    Ok(vec![n, n])
}
async fn f(n: u64) -> Result<Option<u64>> {
    sleep(Duration::from_secs(3)).await;
    Ok(Some(n))
}
async fn g(_: u64) -> Result<()> {
    sleep(Duration::from_secs(2)).await;
    Ok(())
}
async fn h(n: u64) -> Result<(u64, i8)> {
    sleep(Duration::from_secs(1)).await;
    Ok((n, -7))
}

#[tokio::test(start_paused = true)]
async fn two_to_eight_outputs_stand_in_the_order_and_the_types_of_their_branches() {
    /// Runs the chain of these branches on 7, and checks who ended when: the last one first.
    macro_rules! outputs {
        ($($branch:ident),+) => {{
            let (recorder, session) = recorded();
            let workflow = Workflow::chain("all").parallel(($($branch,)+)).build();
            let outcome = session.run(&workflow, 7u64).await.unwrap();
            let mut names = vec![$(stringify!($branch)),+];
            let mut expected = vec!["loom.workflow.run all".to_owned()];
            expected.extend(names.iter().map(|it| format!("  loom.workflow.step {it}")));
            assert_eq!(tree(&recorder), expected);
            names.reverse();
            assert_eq!(outcome.visited, names);
            outcome.output
        }};
    }
    let (s, v) = ("7".to_owned(), vec![7, 7]);
    let (s, v) = (|| s.clone(), || v.clone());
    assert_eq!(outputs!(a, b), (7, s()));
    assert_eq!(outputs!(a, b, c), (7, s(), true));
    assert_eq!(outputs!(a, b, c, d), (7, s(), true, '7'));
    assert_eq!(outputs!(a, b, c, d, e), (7, s(), true, '7', v()));
    let six = outputs!(a, b, c, d, e, f);
    assert_eq!(six, (7, s(), true, '7', v(), Some(7)));
    let seven = outputs!(a, b, c, d, e, f, g);
    assert_eq!(seven, (7, s(), true, '7', v(), Some(7), ()));
    let eight = outputs!(a, b, c, d, e, f, g, h);
    assert_eq!(eight, (7, s(), true, '7', v(), Some(7), (), (7, -7)));
}

#[tokio::test(start_paused = true)]
async fn settled_tuples_of_two_to_eight_keep_order_and_types_too() {
    macro_rules! outputs {
        ($($branch:ident),+) => {{
            let (_, session) = recorded();
            let workflow = Workflow::chain("all").parallel(($($branch,)+).settle()).build();
            session.run(&workflow, 7u64).await.unwrap().output
        }};
    }
    use Settled::Done;
    let (s, v) = (|| Done("7".to_owned()), || Done(vec![7, 7]));
    let (c7, d7) = (Done(true), Done('7'));
    assert_eq!(outputs!(a, b), (Done(7), s()));
    assert_eq!(outputs!(a, b, c), (Done(7), s(), c7.clone()));
    let four = outputs!(a, b, c, d);
    assert_eq!(four, (Done(7), s(), c7.clone(), d7.clone()));
    let five = outputs!(a, b, c, d, e);
    assert_eq!(five, (Done(7), s(), c7.clone(), d7.clone(), v()));
    let (f7, g7, h7) = (Done(Some(7)), Done(()), Done((7, -7)));
    let (six, expected) = (outputs!(a, b, c, d, e, f), (c7.clone(), d7.clone(), v()));
    assert_eq!(
        six,
        (Done(7), s(), expected.0, expected.1, expected.2, f7.clone())
    );
    let seven = outputs!(a, b, c, d, e, f, g);
    let (c, d) = (c7.clone(), d7.clone());
    assert_eq!(seven, (Done(7), s(), c, d, v(), f7.clone(), g7.clone()));
    let eight = outputs8().await;
    assert_eq!(eight, (Done(7), s(), c7, d7, v(), f7, g7, h7));
}

type Eight = (
    Settled<u8>,
    Settled<String>,
    Settled<bool>,
    Settled<char>,
    Settled<Vec<u64>>,
    Settled<Option<u64>>,
    Settled<()>,
    Settled<(u64, i8)>,
);

async fn outputs8() -> Eight {
    let (_, session) = recorded();
    let branches = (a, b, c, d, e, f, g, h).settle();
    let workflow = Workflow::chain("all").parallel(branches).build();
    session.run(&workflow, 7u64).await.unwrap().output
}

async fn say(text: String) -> Result<String> {
    Ok(text)
}

async fn length(text: String) -> Result<usize> {
    Ok(text.len())
}

#[tokio::test]
async fn all_branches_of_a_tuple_run_at_once() {
    let barrier = Arc::new(Barrier::new(8));
    let meet = || {
        let barrier = barrier.clone();
        move |n: u64| {
            let barrier = barrier.clone();
            async move {
                barrier.wait().await;
                Ok::<_, Error>(n)
            }
        }
    };
    let eight = (
        meet(),
        meet(),
        meet(),
        meet(),
        meet(),
        meet(),
        meet(),
        meet(),
    );
    let (_, session) = recorded();
    let workflow = Workflow::chain("meet").parallel(eight).build();
    // One after another they would wait for ever.
    let session = session.deadline(Duration::from_secs(60));
    let outcome = session.run(&workflow, 7u64).await.unwrap();
    assert_eq!(outcome.output, (7, 7, 7, 7, 7, 7, 7, 7));
}

#[tokio::test]
async fn functions_closures_runnables_and_wrapped_steps_stand_beside_each_other() {
    let (recorder, session) = recorded();
    let inner = Workflow::chain("inner").then(length).build();
    let workflow = Workflow::chain("mixed")
        .then(say)
        .parallel((
            say,
            |cx: RunContext, text: String| async move { cx.step("deep", &length, text).await },
            LookAlike::named("helper"),
            inner,
            step(length).retry(2),
        ))
        .map(|(text, n, answer, m, k)| format!("{text} {n} {answer} {m} {k}"))
        .then(say)
        .build();
    let outcome = session.run(&workflow, "loom").await.unwrap();
    assert_eq!(outcome.output, "loom 4 LOOM 4 4");
    let visited = ["say", "say_2", "step_3", "helper", "inner", "length"];
    assert_eq!(outcome.visited[..6], visited);
    assert_eq!(outcome.visited[6..], ["say_3"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run mixed",
            "  loom.workflow.step say",
            "  loom.workflow.step say_2",
            "  loom.workflow.step step_3",
            "    loom.workflow.step deep",
            "  loom.workflow.step helper",
            "    loom.run helper",
            "  loom.workflow.step inner",
            "    loom.workflow.run inner",
            "      loom.workflow.step length",
            "  loom.workflow.step length",
            "  loom.workflow.step say_3",
        ]
    );
}

#[tokio::test]
async fn every_branch_is_a_step_with_a_path_an_input_and_an_output() {
    let (recorder, session) = recorded();
    let workflow = Workflow::chain("both").parallel((say, length, say)).build();
    session.run(&workflow, "hi").await.unwrap();
    let seen: Vec<_> = recorder
        .spans()
        .into_iter()
        .map(|it| (it.path, it.input.unwrap(), it.output.unwrap()))
        .collect();
    let span = |path: &str, output| (path.to_owned(), json!("hi"), output);
    assert_eq!(
        seen,
        [
            span("both", json!(["hi", 2, "hi"])),
            span("both/say", json!("hi")),
            span("both/length", json!(2)),
            span("both/say_2", json!("hi")),
        ]
    );
}

/// Made from any number.
#[derive(serde::Serialize, serde::Deserialize)]
struct Label(String);

impl Accepts<usize> for Label {
    fn accept(n: usize) -> Self {
        Self(format!("no. {n}"))
    }
}

#[tokio::test]
async fn a_branch_may_take_what_can_be_made_from_the_input() {
    async fn text_of(label: Label) -> Result<String> {
        Ok(label.0)
    }
    let (recorder, session) = recorded();
    let next = |n: usize| async move { Ok::<_, Error>(n + 1) };
    let workflow = Workflow::chain("both")
        .then(length)
        .parallel((text_of, next))
        .build();
    let outcome = session.run(&workflow, "four").await.unwrap();
    assert_eq!(outcome.output, ("no. 4".to_owned(), 5));
    assert_eq!(outcome.visited, ["length", "text_of", "step_3"]);
    let inputs: Vec<_> = recorder.spans().into_iter().map(|it| it.input).collect();
    assert_eq!(inputs[2..], [Some(json!("no. 4")), Some(json!(4))]);
}

#[test]
fn a_workflow_says_which_branches_it_is_made_of() {
    let workflow = Workflow::chain("both").parallel((say, LookAlike::unnamed()));
    let function = |name: &'static str| Info::new(name, Kind::Function);
    assert_eq!(
        workflow.build().info(),
        Info::new("both", Kind::Workflow)
            .with_parts([
                function("say").with_parts([function("say")]),
                function("agent_node").with_parts([Info::new("", Kind::Agent)]),
            ])
            .with_links([Link::entry(0), Link::entry(1), Link::exit(0), Link::exit(1)])
            .joining(true)
    );
}
