//! A support desk: a workflow around an agent around a workflow that asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use loomflow::{
    Agent, Error, ErrorKind, FnModel, Model, Reply, Request, Result, RunContext, Tool, ToolResult,
    Workflow,
};
use serde_json::json;

/// How often something was done, in whichever process.
#[derive(Clone, Default)]
pub(crate) struct Count(Arc<AtomicU32>);

impl Count {
    pub(crate) fn add(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What the desk's parts did, in whichever process.
#[derive(Clone, Default)]
pub(crate) struct Done {
    pub(crate) asked_models: Count,
    pub(crate) authorized: Count,
    pub(crate) paid: Count,
    pub(crate) looked_up: Count,
}

pub(crate) async fn gate(text: String) -> Result<String> {
    Ok(text)
}

pub(crate) async fn log_completion(text: String) -> Result<String> {
    Ok(text)
}

async fn approve(cx: RunContext, request: String) -> Result<String> {
    let sure: bool = cx.ask("sure", format!("Refund {request}?")).await?;
    match sure {
        true => Ok(request),
        false => Err(Error::new(ErrorKind::Denied, "not without a receipt")),
    }
}

/// A step that counts how often it ran, and gives its input on.
pub(crate) fn counting(
    name: &'static str,
    count: &Count,
) -> impl Fn(RunContext, String) -> std::future::Ready<Result<String>> + Send + Sync + 'static {
    let count = count.clone();
    move |_, text| {
        count.add();
        std::future::ready(Ok(format!("{text}, {name}")))
    }
}

/// Authorizes, asks, pays.
pub(crate) fn refund(done: &Done) -> Workflow<String, String> {
    Workflow::chain("refund")
        .then_fn("authorize", counting("authorized", &done.authorized))
        .then(approve)
        .then_fn("execute", counting("paid", &done.paid))
        .build()
}

/// A model that makes these calls first and then says what they gave.
pub(crate) fn calling(done: &Done, calls: &Reply) -> impl Model + use<> {
    let (asked, calls) = (done.asked_models.clone(), calls.clone());
    FnModel::new("offline", move |request: &Request<'_>| {
        asked.add();
        Ok(match request.tool_results() {
            [] => calls.clone(),
            results => Reply::text(said(results)),
        })
    })
}

pub(crate) fn said(results: &[ToolResult]) -> String {
    let texts: Vec<&str> = results.iter().map(|it| it.text.as_str()).collect();
    texts.join(" | ")
}

pub(crate) fn clerk(done: &Done, calls: &Reply, tools: impl IntoIterator<Item = Tool>) -> Agent {
    let clerk = Agent::builder("Help.").named("clerk");
    clerk
        .model(calling(done, calls))
        .tools(tools)
        .build()
        .unwrap()
}

pub(crate) fn refund_call() -> Reply {
    Reply::call("refund", json!({"input": "INV-1"}))
}

/// The gate, a clerk who refunds through the workflow, the log.
pub(crate) fn desk(done: &Done) -> Workflow<String, String> {
    desk_of(clerk(done, &refund_call(), [refund(done).as_tool()]))
}

pub(crate) fn desk_of(clerk: Agent) -> Workflow<String, String> {
    Workflow::chain("support")
        .then(gate)
        .then(clerk)
        .then(log_completion)
        .build()
}
