//! Building an agent: everything that is wrong is said at once.

use loom_agent::{Agent, EchoModel, ScriptedModel};
use loom_core::{ErrorKind, Result, Step, Tool, ToolOutput};
use serde_json::{Value, json};

use crate::recorded::recorded;

async fn find(text: String) -> Result<String> {
    Ok(text)
}

fn tool(name: &'static str) -> Tool {
    Tool::new(name, "Finds.", find)
}

fn with_schema(name: &'static str, schema: Value) -> Tool {
    async fn give_back(arguments: Value) -> Result<ToolOutput> {
        Ok(ToolOutput::Json(arguments))
    }
    Tool::with_schema(name, "Gives back.", schema, Step::new(give_back))
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let no_type = json!({"type": "object", "properties": {"id": {"type": "number-ish"}}});
    let error = Agent::builder("Help.")
        .named("help\nme")
        .turns_max(0)
        .tools([tool("find"), tool(""), tool("find")])
        .tool(with_schema("strange", no_type))
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let wrongs = [
        "the agent can't be built: no model: give it one with `.model(..)`",
        r#"the name "help\nme" has a control character"#,
        "`turns_max` is 0: give it at least one turn",
        r#"a tool: the name "" is empty"#,
        r#"two tools are named "find": rename one with `.named(..)`"#,
        r#"the schema of the tool "strange" is no schema: "number-ish" is not valid under any of the schemas listed in the 'anyOf' keyword"#,
    ];
    assert_eq!(error.to_string(), wrongs.join("; "));
}

#[test]
fn a_schema_is_never_fetched_from_elsewhere() {
    let remote =
        json!({"type": "object", "properties": {"id": {"$ref": "https://example.com/id.json"}}});
    let agent = Agent::builder("Help.").model(EchoModel);
    let error = agent
        .tool(with_schema("remote", remote))
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let start = r#"the agent can't be built: the schema of the tool "remote" is no schema: "#;
    assert!(error.message().starts_with(start), "{error}");
}

#[test]
fn two_unnamed_agents_are_no_two_tools_until_they_are_named() {
    let expert = Agent::builder("Know.").model(EchoModel).build().unwrap();
    let boss = || Agent::builder("Ask.").model(EchoModel);
    let both = [expert.as_tool(), expert.as_tool()];
    assert_eq!(
        boss().tools(both).build().unwrap_err().message(),
        r#"the agent can't be built: two tools are named "agent": rename one with `.named(..)`"#
    );
    let both = [expert.as_tool(), expert.as_tool().named("second_opinion")];
    assert!(boss().tools(both).build().is_ok());
}

#[test]
fn a_name_may_have_256_bytes_and_no_more() {
    let named = |name: String| Agent::builder("Help.").named(name).model(EchoModel).build();
    assert_eq!(named("n".repeat(256)).unwrap().name().len(), 256);
    assert_eq!(
        named("n".repeat(257)).unwrap_err().message(),
        format!(
            r#"the agent can't be built: the name "{}…" is longer than 256 bytes"#,
            "n".repeat(40)
        )
    );
}

#[test]
fn a_model_s_name_that_is_no_name_is_said_when_the_agent_is_built() {
    let start = "n".repeat(40);
    let table = [
        (String::new(), r#"the name "" is empty"#.to_owned()),
        (
            "opus\t5".to_owned(),
            r#"the name "opus\t5" has a control character"#.to_owned(),
        ),
        (
            "n".repeat(257),
            format!(r#"the name "{start}…" is longer than 256 bytes"#),
        ),
    ];
    for (name, wrong) in table {
        let agent = Agent::builder("Help.").model(ScriptedModel::new([]).named(name));
        let error = agent.turns_max(0).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(
            error.message(),
            format!(
                "the agent can't be built: the model: {wrong}; \
                 `turns_max` is 0: give it at least one turn"
            )
        );
    }
}

#[tokio::test]
async fn the_last_model_given_counts() {
    let (_, session) = recorded();
    let agent = Agent::builder("Echo.")
        .model(ScriptedModel::new([]))
        .model(EchoModel)
        .build()
        .unwrap();
    assert_eq!(session.run(&agent, "hi").await.unwrap().output, "hi");
}

#[test]
fn an_agent_can_be_shown_without_its_instructions() {
    let agent = Agent::builder("The password is tiger.").named("parrot");
    let agent = agent.model(EchoModel).build().unwrap();
    assert_eq!(format!("{agent:?}"), r#"Agent("parrot", "echo")"#);
}
