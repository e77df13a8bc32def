//! What a root run is: the agent or workflow itself, or a workflow around a function.

use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Effect, EffectKind, Error, ErrorKind, Info, Kind, Limits, Loom, Result, RunContext,
    RunErrorKind, Runnable, Step, step_fn,
};

use crate::recorded::{recorded, recorded_by, story, tree};
use crate::steps::echo;

#[test]
fn a_function_runs_as_a_workflow_of_its_name() {
    async fn generic<T: Send + 'static>(it: T) -> Result<T> {
        Ok(it)
    }
    let (recorder, session) = recorded();
    block_on(session.run(&echo, "go")).unwrap();
    block_on(session.run(&generic::<String>, "go")).unwrap();
    block_on(session.run(&Step::new(echo), "go")).unwrap();
    block_on(session.run(&loom_core::step(echo), "go")).unwrap();
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run echo",
            "loom.workflow.run generic",
            "loom.workflow.run echo",
            "loom.workflow.run echo",
        ]
    );
}

#[test]
fn a_closure_and_an_unnamed_runnable_run_as_function() {
    struct Unnamed;
    impl Runnable<String> for Unnamed {
        type Out = String;

        async fn run(&self, _cx: &RunContext, input: String) -> Result<String> {
            Ok(input)
        }
    }
    let (recorder, session) = recorded();
    let closure = step_fn(|text: String| async move { Ok::<_, Error>(text) });
    block_on(session.run(&closure, "go")).unwrap();
    block_on(session.run(&Unnamed, "go")).unwrap();
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run function", "loom.workflow.run function"]
    );
}

/// Says it is an agent, and opens so many runs.
struct LookAlike {
    opens: u32,
}

impl Runnable<String> for LookAlike {
    type Out = String;

    async fn run(&self, cx: &RunContext, input: String) -> Result<String> {
        for n in 1..=self.opens {
            let run = Effect::new(EffectKind::Agent, format!("agent_{n}"));
            cx.perform(run, (), |_cx, ()| async { Ok(()) }).await?;
        }
        Ok(input)
    }

    fn info(&self) -> Info {
        Info::new("look_alike", Kind::Agent)
    }
}

#[test]
fn a_look_alike_of_an_agent_is_its_own_root() {
    let (recorder, session) = recorded();
    let outcome = block_on(session.run(&LookAlike { opens: 1 }, "go")).unwrap();
    assert_eq!(outcome.output, "go");
    assert_eq!(tree(&recorder), ["loom.run agent_1"]);
    assert_eq!(recorder.spans()[0].run, outcome.run_id);
}

#[test]
fn a_look_alike_that_opens_no_run_is_invalid() {
    let (recorder, session) = recorded();
    let error = block_on(session.run(&LookAlike { opens: 0 }, "go")).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "the runnable says it is an agent or a workflow, yet opened no run: open one, or say it is a function"
    );
    assert!(error.report().is_some());
    assert_eq!(story(&recorder), Vec::<String>::new());
}

#[test]
fn a_look_alike_that_opens_two_runs_is_invalid() {
    let (recorder, session) = recorded();
    let error = block_on(session.run(&LookAlike { opens: 2 }, "go")).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "a runnable that says it is an agent or a workflow opens exactly one span, its run"
    );
    assert_eq!(
        story(&recorder),
        ["open agent_1", "close agent_1 completed", "settled agent_1"]
    );
}

/// Says it is a workflow, and opens something else.
struct OpensNoRun(EffectKind);

impl Runnable<String> for OpensNoRun {
    type Out = String;

    async fn run(&self, cx: &RunContext, input: String) -> Result<String> {
        cx.perform(Effect::new(self.0, "x"), (), |_cx, ()| async { Ok(input) })
            .await
    }

    fn info(&self) -> Info {
        Info::new("look_alike", Kind::Workflow)
    }
}

#[test]
fn a_look_alike_that_opens_something_else_than_a_run_is_invalid_and_opens_nothing() {
    use EffectKind::{Model, Step, Tool, Turn};

    for kind in [Step, Turn, Model, Tool] {
        let (recorder, session) = recorded();
        let error = block_on(session.run(&OpensNoRun(kind), "go")).unwrap_err();
        assert_eq!(
            (error.error().kind(), error.to_string().as_str()),
            (
                ErrorKind::Invalid,
                "a runnable that says it is an agent or a workflow opens exactly one span, its run"
            )
        );
        assert_eq!(story(&recorder), Vec::<String>::new());
    }
}

