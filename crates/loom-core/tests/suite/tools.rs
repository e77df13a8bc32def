//! Tools are called as effects of their own; what can't be called is recorded as refused.

use futures::executor::block_on;
use loom_core::{
    Attributes, Effect, EffectKind, EffectView, Error, ErrorKind, Gate, Loom, Result, RunContext,
    Session, Step, Tool, ToolOutput, Verdict, key,
};
use loom_testing::Recorder;
use serde_json::{Value, json};

use crate::recorded::{recorded, recorded_by, story, tree};
use crate::steps::{call, echo};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Refund {
    invoice: String,
    cents: u32,
}

async fn refund(args: Refund) -> Result<Value> {
    Ok(json!({"refunded": args.invoice, "cents": args.cents}))
}

async fn shout(cx: RunContext, text: String) -> Result<String> {
    cx.step("capitals", &echo, text.to_uppercase()).await
}

#[test]
fn a_call_is_one_effect_with_what_the_tool_is_and_what_it_gets_and_gives() {
    let (recorder, session) = recorded();
    let args = json!({"invoice": "inv_1", "cents": 5});
    let output = call(
        &session,
        Tool::new("refund", "Pays back.", refund),
        args.clone(),
    )
    .unwrap();
    let paid = json!({"refunded": "inv_1", "cents": 5});
    assert_eq!(output, ToolOutput::Json(paid.clone()));
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run function", "  loom.tool refund"]
    );
    let span = &recorder.spans()[1];
    assert_eq!(
        (span.effect, span.path.as_str()),
        (EffectKind::Tool, "function/tool:refund[c1]")
    );
    assert_eq!((&span.input, &span.output), (&Some(args), &Some(paid)));
    let known = Attributes::new()
        .with(key::CALL_ID, "c1")
        .with(key::DESCRIPTION, "Pays back.");
    assert_eq!(span.attributes, known);
}

#[test]
fn an_input_that_is_no_object_is_wrapped_under_its_argument_and_text_stays_text() {
    for (tool, args) in [
        (
            Tool::new("shout", "Shouts.", shout),
            json!({"input": "hey"}),
        ),
        (
            Tool::new("shout", "Shouts.", shout).input_arg("text"),
            json!({"text": "hey"}),
        ),
    ] {
        let (recorder, session) = recorded();
        assert_eq!(
            call(&session, tool, args.clone()).unwrap(),
            ToolOutput::Text("HEY".into())
        );
        assert_eq!(recorder.spans()[1].input, Some(args));
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run function",
                "  loom.tool shout",
                "    loom.workflow.step capitals"
            ]
        );
    }
}

#[test]
fn a_tool_with_a_schema_from_elsewhere_gets_its_arguments_as_they_are() {
    let give_back = Step::new(|args: Value| async move { Ok::<_, Error>(ToolOutput::Json(args)) });
    let args = json!({"id": 7});
    let (_, session) = recorded();
    let of_object = Tool::with_schema(
        "echo",
        "Echoes.",
        json!({"type": "object"}),
        give_back.clone(),
    );
    assert_eq!(
        call(&session, of_object, args.clone()).unwrap(),
        ToolOutput::Json(args)
    );
    let of_number = Tool::with_schema("echo", "Echoes.", json!({"type": "integer"}), give_back);
    assert_eq!(
        call(&session, of_number, json!({"input": 7})).unwrap(),
        ToolOutput::Json(json!(7))
    );
}

#[test]
fn arguments_that_make_no_input_are_invalid_and_the_call_is_recorded_as_failed() {
    let table = [
        (
            Tool::new("refund", "", refund),
            json!({"invoice": "i"}),
            "the arguments don't fit: missing field `cents`",
        ),
        (
            Tool::new("refund", "", refund),
            json!({"invoice": "i", "cents": "five"}),
            "the arguments don't fit: invalid type: string \"five\", expected u32",
        ),
        (
            Tool::new("shout", "", shout),
            json!({}),
            r#"the argument "input" is missing"#,
        ),
        (
            Tool::new("shout", "", shout),
            json!("hey"),
            r#"the argument "input" is missing"#,
        ),
        (
            Tool::new("shout", "", shout),
            json!({"input": []}),
            "the arguments don't fit: invalid type: sequence, expected a string",
        ),
    ];
    for (tool, args, message) in table {
        let (recorder, session) = recorded();
        let line = format!("  loom.tool {} ✗ failed", tool.name());
        let error = call(&session, tool, args).unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Invalid, message)
        );
        assert_eq!(
            tree(&recorder),
            ["loom.workflow.run function ✗ failed".to_owned(), line]
        );
    }
}

