//! Limits of the whole tree: many agents at once never overshoot, and no model is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loomflow::{
    Agent, Branch, CancelReason, EffectKind, Ending, Limits, Model, Prompt, Reply, Request, Result,
    RunContext, RunErrorKind, Runnable, Tokens, Workflow, branch,
};
use serde_json::json;

use crate::support::{Done, clerk, desk_of, refund_call};
use crate::watched::{Durable, Process};

/// A model whose replies take these tokens and a few polls, and what they took in all.
#[derive(Clone)]
struct Hungry {
    takes: Tokens,
    replies: Arc<AtomicU64>,
}

impl Hungry {
    fn new(takes: Tokens) -> Self {
        Self {
            takes,
            replies: Arc::default(),
        }
    }

    fn replies(&self) -> u64 {
        self.replies.load(Ordering::SeqCst)
    }

    fn agent(&self) -> Agent {
        let agent = Agent::builder("Help.").named("eater");
        agent.model(self.clone()).build().unwrap()
    }
}

impl Model for Hungry {
    fn name(&self) -> &str {
        "hungry"
    }

    async fn stream(&self, _cx: &RunContext, _request: &Request<'_>) -> Result<Reply> {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.replies.fetch_add(1, Ordering::SeqCst);
        Ok(Reply::text("yum").with_tokens(self.takes))
    }
}

/// A hundred agents beside each other, all at once.
async fn hundred(cx: RunContext, agent: &Agent) -> Result<u64> {
    let branches = (0..100)
        .map(|_| Branch::new(move |cx| async move { agent.run(&cx, Prompt::from("eat")).await }));
    Ok(cx.join(usize::MAX, branches).await?.len() as u64)
}

fn limited(limits: Limits) -> (Durable, Process) {
    let durable = Durable::new();
    let process = durable.wired(|loom| loom.limits(limits));
    (durable, process)
}

/// How many agents ended in which way.
fn endings(process: &Process) -> [usize; 3] {
    let ways = [
        Ending::Completed,
        Ending::Interrupted,
        Ending::Cancelled {
            why: CancelReason::LimitReached,
        },
    ];
    let spans = process.recorder.spans();
    ways.map(|way| {
        let eaters = spans.iter().filter(|it| it.effect == EffectKind::Agent);
        eaters.filter(|it| it.ending == Some(way)).count()
    })
}

#[tokio::test]
async fn a_hundred_agents_at_once_take_all_that_there_is_and_no_more() {
    let hungry = Hungry::new(Tokens::new(700, 300));
    let agent = hungry.agent();
    let (durable, process) = limited(Limits::default().with_tokens_max(20_000));
    let eat = move |cx: RunContext, (): ()| {
        let agent = agent.clone();
        async move { hundred(cx, &agent).await }
    };
    let error = process.session.run(&eat, ()).await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert!(
        error.to_string().ends_with("tokens_max 20000 reached"),
        "{error}"
    );
    let usage = &error.report().unwrap().usage;
    assert_eq!(hungry.replies(), 20);
    assert_eq!(
        (usage.model_calls, usage.input_tokens, usage.output_tokens),
        (20, Some(14_000), Some(6_000))
    );
    assert_eq!(endings(&process), [20, 1, 79]);
    let told = durable.told();
    assert_eq!(
        told.iter()
            .filter(|it| it.starts_with("limit_reached"))
            .count(),
        1
    );
}

#[tokio::test]
async fn enough_for_all_is_enough_however_much_each_reserves() {
    let hungry = Hungry::new(Tokens::new(700, 300));
    let agent = hungry.agent();
    let (_, process) = limited(Limits::default().with_tokens_max(100_000));
    let eat = move |cx: RunContext, (): ()| {
        let agent = agent.clone();
        async move { hundred(cx, &agent).await }
    };
    let outcome = process.session.run(&eat, ()).await.unwrap();
    assert_eq!((outcome.output, hungry.replies()), (100, 100));
    assert_eq!(outcome.usage.input_tokens, Some(70_000));
    assert_eq!(endings(&process), [100, 0, 0]);
}

#[tokio::test]
async fn a_list_of_a_hundred_agents_is_bounded_by_the_same_limit() {
    let hungry = Hungry::new(Tokens::new(700, 300));
    let agents = (0..100).map(|_| branch::<Prompt, _, _>(hungry.agent()));
    let workflow = Workflow::chain::<String>("feast").parallel(agents.collect::<Vec<_>>());
    let (durable, process) = limited(Limits::default().with_tokens_max(20_000));
    let session = &process.session;
    let error = session.run(&workflow.build(), "eat").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(hungry.replies(), 20);
    // Eight run at a time: those that had no place yet were never begun.
    let [completed, interrupted, cancelled] = endings(&process);
    assert_eq!((completed, interrupted), (20, 1));
    assert!(cancelled <= 7, "{cancelled} were begun beside it");
    durable.told();
}

