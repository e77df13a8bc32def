//! Every shape announces its steps with what they declare of their safety.

use futures::executor::block_on;
use loom_core::{Loom, Result, RunContext, Safety, step};
use loom_workflow::{Dag, END, Workflow};

/// Gives the safety of the effect that it is.
async fn shows(cx: RunContext, _: String) -> Result<String> {
    Ok(cx.effect().safety().as_str().to_owned())
}

fn output<W: loom_core::Runnable<String, Out = String>>(workflow: &W) -> String {
    let session = Loom::builder().build().session("alice");
    block_on(session.run(workflow, "go")).unwrap().output
}

#[test]
fn a_step_that_isnt_idempotent_is_announced_as_such_in_every_shape() {
    let once = || step(shows).once();
    let chain = Workflow::chain("chain").then(once()).build();
    let repeat = Workflow::chain("repeat")
        .repeat(1, once(), |_: &String| true)
        .build();
    let graph = Workflow::graph("graph")
        .node("once", once())
        .start("once")
        .edge("once", END)
        .build_as::<String, String>()
        .unwrap();
    let (mut dag, input) = Dag::<String>::new("dag");
    let last = dag.node("once", input, once());
    let dag = dag.output(last).unwrap();
    for workflow in [&chain, &repeat, &graph, &dag] {
        assert_eq!(output(workflow), "not_idempotent");
        assert_eq!(
            loom_core::Runnable::<String>::info(workflow).safety,
            Safety::NotIdempotent
        );
    }
    let plain = Workflow::chain("plain").then(shows).build();
    assert_eq!(output(&plain), "idempotent");
}

#[test]
fn a_definition_and_its_drawing_are_the_same_whatever_its_steps_declare() {
    let plain = Workflow::chain("it").then(step(shows).named("a")).build();
    let once = Workflow::chain("it")
        .then(step(shows).once().named("a"))
        .build();
    assert_eq!(once.to_string(), plain.to_string());
    assert_eq!(once.definition_hash(), plain.definition_hash());
}
