//! What outlives a process: the store, the effects that happened, the people who answer.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Branch, Effect, EffectKind, Error, ErrorKind, Event, Happened, Loom, MemoryJournal, Observer,
    Origin, Outcome, OwnedEvent, Resolution, Result, RunContext, RunError, RunErrorKind, RunId,
    Safety, step,
};
use serde_json::json;

use crate::Crash;
use crate::mortal::Mortal;
use crate::plan::{Body, Plan};

/// What there is besides the processes that work on one run.
#[derive(Clone)]
pub(crate) struct World(Arc<Shared>);

struct Shared {
    plan: Body,
    /// Decides how long everything waits, so which of concurrent effects comes first.
    seed: u64,
    store: Arc<MemoryJournal>,
    attempt: Mutex<u64>,
    /// How often each effect happened that mustn't happen twice, by its path.
    happened: Mutex<BTreeMap<String, u32>>,
    /// How often each step was tried that fails at first.
    tried: Mutex<BTreeMap<String, u8>>,
    events: Mutex<Vec<Vec<OwnedEvent>>>,
}

/// What came of a run in the end.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) output: Result<u64, String>,
    pub(crate) happened: BTreeMap<String, u32>,
    /// The paths of all effects that completed in any attempt.
    pub(crate) completed: BTreeSet<String>,
    /// What each attempt told its observers.
    pub(crate) attempts: Vec<Vec<OwnedEvent>>,
}

/// How an attempt ended.
enum Ended {
    Dead,
    Returned(Box<Result<Outcome<u64>, RunError>>),
}

impl World {
    pub(crate) fn new(plan: &Body, seed: u64) -> Self {
        Self(Arc::new(Shared {
            plan: plan.clone(),
            seed,
            store: Arc::default(),
            attempt: Mutex::new(0),
            happened: Mutex::default(),
            tried: Mutex::default(),
            events: Mutex::default(),
        }))
    }

    /// Runs the plan to its end, with these crashes one after the other; people answer whatever is
    /// asked.
    pub(crate) fn run(&self, crashes: &[Crash]) -> Story {
        let mut crashes = crashes.iter().copied();
        for round in 0..200 {
            assert!(round < 199, "it never ends");
            *self.0.attempt.lock().unwrap() += 1;
            match self.attempt(crashes.next()) {
                Ended::Dead => (),
                Ended::Returned(result) => match *result {
                    Ok(outcome) => return self.story(Ok(outcome.output)),
                    Err(ended) if ended.kind() == RunErrorKind::Paused => self.answer(&ended),
                    Err(ended) => return self.story(Err(format!("{ended:?}"))),
                },
            }
        }
        unreachable!("the last round panics")
    }

    /// One process that works on the run until it ends or is killed.
    fn attempt(&self, crash: Option<Crash>) -> Ended {
        let journal = Mortal::new(self.0.store.clone(), crash);
        let dead = journal.dead();
        self.0.events.lock().unwrap().push(Vec::new());
        let witness = Witness(self.clone(), dead.clone());
        let loom = Loom::builder().journal(journal).observe(witness).build();
        let session = loom.session("alice").id("s");
        let world = self.clone();
        let root = move |cx: RunContext, (): ()| {
            let world = world.clone();
            async move {
                let plan = world.0.plan.clone();
                world.perform(&cx, plan).await
            }
        };
        let root = step(root).named("root");
        let mut run = pin!(session.run(&root, ()).id("run"));
        let mut polls = 0u32;
        block_on(poll_fn(|task| {
            if matches!(crash, Some(Crash::AfterPolls(after)) if polls >= u32::from(after)) {
                dead.store(true, Ordering::SeqCst);
            }
            if dead.load(Ordering::SeqCst) {
                return Poll::Ready(Ended::Dead);
            }
            polls += 1;
            match run.as_mut().poll(task) {
                Poll::Ready(result) => Poll::Ready(Ended::Returned(Box::new(result))),
                Poll::Pending if dead.load(Ordering::SeqCst) => Poll::Ready(Ended::Dead),
                Poll::Pending => Poll::Pending,
            }
        }))
    }