#[tokio::test]
async fn a_reply_that_does_not_tell_counts_as_what_was_reserved_for_it() {
    let hungry = Hungry::new(Tokens::default());
    let agent = hungry.agent();
    // Each reserves 4,096 and what it reads; the fifth what is left.
    let (_, process) = limited(Limits::default().with_tokens_max(4 * 4_098 + 1));
    let eat = move |cx: RunContext, (): ()| {
        let agent = agent.clone();
        async move { hundred(cx, &agent).await }
    };
    let error = process.session.run(&eat, ()).await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(hungry.replies(), 5);
    assert_eq!(error.report().unwrap().usage.input_tokens, None);
}

#[tokio::test]
async fn one_reply_may_exceed_what_was_reserved_for_it_and_is_the_last() {
    let hungry = Hungry::new(Tokens::new(9_000, 1_000));
    let once = Workflow::chain::<String>("once").then(hungry.agent());
    let again = once.map(|_| "again".to_owned()).then(hungry.agent());
    let (_, process) = limited(Limits::default().with_tokens_max(5_000));
    let session = &process.session;
    let error = session.run(&again.build(), "eat").await.unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    let usage = &error.report().unwrap().usage;
    assert_eq!((hungry.replies(), usage.input_tokens), (1, Some(9_000)));
}

#[tokio::test]
async fn what_models_say_they_cost_is_bounded_too() {
    let hungry = Hungry::new(Tokens::new(700, 300).costing(400));
    let mut workflow = Workflow::chain::<String>("feast").then(hungry.agent());
    for _ in 0..9 {
        workflow = workflow.then(hungry.agent());
    }
    let (_, process) = limited(Limits::default().with_cost_micro_usd_max(1_000));
    let session = &process.session;
    let error = session.run(&workflow.build(), "eat").await.unwrap_err();
    assert_eq!(error.message(), "cost_micro_usd_max 1000 reached");
    let usage = &error.report().unwrap().usage;
    assert_eq!((hungry.replies(), usage.cost_micro_usd), (3, Some(1_200)));
}

#[tokio::test]
async fn a_limit_of_the_tree_inside_a_tool_ends_the_run_and_is_no_tool_text() {
    let table = [
        (
            Limits::default().with_model_calls_max(1),
            "model_calls_max 1",
        ),
        (Limits::default().with_tool_calls_max(1), "tool_calls_max 1"),
        (Limits::default().with_tokens_max(1), "tokens_max 1"),
    ];
    for (limits, reached) in table {
        // The clerk's tool is a workflow around an expert with a tool of its own.
        let done = Done::default();
        let inner = Workflow::chain("echo")
            .then_fn("say", |_, text: String| async move {
                Ok::<_, loomflow::Error>(text)
            })
            .build();
        let call = Reply::call("echo", json!({"input": "INV-1"}));
        let expert = clerk(&done, &call, [inner.as_tool()]);
        let refund = Workflow::chain::<String>("refund").then(expert).build();
        // Its one reply takes more than the whole tree may; the expert's models are the others.
        let greedy = refund_call().with_tokens(Tokens::new(2, 2));
        let asked = Done::default();
        let desk = desk_of(clerk(&asked, &greedy, [refund.as_tool()]));

        let (durable, process) = limited(limits);
        let error = process.session.run(&desk, "please").await.unwrap_err();
        assert_eq!(error.kind(), RunErrorKind::Interrupted, "{error}");
        assert_eq!(error.message(), format!("{reached} reached"));
        assert_eq!(error.report().unwrap().visited, ["gate"]);
        assert_eq!(asked.asked_models.get(), 1);
        let tree = process.tree();
        assert_eq!(
            tree[..8],
            [
                "loom.workflow.run support ✗ interrupted",
                "  loom.workflow.step gate",
                "  loom.workflow.step clerk ✗ interrupted",
                "    loom.run clerk ✗ interrupted",
                "      loom.turn 0 ✗ interrupted",
                "        loom.model.stream offline",
                "        loom.tool refund ✗ interrupted",
                "          loom.workflow.run refund ✗ interrupted",
            ]
        );
        let told = durable.told();
        let ends = ["tool_interrupted refund", "run_interrupted clerk"];
        for row in ends.into_iter().chain(["workflow_interrupted support"]) {
            assert!(told.iter().any(|it| it == row), "{row} in {told:#?}");
        }
        let limit = told.iter().filter(|it| it.starts_with("limit_reached"));
        assert_eq!(limit.collect::<Vec<_>>(), ["limit_reached clerk"]);
    }
}
