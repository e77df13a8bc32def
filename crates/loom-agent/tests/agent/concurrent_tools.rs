//! Tools of one turn run at the same time, at most eight of them, a sequential one alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loom_agent::Reply;
use loom_core::{Error, Happened, Result, Tool};
use serde_json::json;
use tokio::sync::Barrier;
use tokio::time::{Instant, sleep};

use crate::recorded::{recorded, tree};
use crate::script::{caller, gave};

/// What happened when, in seconds since the first call.
#[derive(Clone)]
struct Log {
    start: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            lines: Arc::default(),
        }
    }

    fn add(&self, what: &str) {
        let at = self.start.elapsed().as_secs();
        self.lines.lock().unwrap().push(format!("{at}s {what}"));
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// A tool that takes as many seconds as it is told, and says when it began and ended.
    fn sleeper(&self, name: &'static str) -> Tool {
        let log = self.clone();
        let sleep_for = move |secs: u64| {
            let log = log.clone();
            async move {
                log.add(&format!("{name} begins"));
                sleep(Duration::from_secs(secs)).await;
                log.add(&format!("{name} ends"));
                Ok::<_, Error>(format!("{name} slept {secs} s"))
            }
        };
        Tool::new(name, "Sleeps.", sleep_for)
    }
}

#[tokio::test(start_paused = true)]
async fn tools_of_one_turn_meet_while_they_run() {
    let (recorder, session) = recorded();
    let barrier = Arc::new(Barrier::new(3));
    let meet = Tool::new("meet", "Waits for two others.", move |who: String| {
        let barrier = barrier.clone();
        async move {
            barrier.wait().await;
            Ok::<_, Error>(format!("{who} met them"))
        }
    });
    let calls = Reply::call("meet", json!({"input": "a"}))
        .and_call("meet", json!({"input": "b"}))
        .and_call("meet", json!({"input": "c"}));
    let (agent, shown) = caller(calls, [meet]);

    // One after another they would wait for ever.
    let session = session.deadline(Duration::from_secs(60));
    session.run(&agent, "Meet.").await.unwrap();
    assert_eq!(
        shown.told(),
        [
            gave("c1", "meet", "a met them"),
            gave("c2", "meet", "b met them"),
            gave("c3", "meet", "c met them"),
        ]
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent",
            "  loom.turn 0",
            "    loom.model.stream scripted",
            "    loom.tool meet",
            "    loom.tool meet",
            "    loom.tool meet",
            "  loom.turn 1",
            "    loom.model.stream scripted",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn results_are_in_the_order_of_the_calls_whatever_finishes_first() {
    let (recorder, session) = recorded();
    let log = Log::new();
    let calls = Reply::call("slow", json!({"input": 3}))
        .and_call("quick", json!({"input": 1}))
        .and_call("middling", json!({"input": 2}));
    let tools = ["slow", "quick", "middling"].map(|name| log.sleeper(name));
    let (agent, shown) = caller(calls, tools);
    session.run(&agent, "Sleep.").await.unwrap();
    assert_eq!(
        shown.told(),
        [
            gave("c1", "slow", "slow slept 3 s"),
            gave("c2", "quick", "quick slept 1 s"),
            gave("c3", "middling", "middling slept 2 s"),
        ]
    );

    let events = recorder.events().into_iter();
    let closed = events.filter(|it| matches!(it.what, Happened::Closed { .. }));
    let closed: Vec<String> = closed.map(|it| it.path).collect();
    assert_eq!(
        closed[1..4],
        [
            "agent/turn:0/tool:quick[c2]",
            "agent/turn:0/tool:middling[c3]",
            "agent/turn:0/tool:slow[c1]",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn at_most_eight_run_at_once_and_the_next_begins_when_one_ends() {
    let (_, session) = recorded();
    let log = Log::new();
    // The first takes one second, the other nine take two.
    let calls = (0..9).fold(Reply::call("nap", json!({"input": 1})), |calls, _| {
        calls.and_call("nap", json!({"input": 2}))
    });
    let (agent, shown) = caller(calls, [log.sleeper("nap")]);
    session.run(&agent, "Sleep.").await.unwrap();
    assert_eq!(shown.told().len(), 10);

    let moments = [
        ("0s nap begins", 8),
        ("1s nap ends", 1),
        ("1s nap begins", 1),
        ("2s nap ends", 7),
    ];
    let expected: Vec<&str> = moments
        .iter()
        .flat_map(|&(line, times)| std::iter::repeat_n(line, times))
        .collect();
    let lines = log.lines();
    assert_eq!(lines[..17], expected);
    assert_eq!(lines[17..], ["2s nap begins", "3s nap ends", "4s nap ends"]);
}

#[tokio::test(start_paused = true)]
async fn a_sequential_tool_runs_alone_and_nobody_overtakes_it() {
    let (_, session) = recorded();
    let log = Log::new();
    let calls = Reply::call("a", json!({"input": 1}))
        .and_call("b", json!({"input": 2}))
        .and_call("alone", json!({"input": 1}))
        .and_call("c", json!({"input": 2}))
        .and_call("d", json!({"input": 1}));
    let mut tools: Vec<Tool> = ["a", "b", "c", "d"].map(|name| log.sleeper(name)).into();
    tools.push(log.sleeper("alone").sequential());
    let (agent, shown) = caller(calls, tools);
    session.run(&agent, "Sleep.").await.unwrap();
    assert_eq!(
        log.lines(),
        [
            "0s a begins",
            "0s b begins",
            "1s a ends",
            "2s b ends",
            "2s alone begins",
            "3s alone ends",
            "3s c begins",
            "3s d begins",
            "4s d ends",
            "5s c ends",
        ]
    );
    let called: Vec<_> = shown.told().into_iter().map(|it| it.name).collect();
    assert_eq!(called, ["a", "b", "alone", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn sequential_tools_run_one_after_another_in_the_order_of_the_calls() {
    let (_, session) = recorded();
    let log = Log::new();
    let calls = Reply::call("first", json!({"input": 2})).and_call("second", json!({"input": 1}));
    let tools = ["second", "first"].map(|name| log.sleeper(name).sequential());
    let (agent, _) = caller(calls, tools);
    session.run(&agent, "Sleep.").await.unwrap();
    assert_eq!(
        log.lines(),
        [
            "0s first begins",
            "2s first ends",
            "2s second begins",
            "3s second ends",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_does_not_stop_the_others() {
    let (recorder, session) = recorded();
    let log = Log::new();
    let fail = Tool::new("fail", "Fails.", |_: u64| async {
        Err::<(), _>(std::io::Error::other("broken"))
    });
    let calls = Reply::call("fail", json!({"input": 0})).and_call("nap", json!({"input": 1}));
    let (agent, shown) = caller(calls, [fail, log.sleeper("nap")]);
    let outcome: Result<_, loom_core::RunError> = session.run(&agent, "Sleep.").await;
    assert_eq!(outcome.unwrap().output, "done");
    let told: Vec<_> = shown.told().into_iter().map(|it| it.text).collect();
    assert_eq!(told, ["error: broken", "nap slept 1 s"]);
    assert_eq!(
        tree(&recorder)[1..5],
        [
            "  loom.turn 0",
            "    loom.model.stream scripted",
            "    loom.tool fail ✗ failed",
            "    loom.tool nap",
        ]
    );
}