    /// People answer: a program's question by what its path says, one about an unfinished effect by
    /// the truth.
    fn answer(&self, paused: &RunError) {
        let loom = Loom::builder().journal(self.0.store.clone()).build();
        let session = loom.session("alice").id("s");
        assert!(!paused.questions().is_empty(), "it waits for nothing");
        for question in paused.questions() {
            let answer = match question.origin {
                Origin::Unfinished => {
                    let path = question.path.split("#unfinished").next().unwrap();
                    let happened = self.0.happened.lock().unwrap().contains_key(path);
                    json!(match happened {
                        true => Resolution::Ran(json!(value_of(path))),
                        false => Resolution::RunAgain,
                    })
                }
                _ => json!(value_of(&question.path) % 100),
            };
            let run = RunId::new("run").unwrap();
            block_on(session.answer(&run, &question.path, answer)).unwrap();
        }
    }

    fn story(&self, output: Result<u64, String>) -> Story {
        let attempts = std::mem::take(&mut *self.0.events.lock().unwrap());
        let completed = attempts
            .iter()
            .flatten()
            .filter(|it| is_completed(it))
            .map(|it| it.path.clone());
        Story {
            output,
            completed: completed.collect(),
            happened: self.0.happened.lock().unwrap().clone(),
            attempts,
        }
    }

    /// Does what a body says; a number of all it did.
    fn perform<'a>(&'a self, cx: &'a RunContext, body: Body) -> BoxFuture<'a, Result<u64>> {
        Box::pin(async move {
            let mut sum = 0u64;
            for plan in body {
                sum = mixed(sum, self.perform_one(cx, plan).await?);
            }
            Ok(sum)
        })
    }

    async fn perform_one(&self, cx: &RunContext, plan: Plan) -> Result<u64> {
        match plan {
            Plan::Wait(turns) => {
                self.wait(cx, turns).await;
                Ok(1)
            }
            Plan::Step { name, body } => self.step(cx, format!("step {name}"), 0, body).await,
            Plan::Retry { name, fails, body } => {
                let name = format!("retried {name}");
                let world = self.clone();
                let flaky = move |cx: RunContext, (): ()| {
                    let (world, body) = (world.clone(), body.clone());
                    async move {
                        let done = world.perform(&cx, body).await?;
                        world.fail_at_first(&cx, fails)?;
                        Ok::<_, Error>(done)
                    }
                };
                let flaky = step(flaky)
                    .retry(4)
                    .backoff(Duration::ZERO, Duration::ZERO)
                    .repeating_effects();
                cx.step(name, &flaky, ()).await
            }
            Plan::Once { name, waits } => self.once(cx, name, waits).await,
            Plan::Join { at_once, branches } => {
                let branches = branches.into_iter().map(|body| {
                    Branch::new(move |cx: RunContext| async move { self.perform(&cx, body).await })
                });
                let outputs = cx.join(at_once.into(), branches).await?;
                Ok(outputs.into_iter().fold(7, mixed))
            }
            Plan::Together { first, second } => self.together(cx, first, second).await,
            Plan::Ask { name } => cx.ask(format!("ask {name}"), "How many?").await,
            Plan::Handled { name, waits } => self.handled(cx, name, waits).await,
        }
    }

    async fn step(&self, cx: &RunContext, name: String, waits: u8, body: Body) -> Result<u64> {
        let world = self.clone();
        let inner = move |cx: RunContext, (): ()| {
            let (world, body) = (world.clone(), body.clone());
            async move {
                world.wait(&cx, waits).await;
                let done = world.perform(&cx, body).await?;
                Ok::<_, Error>(mixed(done, value_of(&cx.path())))
            }
        };
        cx.step(name, &inner, ()).await
    }

