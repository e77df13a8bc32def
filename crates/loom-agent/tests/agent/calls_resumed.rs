//! An agent with a journal: each call keeps its own records, question and answer whatever comes
//! first, and what a turn costs in writes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loom_agent::{Agent, FnModel, Model, Reply, Request};
use loom_core::{
    Answered, Approval, Batch, Claimed, Error, Forget, FoundRun, Journal, JournalRun, Lease, Loom,
    Lost, MemoryJournal, Origin, Page, Released, Renewed, Result, RunContext, RunErrorKind,
    RunQuery, Session, SlotKey, Step, Tool,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::script::{gave, script};

/// What is different in each attempt, while the definition is the same.
#[derive(Clone, Default)]
struct Attempt {
    ran: Arc<Mutex<Vec<String>>>,
    /// Who is slow before the question, if it isn't replayed.
    slow: &'static str,
    /// Who never ends after the question.
    hangs: &'static str,
}

impl Attempt {
    fn slow(slow: &'static str) -> Self {
        Self {
            slow,
            ..Self::default()
        }
    }

    /// A tool that looks, asks, and acts as it was answered: under the same names in every call.
    fn pay(&self) -> Tool {
        let it = self.clone();
        let pay = move |cx: RunContext, who: String| {
            let it = it.clone();
            async move {
                let looked: String = cx.step("look", &it.look(), who).await?;
                let sure: bool = cx.ask("approve", "Pay?").await?;
                let act = it.act();
                cx.step("act", &act, format!("{looked} {sure}")).await
            }
        };
        Tool::new("pay", "Pays.", pay).idempotent()
    }

    fn look(&self) -> Step<String, String> {
        let it = self.clone();
        Step::new(move |who: String| {
            let it = it.clone();
            async move {
                if it.slow == who {
                    sleep(Duration::from_millis(50)).await;
                }
                it.ran.lock().unwrap().push(format!("look {who}"));
                Ok::<_, Error>(who)
            }
        })
    }

    fn act(&self) -> Step<String, String> {
        let it = self.clone();
        Step::new(move |what: String| {
            let it = it.clone();
            async move {
                it.ran.lock().unwrap().push(format!("act {what}"));
                if !it.hangs.is_empty() && what.starts_with(it.hangs) {
                    futures::future::pending::<()>().await;
                }
                Ok::<_, Error>(what)
            }
        })
    }

    fn agent(&self, calls: &Reply) -> Agent {
        let agent = Agent::builder("Pay.").model(calling(calls));
        agent.tool(self.pay()).build().unwrap()
    }

    fn ran(&self) -> Vec<String> {
        let mut ran = std::mem::take(&mut *self.ran.lock().unwrap());
        ran.sort();
        ran
    }
}

/// A model that makes these calls and then says what they returned.
fn calling(calls: &Reply) -> impl Model + use<> {
    let calls = calls.clone();
    FnModel::new("scripted", move |request: &Request<'_>| {
        Ok(match request.tool_results() {
            [] => calls.clone(),
            results => {
                let texts: Vec<&str> = results.iter().map(|it| it.text.as_str()).collect();
                Reply::text(texts.join(", "))
            }
        })
    })
}

fn session(journal: &Arc<impl Journal>) -> Session {
    let loom = Loom::builder().journal(journal.clone()).build();
    loom.session("alice").id("desk")
}

/// Two calls of one tool, with these ids.
fn calls(ids: [&'static str; 2]) -> Reply {
    let mut calls =
        Reply::call("pay", json!({"input": "a"})).and_call("pay", json!({"input": "b"}));
    for (call, id) in calls.calls.iter_mut().zip(ids) {
        call.id = id.into();
    }
    calls
}

/// The ids of two calls, and where each of the two asks.
const IDS: [([&str; 2], [&str; 2]); 3] = [
    (["c1", "c2"], ["tool:pay[c1]", "tool:pay[c2]"]),
    (["c1", "c1"], ["tool:pay[c1]", "tool:pay[c1]#2"]),
    (["", ""], ["tool:pay[]", "tool:pay[]#2"]),
];

#[tokio::test(start_paused = true)]
async fn each_call_gets_its_own_answer_whoever_asked_first_and_whatever_its_id() {
    for (ids, places) in IDS {
        for slow in ["a", "b"] {
            let (journal, calls) = (Arc::new(MemoryJournal::default()), calls(ids));
            let first = Attempt::slow(slow);
            let paused = session(&journal).run(&first.agent(&calls), "?").await;
            let paused = paused.unwrap_err();
            assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused:?}");
            assert_eq!(first.ran(), ["look a", "look b"]);
            let run = paused.report().unwrap().run_id.clone();
            let paths = places.map(|it| format!("agent/turn:0/{it}/approve"));
            let mut asked: Vec<&str> = paused.questions().iter().map(|it| &*it.path).collect();
            asked.sort_unstable();
            let mut expected = paths.clone();
            expected.sort_unstable();
            assert_eq!(asked, expected);
            for (path, sure) in paths.iter().zip([false, true]) {
                session(&journal).answer(&run, path, sure).await.unwrap();
            }

            // A crash in the midst of what `slow` does, and then all of it.
            let second = Attempt {
                hangs: slow,
                ..Attempt::default()
            };
            let (again, desk) = (second.agent(&calls), session(&journal));
            let dropped = timeout(Duration::from_secs(1), desk.resume(&run, &again)).await;
            assert!(dropped.is_err());
            assert_eq!(second.ran(), ["act a false", "act b true"]);
            let third = Attempt::default();
            let outcome = session(&journal).resume(&run, &third.agent(&calls)).await;
            assert_eq!(outcome.unwrap().output, "a false, b true");
            let cut_off = match slow {
                "a" => "act a false",
                _ => "act b true",
            };
            assert_eq!(third.ran(), [cut_off]);
        }
    }
}

