//! Whatever comes first, and however often the run is resumed: each branch keeps its own records,
//! its own question and its own answer, in every shape.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loom_core::{
    Error, ErrorKind, Limits, MemoryJournal, Result, RunContext, RunErrorKind, RunId, Session,
    Step, step,
};
use loom_workflow::{Dag, END, Joined, Settled, Settling, Workflow};
use tokio::time::{sleep, timeout};

use crate::recorded::{journaled, recorded};

/// Which bodies ran, and with what.
type Log = Arc<Mutex<Vec<String>>>;

/// What is different in each attempt, while the definition is the same.
#[derive(Clone, Default)]
struct Attempt {
    log: Log,
    /// Who is slow before the question, if it isn't replayed.
    slow: &'static str,
    /// Who never ends after the question.
    hangs: &'static str,
}

impl Attempt {
    /// Looks, asks, and acts as it was answered: all under the same names whoever it is.
    fn pay(&self, who: &'static str) -> Step<String, String> {
        let it = self.clone();
        let pay = move |cx: RunContext, _: String| {
            let it = it.clone();
            async move { it.pays(&cx, who.to_owned()).await }
        };
        Step::new(step(pay).named("pay"))
    }

    async fn pays(&self, cx: &RunContext, who: String) -> Result<String> {
        let looked: String = cx.step("look", &self.look(), who).await?;
        let sure: bool = cx.ask("approve", "Pay?").await?;
        cx.step("act", &self.act(), format!("{looked} {sure}"))
            .await
    }

    fn look(&self) -> Step<String, String> {
        let it = self.clone();
        Step::new(move |who: String| {
            let it = it.clone();
            async move {
                if it.slow == who {
                    sleep(Duration::from_millis(50)).await;
                }
                it.log.lock().unwrap().push(format!("look {who}"));
                Ok::<_, Error>(who)
            }
        })
    }

    fn act(&self) -> Step<String, String> {
        let it = self.clone();
        Step::new(move |what: String| {
            let it = it.clone();
            async move {
                it.log.lock().unwrap().push(format!("act {what}"));
                if what.starts_with(it.hangs) && !it.hangs.is_empty() {
                    futures::future::pending::<()>().await;
                }
                Ok::<_, Error>(what)
            }
        })
    }

    fn ran(&self) -> Vec<String> {
        let mut ran = std::mem::take(&mut *self.log.lock().unwrap());
        ran.sort();
        ran
    }
}

type Build = fn(&Attempt) -> Workflow<String, Vec<String>>;

fn done(all: Vec<Settled<String>>) -> Vec<String> {
    all.into_iter().map(|it| it.done().unwrap()).collect()
}

fn of_dag(it: &Attempt) -> Workflow<String, Vec<String>> {
    let (mut dag, input) = Dag::<String>::new("it");
    let (a, b) = (it.pay("a"), it.pay("b"));
    let both = (dag.node("a", input, a), dag.node("b", input, b));
    let all = dag.node("all", both, |(a, b): (String, String)| async move {
        Ok::<_, Error>(vec![a, b])
    });
    dag.output(all).unwrap()
}

fn of_settled_dag(it: &Attempt) -> Workflow<String, Vec<String>> {
    let (mut dag, input) = Dag::<String>::new("it");
    let (a, b) = (it.pay("a"), it.pay("b"));
    let both = vec![dag.settled("a", input, a), dag.settled("b", input, b)];
    let all = dag.node("all", both, |all: Vec<Settled<String>>| async move {
        Ok::<_, Error>(done(all))
    });
    dag.output(all).unwrap()
}

fn of_graph(it: &Attempt) -> Workflow<String, Vec<String>> {
    let all = |all: Joined<String>| async move { Ok::<_, Error>(all.into_values()) };
    Workflow::graph("it")
        .node("a", it.pay("a"))
        .node("b", it.pay("b"))
        .node("all", all)
        .start("a")
        .start("b")
        .edge("a", "all")
        .edge("b", "all")
        .edge("all", END)
        .build_as::<String, Vec<String>>()
        .unwrap()
}