#[test]
fn a_call_that_can_not_happen_is_recorded_and_no_gate_is_asked() {
    struct Never;
    impl Gate for Never {
        fn name(&self) -> &str {
            "never"
        }

        async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
            match effect.kind() {
                EffectKind::Tool => Verdict::deny("never"),
                _ => Verdict::Allow,
            }
        }
    }
    async fn refuses(cx: RunContext, _: String) -> Result<String> {
        let error = cx.refuse(
            Effect::tool("refnud", "c1"),
            Error::invalid("no tool named \"refnud\""),
        );
        cx.step("told", &echo, error.await.to_string()).await
    }
    let (recorder, session): (Recorder, Session) = recorded_by(Loom::builder().gate(Never));
    let outcome = block_on(session.run(&refuses, "go")).unwrap();
    assert_eq!(
        outcome.output,
        r#"refuses/tool:refnud[c1]: no tool named "refnud""#
    );
    assert_eq!(outcome.usage.tool_calls, 0);
    assert_eq!(
        story(&recorder),
        [
            "open refuses",
            "gate refuses never allows",
            "open refuses/tool:refnud[c1]",
            "close refuses/tool:refnud[c1] failed",
            "open refuses/told",
            "gate refuses/told never allows",
            "close refuses/told completed",
            "close refuses completed",
            "settled refuses",
        ]
    );
    assert_eq!(
        recorder.spans()[1].error.as_deref(),
        Some("no tool named \"refnud\"")
    );
}

#[test]
fn what_the_door_refuses_can_not_be_refused_again() {
    async fn cancels(cx: RunContext, _: String) -> Result<String> {
        cx.handle().cancel();
        let refused = Effect::tool("refnud", "c1");
        Err(cx.refuse(refused, Error::invalid("no such tool")).await)
    }
    let (recorder, session) = recorded();
    let error = block_on(session.run(&cancels, "go")).unwrap_err();
    assert_eq!(error.to_string(), "the run was cancelled (requested)");
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run cancels ✗ cancelled (requested)"]
    );
}

#[test]
fn a_step_by_a_bad_name_is_invalid_and_opens_nothing() {
    async fn named(cx: RunContext, name: String) -> Result<String> {
        cx.step(name, &echo, "x").await
    }
    let long = "x".repeat(257);
    let table = [
        ("", r#"the name "" is empty"#.to_owned()),
        (
            "a\tb",
            r#"the name "a\tb" has a control character"#.to_owned(),
        ),
        (
            &long,
            format!(r#"the name "{}…" is longer than 256 bytes"#, &long[..40]),
        ),
    ];
    for (name, message) in table {
        let (recorder, session) = recorded();
        let error = block_on(session.run(&named, name)).unwrap_err();
        assert_eq!(
            (error.error().kind(), error.message()),
            (ErrorKind::Invalid, message.as_str())
        );
        assert_eq!(error.path(), Some("named"));
        assert_eq!(tree(&recorder), ["loom.workflow.run named ✗ failed"]);
    }
}

#[test]
fn an_effect_by_a_bad_name_is_invalid_unless_a_model_made_it_up() {
    async fn performs(cx: RunContext, _: String) -> Result<()> {
        for kind in [
            EffectKind::Workflow,
            EffectKind::Step,
            EffectKind::Agent,
            EffectKind::Turn,
            EffectKind::Model,
        ] {
            let error = cx.perform(Effect::new(kind, "a\nb"), (), |_, ()| async { Ok(()) });
            assert_eq!(error.await.unwrap_err().kind(), ErrorKind::Invalid);
            let error = cx.refuse(Effect::new(kind, ""), Error::new(ErrorKind::Failed, "x"));
            assert_eq!(error.await.kind(), ErrorKind::Invalid);
        }
        let made_up = Effect::tool("drop\ntables", "c\t1");
        let error = cx.refuse(made_up, Error::invalid("no such tool"));
        assert_eq!(error.await.message(), "no such tool");
        let long = Effect::tool("x".repeat(5000), "y".repeat(5000));
        assert!(long.name().len() <= 256 && long.at().unwrap().len() <= 256);
        cx.refuse(long, Error::invalid("no such tool")).await;
        Ok(())
    }
    let (recorder, session) = recorded();
    block_on(session.run(&performs, "go")).unwrap();
    tree(&recorder);
    let spans = recorder.spans();
    assert_eq!(spans.len(), 3);
    assert_eq!(spans[1].path, "performs/tool:drop%0Atables[c%091]");
    let (one, other) = (
        Effect::tool("x".repeat(5000), "c1"),
        Effect::tool("x".repeat(4999), "c1"),
    );
    assert_ne!(one.name(), other.name(), "cut names stay apart");
}
