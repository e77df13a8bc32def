//! A run that lost its process at any moment goes on in another one, and does nothing twice.

use futures::FutureExt;
use loomflow::{Agent, Model, Reply, Request, Result, RunContext, RunId, Workflow};

use crate::support::{Count, Done, clerk, counting, desk_of, gate, refund_call, said};
use crate::watched::Durable;

/// A model that gives way before it replies, and counts its replies.
struct Slow(Count);

impl Model for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    async fn stream(&self, cx: &RunContext, request: &Request<'_>) -> Result<Reply> {
        tokio::task::yield_now().await;
        let reply = match request.tool_results() {
            [] => refund_call().and_call("refund", serde_json::json!({"input": "INV-2"})),
            results => Reply::text(said(results)),
        };
        cx.delta(&reply.text);
        self.0.add();
        Ok(reply)
    }
}

/// A desk whose steps all give way before they do what they do.
fn slow_desk(done: &Done) -> Workflow<String, String> {
    async fn give_way(text: String) -> Result<String> {
        for _ in 0..text.len() % 3 {
            tokio::task::yield_now().await;
        }
        Ok(text)
    }
    let refund = Workflow::chain("refund")
        .then(give_way)
        .then_fn("authorize", counting("authorized", &done.authorized))
        .then(give_way)
        .parallel((gate, give_way))
        .map(|(text, _)| text)
        .then_fn("execute", counting("paid", &done.paid))
        .build();
    let clerk = Agent::builder("Help.").named("clerk");
    let clerk = clerk.model(Slow(done.asked_models.clone()));
    let clerk = clerk.tool(refund.as_tool()).build().unwrap();
    desk_of(clerk)
}

/// Begins the run in a process that dies after this many polls: whether it was over before.
async fn dies_after(polls: u32, durable: &Durable, done: &Done) -> (RunId, bool) {
    let process = durable.process();
    let desk = slow_desk(done);
    let mut run = Box::pin(process.session.run(&desk, "please"));
    let run_id = run.handle().run_id().clone();
    for _ in 0..polls {
        if run.as_mut().now_or_never().is_some() {
            return (run_id, true);
        }
        tokio::task::yield_now().await;
    }
    drop(run);
    process.tree();
    (run_id, false)
}

#[tokio::test]
async fn a_run_that_dies_after_any_poll_is_resumed_to_the_same_end() {
    for polls in 1.. {
        let (durable, done) = (Durable::new(), Done::default());
        let (run_id, over) = dies_after(polls, &durable, &done).await;
        let process = durable.process();
        let desk = slow_desk(&done);
        let resumed = process.session.resume(&run_id, &desk).await;
        let outcome = resumed.unwrap();
        assert_eq!(
            outcome.output,
            "INV-1, authorized, paid | INV-2, authorized, paid"
        );
        let counts = [&done.asked_models, &done.authorized, &done.paid].map(Count::get);
        assert_eq!(counts, [2, 2, 2], "after {polls} polls");
        process.tree();
        durable.told();
        if over {
            assert!(polls > 8, "the run took {polls} polls");
            return;
        }
    }
}

#[tokio::test]
async fn a_finished_run_that_is_resumed_gives_its_output_again() {
    let (durable, done) = (Durable::new(), Done::default());
    let refund = Workflow::chain("refund").then(gate).build();
    let desk = desk_of(clerk(&done, &refund_call(), [refund.as_tool()]));
    let outcome = durable.process().session.run(&desk, "please").await;
    let run_id = outcome.unwrap().run_id.clone();
    let rows = durable.told().len();

    let process = durable.process();
    let resumed = process.session.resume(&run_id, &desk).await;
    assert_eq!(resumed.unwrap().output, "INV-1");
    assert_eq!(done.asked_models.get(), 2);
    assert_eq!(process.tree(), ["loom.workflow.run support ↻"]);
    assert_eq!(
        durable.told()[rows..],
        [
            "again: workflow_started support",
            "again: resumed support",
            "again: workflow_completed support",
        ]
    );
}