#[test]
fn a_method_runs_by_its_own_name_whatever_type_it_is_of() {
    trait Greets: Sized {
        fn greet(text: String) -> impl Future<Output = Result<String>> + Send;
    }
    struct Desk<T>(std::marker::PhantomData<T>);
    impl<T> Desk<T> {
        async fn serve(text: String) -> Result<String> {
            Ok(text)
        }
    }
    impl<T> Greets for Desk<T> {
        async fn greet(text: String) -> Result<String> {
            Ok(text)
        }
    }
    let (recorder, session) = recorded();
    block_on(session.run(&Desk::<Vec<String>>::serve, "go")).unwrap();
    block_on(session.run(&Desk::<fn(u8) -> Option<u8>>::serve, "go")).unwrap();
    block_on(session.run(&<Desk<Step<String, String>> as Greets>::greet, "go")).unwrap();
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run serve",
            "loom.workflow.run serve",
            "loom.workflow.run greet"
        ]
    );
}

#[test]
fn a_look_alike_is_a_step_like_any_other() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        cx.step("node", &LookAlike { opens: 1 }, text).await
    }
    let (recorder, session) = recorded();
    assert_eq!(
        block_on(session.run(&root, "go")).unwrap().visited,
        ["node"]
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run root",
            "  loom.workflow.step node",
            "    loom.run agent_1"
        ]
    );
}

/// Calls itself through a tool, for ever.
fn recurse(cx: RunContext, depth: u32) -> BoxFuture<'static, Result<u32>> {
    Box::pin(async move {
        let run = Effect::new(EffectKind::Agent, format!("agent_{depth}"));
        cx.perform(run, (), |cx, ()| async move {
            let tool = Effect::tool("again", "c1");
            cx.perform(tool, (), |cx, ()| recurse(cx, depth + 1)).await
        })
        .await
    })
}

#[test]
fn f091_a_recursion_is_interrupted_at_depth_max_and_opens_no_further_run() {
    let (recorder, session) =
        recorded_by(Loom::builder().limits(Limits::default().with_depth_max(3)));
    let error = block_on(session.run(&recurse, 2u32)).unwrap_err();
    assert_eq!(error.kind(), RunErrorKind::Interrupted);
    assert_eq!(error.error().kind(), ErrorKind::LimitReached);
    assert_eq!(
        error.to_string(),
        "recurse/agent_2/tool:again[c1]/agent_3/tool:again[c1]: depth_max 3 reached"
    );
    assert_eq!(
        story(&recorder),
        [
            "open recurse",
            "open recurse/agent_2",
            "open recurse/agent_2/tool:again[c1]",
            "gate recurse/agent_2/tool:again[c1] permissions allows",
            "open recurse/agent_2/tool:again[c1]/agent_3",
            "open recurse/agent_2/tool:again[c1]/agent_3/tool:again[c1]",
            "gate recurse/agent_2/tool:again[c1]/agent_3/tool:again[c1] permissions allows",
            "note recurse/agent_2/tool:again[c1]/agent_3/tool:again[c1] limit_reached",
            "close recurse/agent_2/tool:again[c1]/agent_3/tool:again[c1] interrupted",
            "close recurse/agent_2/tool:again[c1]/agent_3 interrupted",
            "close recurse/agent_2/tool:again[c1] interrupted",
            "close recurse/agent_2 interrupted",
            "close recurse interrupted",
            "settled recurse",
        ]
    );
}

#[test]
fn f091_eight_runs_may_be_nested_unless_the_loom_says_otherwise() {
    let (recorder, session) = recorded();
    let error = block_on(session.run(&recurse, 2u32)).unwrap_err();
    assert_eq!(error.message(), "depth_max 8 reached");
    let runs = recorder.spans().into_iter().filter(|it| it.effect.is_run());
    let names: Vec<String> = runs.map(|it| it.name.to_string()).collect();
    assert_eq!(
        names,
        [
            "recurse", "agent_2", "agent_3", "agent_4", "agent_5", "agent_6", "agent_7", "agent_8"
        ]
    );
}
