//! A route: a classifier picks who answers, and whoever is picked gets the original question.
//! All of them are agents here; offline, since their models are functions of the request.
//!
//! ```text
//! cargo run --example route [-- TEXT]
//! ```

use loomflow::{Agent, FnModel, Loom, Prompt, Reply, Request, Result, Workflow, step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let text = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "My card was charged twice.".to_owned());

    let classifier = agent(
        "classifier",
        "Reply 'billing' or 'tech', or 'other'.",
        |question| {
            let has = |words: &[&str]| words.iter().any(|it| question.contains(it));
            if has(&["charged", "invoice", "refund"]) {
                "Billing".to_owned()
            } else if has(&["crash", "slow", "error"]) {
                "Tech".to_owned()
            } else {
                "Other".to_owned()
            }
        },
    )?;
    let billing = agent("billing_desk", "Handle billing.", |question| {
        format!("We refund what we took twice. You wrote: {question}")
    })?;
    let tech = agent("tech_desk", "Handle tech.", |question| {
        format!("Turn it off and on again. You wrote: {question}")
    })?;
    let anyone = agent("front_desk", "Handle all else.", |_| {
        "Somebody will call you back.".to_owned()
    })?;

    // Labels are compared as they are, and a model may well write a word its own way.
    let label = step(classifier).map(|word: String| word.trim().to_lowercase());
    let support = Workflow::route("support", label)
        .on("billing", billing)
        .on("tech", tech)
        .otherwise(anyone)
        .build()?;

    let loom = Loom::builder().build();
    let outcome = loom.session("alice").run(&support, text).await?;
    println!("{}", outcome.output);
    println!();
    for name in &outcome.visited {
        println!("visited {name}");
    }
    println!();
    print!("{support}");
    Ok(())
}

/// An agent whose model answers with a function of the question.
fn agent(
    name: &'static str,
    instructions: &str,
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Result<Agent> {
    let model = FnModel::new("offline", move |request: &Request<'_>| {
        let question = request.prompt().map_or(String::new(), Prompt::text);
        Ok(Reply::text(answer(&question)))
    });
    Agent::builder(instructions)
        .named(name)
        .model(model)
        .build()
}