fn of_settled_graph(it: &Attempt) -> Workflow<String, Vec<String>> {
    let all = |all: Joined<Settled<String>>| async move { Ok::<_, Error>(done(all.into_values())) };
    Workflow::graph("it")
        .node("a", it.pay("a"))
        .node("b", it.pay("b"))
        .settle("a")
        .settle("b")
        .node("all", all)
        .start("a")
        .start("b")
        .edge("a", "all")
        .edge("b", "all")
        .edge("all", END)
        .build_as::<String, Vec<String>>()
        .unwrap()
}

fn items(_: String) -> Vec<String> {
    vec!["a".to_owned(), "b".to_owned()]
}

/// The step of each item.
fn of_item(it: &Attempt) -> Step<String, String> {
    let it = it.clone();
    let pay = move |cx: RunContext, who: String| {
        let it = it.clone();
        async move { it.pays(&cx, who).await }
    };
    Step::new(step(pay).named("pay"))
}

/// Every shape with branches, and what leads to the question of each of two.
fn shapes() -> Vec<(&'static str, Build, [&'static str; 2])> {
    vec![
        (
            "tuple",
            |it| {
                let both = (it.pay("a"), it.pay("b"));
                let chain = Workflow::chain("it").parallel(both);
                chain.map(|(a, b)| vec![a, b]).build()
            },
            ["it/pay/approve", "it/pay_2/approve"],
        ),
        (
            "settled tuple",
            |it| {
                let both = (it.pay("a"), it.pay("b")).settle();
                let chain = Workflow::chain("it").parallel(both);
                chain.map(|(a, b)| done(vec![a, b])).build()
            },
            ["it/pay/approve", "it/pay_2/approve"],
        ),
        (
            "list",
            |it| {
                let both = vec![it.pay("a"), it.pay("b")];
                Workflow::chain("it").parallel(both).build()
            },
            ["it/pay[0]/approve", "it/pay_2[1]/approve"],
        ),
        (
            "settled list",
            |it| {
                let both = vec![it.pay("a"), it.pay("b")].settle();
                Workflow::chain("it").parallel(both).map(done).build()
            },
            ["it/pay[0]/approve", "it/pay_2[1]/approve"],
        ),
        (
            "each",
            |it| {
                let chain = Workflow::chain("it").map(items);
                chain.each(2, of_item(it)).build()
            },
            ["it/pay[0]/approve", "it/pay[1]/approve"],
        ),
        (
            "settled each",
            |it| {
                let chain = Workflow::chain("it").map(items);
                chain.each_settled(2, of_item(it)).map(done).build()
            },
            ["it/pay[0]/approve", "it/pay[1]/approve"],
        ),
        ("dag", of_dag, ["it/a/approve", "it/b/approve"]),
        (
            "settled dag",
            of_settled_dag,
            ["it/a/approve", "it/b/approve"],
        ),
        ("graph", of_graph, ["it/a/approve", "it/b/approve"]),
        (
            "settled graph",
            of_settled_graph,
            ["it/a/approve", "it/b/approve"],
        ),
    ]
}

fn session(journal: &Arc<MemoryJournal>) -> Session {
    journaled(journal).1
}

/// Runs until both branches ask, one of them later than the other.
async fn asked(
    journal: &Arc<MemoryJournal>,
    build: Build,
    slow: &'static str,
) -> (RunId, Vec<String>) {
    let attempt = Attempt {
        slow,
        ..Attempt::default()
    };
    let paused = session(journal).run(&build(&attempt), "go").await;
    let paused = paused.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused:?}");
    assert_eq!(attempt.ran(), ["look a", "look b"]);
    let mut paths: Vec<String> = paused
        .questions()
        .iter()
        .map(|it| it.path.clone())
        .collect();
    paths.sort();
    (paused.report().unwrap().run_id.clone(), paths)
}