    /// An effect that mustn't happen twice: it is done, and then it takes a while to say so.
    async fn once(&self, cx: &RunContext, name: u8, waits: u8) -> Result<u64> {
        let effect = Effect::new(EffectKind::Step, format!("once {name}"))
            .with_safety(Safety::NotIdempotent);
        cx.perform(effect, (), |cx, ()| async move {
            self.wait(&cx, waits).await;
            let path = cx.path();
            *self
                .0
                .happened
                .lock()
                .unwrap()
                .entry(path.clone())
                .or_default() += 1;
            self.wait(&cx, waits).await;
            Ok(value_of(&path))
        })
        .await
    }

    /// Two steps at once on one context, which names of their own keep apart.
    async fn together(&self, cx: &RunContext, first: u8, second: u8) -> Result<u64> {
        let world = self.clone();
        let both = move |cx: RunContext, (): ()| {
            let world = world.clone();
            async move {
                let first = world.step(&cx, "first".into(), first, Vec::new());
                let second = world.step(&cx, "second".into(), second, Vec::new());
                let (first, second) = futures::join!(first, second);
                Ok::<_, Error>(mixed(first?, second?))
            }
        };
        cx.step("together", &both, ()).await
    }

    /// A branch that asks and one that fails: the set fails, the question goes with it, and the
    /// body continues.
    async fn handled(&self, cx: &RunContext, name: u8, waits: u8) -> Result<u64> {
        let world = self.clone();
        let risky = move |cx: RunContext, (): ()| {
            let world = world.clone();
            async move {
                let asking = Branch::new(|cx: RunContext| async move {
                    cx.ask::<u64>("never answered", "Or is it?").await
                });
                let failing = Branch::new(|cx: RunContext| {
                    let world = world.clone();
                    async move {
                        world.wait(&cx, waits).await;
                        Err(Error::new(ErrorKind::Failed, "it failed").retryable(false))
                    }
                });
                let failed = cx.join(2, [asking, failing]).await.unwrap_err();
                match failed.kind() {
                    ErrorKind::Failed => Ok(3),
                    _ => Err(failed),
                }
            }
        };
        cx.step(format!("handled {name}"), &risky, ()).await
    }

    fn fail_at_first(&self, cx: &RunContext, fails: u8) -> Result<()> {
        let mut tried = self.0.tried.lock().unwrap();
        let tried = tried.entry(cx.path()).or_default();
        *tried += 1;
        match *tried > fails {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Failed, "not yet")),
        }
    }

    /// Lets others go first for some turns: how many differs with the attempt and the place.
    async fn wait(&self, cx: &RunContext, turns: u8) {
        let attempt = *self.0.attempt.lock().unwrap();
        let random = mixed(mixed(self.0.seed, attempt), value_of(&cx.path()));
        for _ in 0..u64::from(turns) * (random % 3) {
            let mut is_first = true;
            poll_fn(|task| {
                task.waker().wake_by_ref();
                match std::mem::take(&mut is_first) {
                    true => Poll::Pending,
                    false => Poll::Ready(()),
                }
            })
            .await;
        }
    }
}

/// Sees what happens in a process until it is killed.
struct Witness(World, Arc<AtomicBool>);

impl Observer for Witness {
    fn on_event(&self, event: &Event<'_>) {
        if !self.1.load(Ordering::SeqCst) {
            let mut events = self.0.0.events.lock().unwrap();
            events.last_mut().unwrap().push(OwnedEvent::of(event));
        }
    }
}

pub(crate) fn is_completed(event: &OwnedEvent) -> bool {
    matches!(&event.what, Happened::Closed { ending, .. } if ending.as_str() == "completed")
}

/// A number that stands for a path.
pub(crate) fn value_of(path: &str) -> u64 {
    path.bytes().fold(17, |sum, byte| mixed(sum, byte.into())) % 1_000_003
}

fn mixed(sum: u64, more: u64) -> u64 {
    (sum.rotate_left(7) ^ more).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12
}
