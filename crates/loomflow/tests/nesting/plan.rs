//! A random composition, and the real thing built from it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use loomflow::{
    Agent, Effect, EffectView, Error, ErrorKind, Gate, Info, Kind, Model, Reply, Request, Result,
    RunContext, Runnable, Step, Tool, Verdict, Workflow, step,
};
use proptest::prelude::*;
use serde_json::json;

/// A composition: every part takes text and gives text.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    Leaf(u32, Leaf),
    Chain(u32, Vec<Plan>),
    /// The handlers, and which one the classifier picks: an index beyond them is no label.
    Route(u32, Vec<Plan>, usize),
    /// The tools each turn calls, and how it ends.
    Agent(u32, Vec<Vec<Plan>>, Answer),
    /// A part with a time limit that grows with what it holds, so that an outer one never
    /// passes because of inner ones.
    Timed(u32, Box<Plan>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Leaf {
    Gives,
    /// Gives after it was polled this many times.
    Waits(u8),
    Fails,
    IsInvalid,
    Panics,
    /// Panics before it gives its future.
    PanicsAtOnce,
    /// A gate denies it.
    Forbidden,
    /// Sleeps longer than any limit.
    Sleeps,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Text,
    Fails,
    Panics,
}

/// Longer than any limit, within what Tokio's timers can hold.
const SLEEP: Duration = Duration::from_secs(60_000_000);

/// Any composition of up to three levels, most of them composed of composed parts.
pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let parts = |part: BoxedStrategy<Plan>| prop_oneof![1 => leaves(), 3 => composed(part)].boxed();
    let plan = prop_oneof![1 => leaves(), 9 => composed(parts(composed(leaves())))];
    plan.prop_map(|mut plan| {
        number(&mut plan, &mut 0);
        plan
    })
}

fn leaves() -> BoxedStrategy<Plan> {
    let leaf = prop_oneof![
        4 => Just(Leaf::Gives),
        3 => (1..4u8).prop_map(Leaf::Waits),
        1 => Just(Leaf::Fails),
        1 => Just(Leaf::IsInvalid),
        1 => Just(Leaf::Panics),
        1 => Just(Leaf::PanicsAtOnce),
        1 => Just(Leaf::Forbidden),
        1 => Just(Leaf::Sleeps),
    ];
    leaf.prop_map(|leaf| Plan::Leaf(0, leaf)).boxed()
}

fn composed(part: BoxedStrategy<Plan>) -> BoxedStrategy<Plan> {
    let answer =
        prop_oneof![4 => Just(Answer::Text), 1 => Just(Answer::Fails), 1 => Just(Answer::Panics)];
    let parts = || prop::collection::vec(part.clone(), 1..3);
    prop_oneof![
        3 => parts().prop_map(|parts| Plan::Chain(0, parts)),
        3 => (parts(), 0..3usize).prop_map(|(parts, picked)| Plan::Route(0, parts, picked)),
        4 => (prop::collection::vec(parts(), 0..3), answer)
            .prop_map(|(turns, answer)| Plan::Agent(0, turns, answer)),
        1 => part.prop_map(|part| Plan::Timed(0, Box::new(part))),
    ]
    .boxed()
}

/// Gives every part a number of its own, so that names are unique.
fn number(plan: &mut Plan, next: &mut u32) {
    *next += 1;
    let own = *next;
    match plan {
        Plan::Leaf(id, _) => *id = own,
        Plan::Chain(id, parts) | Plan::Route(id, parts, _) => {
            *id = own;
            parts.iter_mut().for_each(|part| number(part, next));
        }
        Plan::Agent(id, turns, _) => {
            *id = own;
            turns
                .iter_mut()
                .flatten()
                .for_each(|part| number(part, next));
        }
        Plan::Timed(id, part) => {
            *id = own;
            number(part, next);
        }
    }
}

impl Plan {
    /// What a node that holds this part is called.
    pub(crate) fn name(&self) -> String {
        match self {
            Plan::Leaf(id, Leaf::Forbidden) => format!("forbidden{id}"),
            Plan::Leaf(id, _) => format!("leaf{id}"),
            Plan::Chain(id, _) => format!("chain{id}"),
            Plan::Route(id, ..) => format!("route{id}"),
            Plan::Agent(id, ..) => format!("agent{id}"),
            Plan::Timed(_, part) => part.name(),
        }
    }

    /// How many levels of parts it has.
    fn height(&self) -> u32 {
        let below = match self {
            Plan::Leaf(..) => return 1,
            Plan::Chain(_, parts) | Plan::Route(_, parts, _) => {
                parts.iter().map(Plan::height).max()
            }
            Plan::Agent(_, turns, _) => turns.iter().flatten().map(Plan::height).max(),
            Plan::Timed(_, part) => Some(part.height()),
        };
        1 + below.unwrap_or(0)
    }

