//! Steps that the tests run.

use std::future::poll_fn;
use std::task::Poll;

use futures::executor::block_on;
use loom_core::{Error, ErrorKind, Result, RunContext, Session, Tool, ToolOutput};
use serde_json::Value;

/// Gives back what it gets.
pub(crate) async fn echo(text: String) -> Result<String> {
    Ok(text)
}

/// Never ends.
pub(crate) async fn forever(_: String) -> Result<String> {
    futures::future::pending().await
}

/// Fails.
pub(crate) async fn fail(_: String) -> Result<String> {
    Err(Error::new(ErrorKind::Failed, "broken"))
}

/// Panics with a message that was put together.
pub(crate) async fn panic(text: String) -> Result<String> {
    panic!("no {text} today")
}

/// Needs one poll more than this.
pub(crate) async fn wait(polls: u32) -> Result<u32> {
    for _ in 0..polls {
        give_way().await;
    }
    Ok(polls)
}

/// Is ready the second time it is polled; needs no runtime.
pub(crate) async fn give_way() {
    let mut polled = false;
    poll_fn(|task| {
        if polled {
            return Poll::Ready(());
        }
        polled = true;
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Calls the tool in a run of its own.
pub(crate) fn call(session: &Session, tool: Tool, args: Value) -> Result<ToolOutput> {
    let root = move |cx: RunContext, args: Value| {
        let tool = tool.clone();
        async move { tool.call(&cx, "c1", args).await }
    };
    let ended = block_on(session.run(&root, args));
    ended
        .map(|it| it.output)
        .map_err(|ended| ended.error().clone())
}
