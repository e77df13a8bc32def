//! More calls in one reply than are accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom_agent::{Reply, ToolCall, ToolResult};
use loom_core::{Ending, Error, Tool};
use serde_json::json;

use crate::recorded::{assert_each_closed_once, recorded};
use crate::script::caller;

/// How often a tool ran, and how many of it at once.
#[derive(Default)]
struct Ran {
    all: AtomicUsize,
    now: AtomicUsize,
    at_once_max: AtomicUsize,
}

fn counting(ran: &Arc<Ran>) -> Tool {
    let ran = ran.clone();
    Tool::new("count", "Counts its calls.", move |n: usize| {
        let ran = ran.clone();
        async move {
            ran.all.fetch_add(1, Ordering::SeqCst);
            let now = ran.now.fetch_add(1, Ordering::SeqCst) + 1;
            ran.at_once_max.fetch_max(now, Ordering::SeqCst);
            // Lengths differ, so that they end in another order than they begin.
            tokio::time::sleep(Duration::from_millis(1 + (n as u64 * 7) % 11)).await;
            ran.now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, Error>(n)
        }
    })
}

fn calls(many: usize) -> Reply {
    let mut reply = Reply::default();
    reply.calls = (0..many)
        .map(|n| ToolCall {
            id: format!("call_{n}").into(),
            name: "count".into(),
            arguments: json!({"input": n}).into(),
        })
        .collect();
    reply
}

fn result(n: usize, text: &str, is_error: bool) -> ToolResult {
    ToolResult {
        call_id: format!("call_{n}").into(),
        name: "count".into(),
        text: text.to_owned(),
        is_error,
    }
}

const REFUSED: &str = "error: too many tool calls in one reply: only the first 128 were made; \
    call it again";

#[tokio::test(start_paused = true)]
async fn f072_of_ten_thousand_calls_128_are_made_eight_at_once_and_the_rest_refused() {
    let (recorder, session) = recorded();
    let ran = Arc::new(Ran::default());
    let (agent, shown) = caller(calls(10_000), [counting(&ran)]);
    let outcome = session.run(&agent, "Count.").await.unwrap();
    assert_eq!(outcome.output, "done");

    assert_eq!(ran.all.load(Ordering::SeqCst), 128);
    assert_eq!(ran.at_once_max.load(Ordering::SeqCst), 8);
    let expected: Vec<ToolResult> = (0..10_000)
        .map(|n| match n {
            0..128 => result(n, &n.to_string(), false),
            _ => result(n, REFUSED, true),
        })
        .collect();
    assert!(shown.told() == expected, "every call has its result");

    assert_each_closed_once(&recorder);
    let spans = recorder.spans();
    let ended = |ending| spans.iter().filter(|it| it.ending == Some(ending)).count();
    assert_eq!(ended(Ending::Failed), 10_000 - 128);
    assert_eq!(ended(Ending::Completed), 128 + 5);
}

#[tokio::test(start_paused = true)]
async fn exactly_128_calls_are_all_made() {
    let (_, session) = recorded();
    let ran = Arc::new(Ran::default());
    let (agent, shown) = caller(calls(128), [counting(&ran)]);
    session.run(&agent, "Count.").await.unwrap();
    assert_eq!(ran.all.load(Ordering::SeqCst), 128);
    assert!(shown.told().iter().all(|it| !it.is_error));
}