#[tokio::test(start_paused = true)]
async fn each_branch_gets_its_own_answer_whoever_asked_first() {
    for (shape, build, paths) in shapes() {
        for slow in ["a", "b"] {
            let journal = Arc::new(MemoryJournal::default());
            let (run, asked) = asked(&journal, build, slow).await;
            assert_eq!(asked, paths, "{shape}");
            for (path, sure) in paths.into_iter().zip([false, true]) {
                session(&journal).answer(&run, path, sure).await.unwrap();
            }
            let attempt = Attempt::default();
            let outcome = session(&journal).resume(&run, &build(&attempt)).await;
            assert_eq!(outcome.unwrap().output, ["a false", "b true"], "{shape}");
            assert_eq!(attempt.ran(), ["act a false", "act b true"], "{shape}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_answer_at_a_time_reaches_its_own_branch() {
    for (shape, build, paths) in shapes() {
        let journal = Arc::new(MemoryJournal::default());
        let (run, _) = asked(&journal, build, "a").await;
        let answer = session(&journal);
        answer.answer(&run, paths[1], true).await.unwrap();
        let attempt = Attempt::default();
        let paused = session(&journal).resume(&run, &build(&attempt)).await;
        let paused = paused.unwrap_err();
        let open: Vec<&str> = paused.questions().iter().map(|it| &*it.path).collect();
        assert_eq!(open, [paths[0]], "{shape}");
        assert_eq!(attempt.ran(), ["act b true"], "{shape}");

        answer.answer(&run, paths[0], false).await.unwrap();
        let outcome = session(&journal).resume(&run, &build(&attempt)).await;
        assert_eq!(outcome.unwrap().output, ["a false", "b true"], "{shape}");
        assert_eq!(attempt.ran(), ["act a false"], "{shape}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_a_crash_cut_off_is_done_again_and_the_others_are_not() {
    for (shape, build, paths) in shapes() {
        for (hangs, again) in [("a", "act a false"), ("b", "act b true")] {
            let journal = Arc::new(MemoryJournal::default());
            let (run, _) = asked(&journal, build, "a").await;
            for (path, sure) in paths.into_iter().zip([false, true]) {
                session(&journal).answer(&run, path, sure).await.unwrap();
            }
            let hanging = Attempt {
                hangs,
                ..Attempt::default()
            };
            let workflow = build(&hanging);
            let second = session(&journal);
            let dropped = timeout(Duration::from_secs(1), second.resume(&run, &workflow)).await;
            assert!(dropped.is_err(), "{shape}: it hangs");
            assert_eq!(hanging.ran(), ["act a false", "act b true"], "{shape}");

            let third = Attempt::default();
            let outcome = session(&journal).resume(&run, &build(&third)).await;
            assert_eq!(outcome.unwrap().output, ["a false", "b true"], "{shape}");
            assert_eq!(third.ran(), [again], "{shape}");
        }
    }
}

#[tokio::test]
async fn a_limit_of_the_tree_ends_the_run_from_every_settled_shape() {
    for (shape, build, _) in shapes() {
        if !shape.starts_with("settled") {
            continue;
        }
        // The run, both branches and one step below the first.
        let limits = Limits::default().with_effects_max(4);
        let journal = Arc::new(MemoryJournal::default());
        for session in [recorded().1, session(&journal)] {
            let workflow = build(&Attempt::default());
            let ended = session.limits(limits).run(&workflow, "go").await;
            let ended = ended.unwrap_err();
            assert_eq!(ended.kind(), RunErrorKind::Interrupted, "{shape}");
            assert_eq!(ended.error().kind(), ErrorKind::LimitReached, "{shape}");
            assert_eq!(ended.message(), "effects_max 4 reached", "{shape}");
            assert!(ended.questions().is_empty(), "{shape}");
        }
    }
}
