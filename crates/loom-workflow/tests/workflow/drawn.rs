//! Definitions to draw: a route that holds an agent whose tool is a workflow, and a loop.

use loom_core::{
    Effect, EffectKind, Error, ErrorKind, Info, Kind, Link, Result, RunContext, Runnable, Tool,
};
use loom_workflow::Workflow;
use serde_json::json;

async fn classify(text: String) -> Result<String> {
    Ok(if text.contains("charged") {
        "billing"
    } else {
        "tech"
    }
    .to_owned())
}

async fn authorize(invoice: String) -> Result<String> {
    if invoice.contains("unknown") {
        return Err(Error::new(ErrorKind::Failed, "no such invoice"));
    }
    Ok(invoice)
}

async fn execute(invoice: String) -> Result<String> {
    Ok(format!("paid back {invoice}"))
}

async fn tech(text: String) -> Result<String> {
    Ok(text)
}

/// By its shape an agent: calls its tool with each word it is given, then answers.
pub(crate) struct Calling {
    tool: Tool,
}

impl Calling {
    pub(crate) fn new() -> Self {
        let refund = Workflow::chain("refund").then(authorize).then(execute);
        Self {
            tool: refund.build().as_tool(),
        }
    }
}

impl Runnable<String> for Calling {
    type Out = String;

    async fn run(&self, cx: &RunContext, input: String) -> Result<String> {
        let effect = Effect::new(EffectKind::Agent, "helper");
        cx.perform(effect, input, |cx, input: String| async move {
            cx.perform(Effect::turn(0), (), |cx, ()| async move {
                for (i, word) in input.split(' ').enumerate() {
                    let args = json!({"input": word});
                    let result = self.tool.call(&cx, format!("c{i}"), args).await;
                    // An agent tells its model of an error.
                    let _ = result;
                }
                Ok(input)
            })
            .await
        })
        .await
    }

    fn info(&self) -> Info {
        Info::new("helper", Kind::Agent).with_parts([self.tool.info()])
    }
}

/// A classifier, an agent that holds a workflow as its tool, and a function.
pub(crate) fn support() -> Workflow<String, String> {
    Workflow::route("support", classify)
        .on("billing", Calling::new())
        .on("tech", tech)
        .build()
        .unwrap()
}

/// A draft that is written again until it is good.
pub(crate) fn redrafting() -> Info {
    let step = |name: &'static str| Info::new(name, Kind::Function);
    let parts = [
        step("draft").with_detail("at most 5 times"),
        step("review"),
        step("facts"),
        step("publish").joining(true),
    ];
    let links = [
        Link::entry(0),
        Link::new(0, 1),
        Link::new(0, 2),
        Link::new(1, 0).labelled("unclear").backward(true),
        Link::new(1, 3).labelled("good"),
        Link::new(1, 1).labelled("once more").backward(true),
        Link::new(2, 3),
        Link::exit(3),
    ];
    Info::new("article", Kind::Workflow)
        .with_parts(parts)
        .with_links(links)
}
