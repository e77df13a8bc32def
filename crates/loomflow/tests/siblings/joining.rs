//! Agents as nodes of a dag, for the items of a list, and again on their own answer.

use loomflow::{Agent, Dag, EchoModel, Loom, Recorder, Result, Settled, Workflow};

fn echo(name: &'static str) -> Agent {
    let agent = Agent::builder("Say it again.").named(name);
    agent.model(EchoModel).build().unwrap()
}

async fn length(text: String) -> Result<usize> {
    Ok(text.len())
}

#[tokio::test]
async fn an_agent_takes_what_a_dag_s_nodes_give_together_as_its_prompt() {
    let (mut dag, question) = Dag::<String>::new("research");
    let said = dag.settled("said", question, echo("first"));
    let length = dag.node("length", question, length);
    let answer = dag.node("answer", (length, question), echo("second"));
    let both = dag.node("both", (said, answer), both);
    let workflow = dag.output(both).unwrap();
    async fn both((said, answer): (Settled<String>, String)) -> Result<String> {
        Ok(format!(
            "{}, then {answer}",
            said.done().unwrap_or_default()
        ))
    }

    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    let outcome = loom.session("alice").run(&workflow, "looms").await.unwrap();
    assert_eq!(outcome.output, r#"looms, then [5,"looms"]"#);
    assert_eq!(outcome.visited.len(), 4);
    let runs = recorder.spans().into_iter().map(|it| it.user.unwrap());
    assert!(runs.into_iter().all(|user| user.as_str() == "alice"));
}

#[tokio::test]
async fn an_agent_answers_every_item_of_a_list_under_its_index() {
    let workflow = Workflow::chain("all").each(2, echo("clerk")).build();
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    let session = loom.session("alice");
    let outcome = session.run(&workflow, vec![1u64, 2, 3]).await.unwrap();
    assert_eq!(outcome.output, ["1", "2", "3"]);
    let paths: Vec<String> = recorder.spans().into_iter().map(|it| it.path).collect();
    assert!(paths.contains(&"all/clerk[2]/clerk/turn:0".to_owned()));
}

#[tokio::test]
async fn an_agent_is_asked_again_about_its_own_answer() {
    let asked = Workflow::chain("again").repeat(2, echo("clerk"), |_| false);
    let session = Loom::builder().build().session("alice");
    let error = session.run(&asked.build(), "looms").await.unwrap_err();
    assert_eq!(error.message(), "clerk: repeat_max 2 reached");
}
