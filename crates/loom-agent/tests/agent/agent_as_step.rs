//! An agent goes wherever a step goes, and takes whatever can be written.

use loom_agent::{Agent, EchoModel, Prompt};
use loom_core::{
    Info, IntoStep, Kind, Result, RunContext, Runnable, Safety, Step, Tool, ViaRunnable, step,
};
use serde_json::json;

use crate::recorded::{recorded, tree};

fn parrot() -> Agent {
    let agent = Agent::builder("Say it again.").named("parrot");
    agent.model(EchoModel).build().unwrap()
}

#[tokio::test]
async fn a_prompt_is_text_as_it_is_or_json() {
    #[derive(serde::Serialize)]
    struct Ticket {
        id: u64,
        text: &'static str,
    }
    let ticket = Ticket {
        id: 7,
        text: "broken",
    };
    let (_, session) = recorded();
    let agent = parrot();
    let table = [
        (Prompt::from("hello"), "hello"),
        (Prompt::from("\"quoted\"".to_owned()), "\"quoted\""),
        (Prompt::from(42), "42"),
        (Prompt::from(ticket), r#"{"id":7,"text":"broken"}"#),
        (Prompt::from(json!("text")), "text"),
        (Prompt::from(Some("text")), "text"),
        (Prompt::from(()), "null"),
        (Prompt::default(), ""),
    ];
    for (prompt, said) in table {
        assert_eq!(session.run(&agent, prompt).await.unwrap().output, said);
    }
}

#[tokio::test]
async fn a_function_runs_an_agent_as_its_step() {
    async fn ask(cx: RunContext, text: String) -> Result<String> {
        let said: String = cx.step("ask", &parrot(), text).await?;
        cx.step("again", &parrot(), vec![said.clone(), said]).await
    }
    let (recorder, session) = recorded();
    let outcome = session.run(&ask, "hi").await.unwrap();
    assert_eq!(outcome.output, r#"["hi","hi"]"#);
    assert_eq!(outcome.visited, ["ask", "again"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run ask",
            "  loom.workflow.step ask",
            "    loom.run parrot",
            "      loom.turn 0",
            "        loom.model.stream echo",
            "  loom.workflow.step again",
            "    loom.run parrot",
            "      loom.turn 0",
            "        loom.model.stream echo",
        ]
    );
}

#[tokio::test]
async fn an_agent_run_has_an_id_of_its_own_below_the_run_that_called_it() {
    async fn ask(cx: RunContext, text: String) -> Result<String> {
        cx.step("ask", &parrot(), text).await
    }
    let (recorder, session) = recorded();
    let outcome = session.run(&ask, "hi").await.unwrap();
    let spans = recorder.spans();
    let [root, step, agent @ ..] = &spans[..] else {
        panic!("no spans")
    };
    assert_eq!((&root.run, &root.parent_run), (&outcome.run_id, &None));
    assert_eq!((&step.run, &step.parent_run), (&outcome.run_id, &None));
    assert_eq!(agent.len(), 3);
    for span in agent {
        assert_ne!(span.run, outcome.run_id);
        assert_eq!(span.run, agent[0].run);
        assert_eq!(span.parent_run.as_ref(), Some(&outcome.run_id));
        assert_eq!(span.trace, outcome.trace_id);
    }
}

#[tokio::test]
async fn an_agent_behind_a_step_or_a_wrapper_is_still_that_agent() {
    let (recorder, session) = recorded();
    let erased: Step<Prompt, String> = Step::new(parrot());
    assert_eq!(session.run(&erased, "hi").await.unwrap().output, "hi");
    let limit = std::time::Duration::from_secs(1);
    let wrapped = step(parrot()).timeout(limit);
    assert_eq!(session.run(&wrapped, "hi").await.unwrap().output, "hi");
    assert_eq!(
        tree(&recorder),
        [
            "loom.run parrot",
            "  loom.turn 0",
            "    loom.model.stream echo",
            "loom.workflow.run parrot",
            "  loom.run parrot",
            "    loom.turn 0",
            "      loom.model.stream echo",
        ]
    );
}

#[test]
fn an_agent_says_what_it_is_and_which_tools_it_has() {
    async fn nod(_: ()) -> Result<()> {
        Ok(())
    }
    let agent = Agent::builder("Nod.").model(EchoModel);
    let agent = agent.tool(Tool::new("nod", "Nods.", nod)).build().unwrap();
    let nod = Info::new("nod", Kind::Function);
    let tool = nod
        .clone()
        .with_parts([nod])
        .with_safety(Safety::NotIdempotent);
    let info = Info::new("", Kind::Agent).with_parts([tool]);
    assert_eq!(agent.info(), info);
    assert_eq!(info.node_name(), "agent_node");
    assert_eq!(agent.name(), "agent");
    assert_eq!(
        IntoStep::<Prompt, ViaRunnable>::step_info(&parrot()).node_name(),
        "parrot"
    );
}