/// A journal that counts what is written to it.
#[derive(Default)]
struct Counting {
    inner: MemoryJournal,
    writes: AtomicUsize,
}

impl Journal for Counting {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        self.inner.claim(run, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewed, Lost> {
        self.inner.renew(lease, ttl).await
    }

    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.inner.write(lease, batch).await
    }

    fn release(&self, lease: &Lease, how: Released) {
        self.inner.release(lease, how);
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<Answered> {
        self.inner.answer(run, path, value).await
    }

    async fn read(&self, run: &JournalRun, slot: &SlotKey) -> Result<Option<Value>> {
        self.inner.read(run, slot).await
    }

    async fn runs(&self, query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
        self.inner.runs(query).await
    }

    async fn request_cancel(&self, run: &JournalRun) -> Result<bool> {
        self.inner.request_cancel(run).await
    }

    async fn forget(&self, what: &Forget) -> Result<u64> {
        self.inner.forget(what).await
    }
}

/// How often an agent writes that calls a tool in each of so many turns and then answers.
async fn writes(turns: usize) -> usize {
    let replies = (0..turns).map(|_| Reply::call("add", json!({"input": 1})));
    let (model, _) = script(replies.chain([Reply::text("done")]));
    let add = Tool::new(
        "add",
        "Adds one.",
        |n: u64| async move { Ok::<_, Error>(n + 1) },
    );
    let agent = Agent::builder("Add.").model(model).tool(add);
    let journal = Arc::new(Counting::default());
    let run = session(&journal).run(&agent.build().unwrap(), "?").await;
    run.unwrap();
    journal.writes.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_turn_with_a_tool_makes_at_most_five_writes_and_two_turns_at_most_eleven() {
    let (one, two) = (writes(1).await, writes(2).await);
    assert!(two - one <= 5, "a turn with one tool took {}", two - one);
    // A call, and the answer.
    assert!(one <= 11, "an agent of two turns with one tool took {one}");
}

#[tokio::test]
async fn arguments_that_a_person_changed_have_to_fit_the_schema() {
    let paid = |amount: u64| async move { Ok::<_, Error>(format!("paid {amount}")) };
    let calls = Reply::call("pay", json!({"input": 500}));
    let journal = Arc::new(MemoryJournal::default());
    let agent = || {
        let pay = Tool::new("pay", "Pays.", paid).destructive();
        let agent = Agent::builder("Pay.").model(calling(&calls));
        agent.tool(pay).build().unwrap()
    };
    let paused = session(&journal).run(&agent(), "?").await.unwrap_err();
    let run = paused.report().unwrap().run_id.clone();
    let question = &paused.questions()[0];
    assert_eq!(question.origin, Origin::Approval);
    let changed = |amount: Value| Approval::GrantedWith(json!({"input": amount}));
    let wrong = changed(json!("a lot"));
    let answered = session(&journal).answer(&run, &question.path, wrong).await;
    answered.unwrap();
    // What doesn't fit is asked about again.
    let again = session(&journal).resume(&run, &agent()).await.unwrap_err();
    assert_eq!(again.kind(), RunErrorKind::Paused);
    let question = &again.questions()[0];
    let right = changed(json!(5));
    let answered = session(&journal).answer(&run, &question.path, right).await;
    answered.unwrap();
    let outcome = session(&journal).resume(&run, &agent()).await.unwrap();
    assert_eq!(outcome.output, gave("c1", "pay", "paid 5").text);
}