    /// The real thing.
    pub(crate) fn build(&self) -> Step<String, String> {
        match self {
            Plan::Leaf(_, leaf) => Step::new(LeafStep {
                name: self.name(),
                leaf: *leaf,
            }),
            Plan::Chain(_, parts) => {
                let mut chain = Workflow::chain::<String>(self.name());
                for part in parts {
                    chain = chain.then(part.build());
                }
                Step::new(chain.build())
            }
            Plan::Route(_, parts, picked) => {
                let label = label_of(parts, *picked);
                let classify = move |_: String| {
                    let label = label.clone();
                    async move { Ok::<_, Error>(label) }
                };
                let mut route = Workflow::route::<String, _, String, _>(self.name(), classify);
                for part in parts {
                    route = route.on(part.name(), part.build());
                }
                Step::new(route.build().unwrap())
            }
            Plan::Agent(_, turns, answer) => self.build_agent(turns, *answer),
            Plan::Timed(_, part) => {
                let limit = Duration::from_secs(60u64.pow(part.height()));
                Step::new(step(part.build()).timeout(limit))
            }
        }
    }

    fn build_agent(&self, turns: &[Vec<Plan>], answer: Answer) -> Step<String, String> {
        let tool = |part: &Plan| Tool::new(part.name(), "A part.", part.build());
        let script: Vec<Vec<String>> = turns
            .iter()
            .map(|parts| parts.iter().map(Plan::name).collect())
            .collect();
        let replies = move |request: &Request<'_>| {
            let turn = request.messages.len() / 2;
            match script.get(turn) {
                Some(calls) => Ok(calls.iter().fold(Reply::text(""), |reply, name| {
                    reply.and_call(name.clone(), json!({"input": "go"}))
                })),
                None => match answer {
                    Answer::Text => Ok(Reply::text("answer")),
                    Answer::Fails => Err(Error::new(ErrorKind::Upstream, "the model is down")),
                    Answer::Panics => panic!("the model panics"),
                },
            }
        };
        let tools = turns.iter().flatten().map(tool);
        let agent = Agent::builder("Go.")
            .named(self.name())
            .model(SlowModel(replies))
            .tools(tools)
            .build()
            .unwrap();
        Step::new(AgentOfText(agent))
    }
}

/// The label the classifier gives: a handler's, or one that no handler has.
pub(crate) fn label_of(parts: &[Plan], picked: usize) -> String {
    parts
        .get(picked)
        .map_or_else(|| "nowhere".to_owned(), Plan::name)
}

/// A model that isn't there at once, so that a run can be stopped while it thinks.
struct SlowModel<F>(F);

impl<F> Model for SlowModel<F>
where
    F: Fn(&Request<'_>) -> Result<Reply> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        "model"
    }

    async fn stream(&self, _cx: &RunContext, request: &Request<'_>) -> Result<Reply> {
        SUSPENDS.await;
        (self.0)(request)
    }
}

/// An agent that takes text, so that all parts have one type.
struct AgentOfText(Agent);

impl Runnable<String> for AgentOfText {
    type Out = String;

    async fn run(&self, cx: &RunContext, input: String) -> Result<String> {
        self.0.run(cx, input.into()).await
    }

    fn info(&self) -> Info {
        self.0.info()
    }
}

struct LeafStep {
    name: String,
    leaf: Leaf,
}

impl Runnable<String> for LeafStep {
    type Out = String;

    fn run(&self, _cx: &RunContext, input: String) -> impl Future<Output = Result<String>> + Send {
        let leaf = self.leaf;
        assert!(leaf != Leaf::PanicsAtOnce, "panics at once");
        async move {
            match leaf {
                Leaf::Waits(polls) => Waiting(polls).await,
                Leaf::Fails => return Err(Error::new(ErrorKind::Failed, "fails")),
                Leaf::IsInvalid => return Err(Error::invalid("is invalid")),
                Leaf::Panics => panic!("panics"),
                Leaf::Sleeps => tokio::time::sleep(SLEEP).await,
                Leaf::Gives | Leaf::PanicsAtOnce | Leaf::Forbidden => (),
            }
            Ok(input)
        }
    }

    fn info(&self) -> Info {
        Info::new(self.name.clone(), Kind::Function)
    }
}

/// Pending for this many polls.
#[derive(Clone, Copy)]
struct Waiting(u8);

/// Pending twice, since what has a time limit is polled a second time when it first is pending.
const SUSPENDS: Waiting = Waiting(2);

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Denies what is called forbidden; waits a moment, so that a run can be stopped while it is asked.
pub(crate) struct Guard;

impl Gate for Guard {
    fn name(&self) -> &str {
        "guard"
    }

    async fn check(&self, _cx: &EffectView, effect: &Effect) -> Verdict {
        SUSPENDS.await;
        if effect.name().contains("forbidden") {
            Verdict::deny("it is forbidden")
        } else {
            Verdict::Allow
        }
    }
}
