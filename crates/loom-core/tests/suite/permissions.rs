//! Permissions are rules as data, of which the strictest that fits decides about a tool.

use futures::executor::block_on;
use loom_core::{
    Decision, Effect, EffectKind, Error, ErrorKind, Info, Kind, Loom, Permissions, Result, Rule,
    RunContext, Runnable, Tool, key,
};
use serde_json::{Value, json};

use crate::recorded::{recorded, recorded_by, story, tree};
use crate::steps::{call, echo};

async fn give_back(args: serde_json::Map<String, Value>) -> Result<Value> {
    Ok(Value::Object(args))
}

fn tool(name: &'static str) -> Tool {
    let step = loom_core::Step::new(|args: Value| async move {
        Ok::<_, Error>(loom_core::ToolOutput::Json(args))
    });
    Tool::with_schema(name, "Gives back.", json!({"type": "object"}), step)
}

fn rules(rules: &Value) -> Permissions {
    serde_json::from_value(json!({"rules": rules})).unwrap()
}

/// What comes of a call under these permissions, without anybody to ask: `allowed`, or the error.
fn decided(permissions: &Permissions, tool: Tool, args: Value) -> String {
    let (recorder, session) = recorded_by(Loom::builder().permissions(permissions.clone()));
    let result = call(&session, tool, args.clone());
    let lines = tree(&recorder);
    match result {
        Ok(output) => {
            assert_eq!(output, loom_core::ToolOutput::Json(args));
            assert!(!lines[1].contains('✗'), "{lines:?}");
            "allowed".to_owned()
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(lines[1].ends_with("✗ denied"), "{lines:?}");
            error.message().to_owned()
        }
    }
}

#[test]
fn without_rules_destructive_tools_are_asked_for_and_all_others_allowed() {
    let none = Permissions::new();
    assert_eq!(decided(&none, tool("look"), json!({})), "allowed");
    assert_eq!(
        decided(&none, tool("erase").destructive(), json!({})),
        "permissions: may the tool \"erase\" be called with {}? (destructive tools are asked for) Nobody can be asked: there is no approver"
    );
}

#[test]
fn deny_beats_ask_beats_allow_whatever_the_order() {
    let (allow, ask, deny) = (
        Rule::new(Decision::Allow),
        Rule::new(Decision::Ask),
        Rule::new(Decision::Deny),
    );
    let asked = |n: u32| {
        format!(
            "permissions: may the tool \"look\" be called with {{}}? (rule {n}) Nobody can be asked: there is no approver"
        )
    };
    let denied = |n: u32| format!("permissions: rule {n} denies the tool \"look\"");
    let table = [
        (vec![&allow], "allowed".to_owned()),
        (vec![&ask], asked(1)),
        (vec![&deny], denied(1)),
        (vec![&allow, &ask], asked(2)),
        (vec![&ask, &allow], asked(1)),
        (vec![&allow, &deny, &ask], denied(2)),
        (vec![&deny, &ask, &allow], denied(1)),
        (vec![&ask, &allow, &ask], asked(1)),
        (vec![&allow, &deny, &deny], denied(2)),
    ];
    for (rules, expected) in table {
        let permissions = rules
            .into_iter()
            .fold(Permissions::new(), |all, it| all.rule(it.clone()));
        assert_eq!(decided(&permissions, tool("look"), json!({})), expected);
    }
}

#[test]
fn a_rule_that_fits_replaces_the_default_for_destructive_tools() {
    let trusted = rules(&json!([{"decision": "allow", "tool": "erase_*"}]));
    let erase = || tool("erase_cache").destructive();
    assert_eq!(decided(&trusted, erase(), json!({})), "allowed");
    assert!(
        decided(&trusted, tool("erase").destructive(), json!({})).contains("Nobody can be asked")
    );
    let never = rules(&json!([
        {"decision": "allow", "tool": "erase_*"},
        {"decision": "deny", "destructive": true},
    ]));
    let denied = "permissions: rule 2 denies the tool \"erase_cache\"";
    assert_eq!(decided(&never, erase(), json!({})), denied);
    assert_eq!(decided(&never, tool("erase_cache"), json!({})), "allowed");
    let only_harmless = rules(&json!([{"decision": "deny", "destructive": false}]));
    assert!(
        decided(&only_harmless, erase(), json!({})).contains("destructive tools are asked for")
    );
    assert!(decided(&only_harmless, tool("look"), json!({})).contains("rule 1 denies"));
}

#[test]
fn patterns_have_one_wildcard_and_all_else_is_itself() {
    let table = [
        ("look", "look", true),
        ("look", "looks", false),
        ("look", "Look", false),
        ("look*", "look", true),
        ("look*", "look_up", true),
        ("*_up", "look_up", true),
        ("l*k*p", "look_up", true),
        ("l*k*p", "look_upper", false),
        ("*", "anything", true),
        ("**", "anything", true),
        ("", "look", false),
        ("l??k", "look", false),
        ("l??k", "l??k", true),
        ("l.*k", "look", false),
        ("[l]ook", "look", false),
        (r"look\*", "look*", false),
        (r"look\*", r"look\up", true),
        ("übung*", "übung_eins", true),
    ];
    for (pattern, name, fits) in table {
        let permissions = Permissions::new().rule(Rule::new(Decision::Deny).tool(pattern));
        let denied = decided(&permissions, tool(name), json!({})) != "allowed";
        assert_eq!(denied, fits, "{pattern} {name}");
    }
}

#[test]
fn arguments_are_found_by_name_or_pointer_and_compared_as_text_or_json() {
    let args = json!({
        "currency": "EUR", "cents": 500, "half": 0.5, "gift": true, "note": null,
        "customer": {"id": "c_7", "a/b": "x"}, "items": ["pen", {"n": 2}], "/odd": "y",
    });
    let table = [
        ("currency", "EUR", true),
        ("currency", "eur", false),
        ("currency", "E*", true),
        ("currency", "\"EUR\"", false),
        ("cents", "500", true),
        ("cents", "5*", true),
        ("half", "0.5", true),
        ("gift", "true", true),
        ("note", "null", true),
        ("absent", "*", false),
        ("customer", r#"*"id":"c_7"*"#, true),
        ("/customer/id", "c_*", true),
        ("/customer/a~1b", "x", true),
        ("/items/0", "pen", true),
        ("/items/1/n", "2", true),
        ("/items/2", "*", false),
        ("customer/id", "c_7", false),
        ("/~1odd", "y", true),
    ];
    for (name, pattern, fits) in table {
        let permissions = rules(&json!([{"decision": "deny", "arguments": {name: pattern}}]));
        let denied = decided(&permissions, tool("pay"), args.clone()) != "allowed";
        assert_eq!(denied, fits, "{name} {pattern}");
    }
}

#[test]
fn numbers_are_compared_as_numbers_however_they_are_written() {
    let same = [
        ("100", "[100, 100.0, 1e2, 1.0e2, 1000e-1, 100.00]"),
        ("1e2", "[100, 100.0]"),
        ("0.5", "[0.5, 5e-1, 0.50]"),
        ("0", "[0, 0.0, -0.0, 0e5]"),
        ("-1.5e1", "[-15, -15.0]"),
        ("18446744073709551615", "[18446744073709551615]"),
        ("1*", "[1, 1e2, 100.5]"),
    ];
    let other = [
        (
            "100",
            r#"[1000, 10, -100, 100.5, "1e2", "100.0", [100], null]"#,
        ),
        ("9007199254740992", "[9007199254740993]"),
        ("0x64", "[100]"),
        ("007", "[7]"),
    ];
    let decides = |pattern: &str, value: &Value| {
        let deny = Rule::new(Decision::Deny).argument("cents", pattern);
        decided(
            &Permissions::new().rule(deny),
            tool("pay"),
            json!({"cents": value}),
        )
    };
    for (table, expected) in [
        (&same[..], "permissions: rule 1 denies the tool \"pay\""),
        (&other[..], "allowed"),
    ] {
        for (pattern, values) in table {
            let values: Vec<Value> = serde_json::from_str(values).unwrap();
            for value in values {
                assert_eq!(decides(pattern, &value), expected, "{pattern} {value}");
            }
        }
    }
}

#[test]
fn all_that_a_rule_says_must_fit() {
    let rule = json!({
        "decision": "deny", "tool": "pay*", "destructive": true,
        "arguments": {"currency": "EUR", "cents": "*"},
    });
    let permissions = rules(&json!([rule, {"decision": "allow"}]));
    let (euros, no_cents) = (
        json!({"currency": "EUR", "cents": 5}),
        json!({"currency": "EUR"}),
    );
    let table = [
        (tool("pay_out").destructive(), &euros, false),
        (tool("pay_out"), &euros, true),
        (tool("refund").destructive(), &euros, true),
        (tool("pay_out").destructive(), &no_cents, true),
    ];
    for (tool, args, allowed) in table {
        let said = decided(&permissions, tool, args.clone());
        assert_eq!(said == "allowed", allowed, "{said}");
    }
}

#[test]
fn rules_survive_their_data_and_what_they_do_not_know_is_refused() {
    let permissions = Permissions::new()
        .rule(
            Rule::new(Decision::Allow)
                .tool("pay")
                .argument("currency", "EUR"),
        )
        .rule(Rule::new(Decision::Ask).destructive(true))
        .rule(Rule::new(Decision::Deny));
    let data = json!({"rules": [
        {"decision": "allow", "tool": "pay", "arguments": {"currency": "EUR"}},
        {"decision": "ask", "destructive": true},
        {"decision": "deny"},
    ]});
    assert_eq!(serde_json::to_value(&permissions).unwrap(), data);
    assert_eq!(
        serde_json::from_value::<Permissions>(data).unwrap(),
        permissions
    );
    let refused = [
        json!({"rules": [], "default": "allow"}),
        json!({"rules": [{"decision": "deny", "tools": "erase_*"}]}),
        json!({"rules": [{"decision": "deny", "argument": {"a": "b"}}]}),
        json!({"rules": [{"decision": "Deny"}]}),
        json!({"rules": [{"decision": "forbid"}]}),
        json!({"rules": [{"tool": "erase"}]}),
        json!({"rules": [{"decision": "deny", "arguments": {"cents": 5}}]}),
        json!({}),
    ];
    for data in refused {
        let error = serde_json::from_value::<Permissions>(data.clone());
        assert!(error.is_err(), "{data}");
    }
}

#[test]
fn only_tools_are_any_of_its_concern() {
    let permissions = Permissions::new().rule(Rule::new(Decision::Deny));
    let (recorder, session) = recorded_by(Loom::builder().permissions(permissions));
    async fn all_but_tools(cx: RunContext, text: String) -> Result<String> {
        for kind in [EffectKind::Agent, EffectKind::Workflow, EffectKind::Model] {
            cx.perform(Effect::new(kind, "x"), (), |_, ()| async { Ok(()) })
                .await?;
        }
        cx.perform(Effect::turn(0), (), |_, ()| async { Ok(()) })
            .await?;
        cx.step("step", &echo, text).await
    }
    block_on(session.run(&all_but_tools, "go")).unwrap();
    assert!(!story(&recorder).iter().any(|it| it.starts_with("gate")));
}

/// Says it is an agent, and calls the destructive tool in its run.
struct Eraser;

impl Runnable<String> for Eraser {
    type Out = Value;

    async fn run(&self, cx: &RunContext, _: String) -> Result<Value> {
        let run = Effect::new(EffectKind::Agent, "eraser");
        cx.perform(run, (), |cx, ()| async move {
            let tool = Tool::new("erase", "Erases.", give_back).destructive();
            tool.call(&cx, "c1", json!({})).await.map(|_| json!(null))
        })
        .await
    }

    fn info(&self) -> Info {
        Info::new("eraser", Kind::Agent)
    }
}

#[test]
fn without_permissions_everything_may_be_called_and_the_root_says_so() {
    let (recorder, session) = recorded_by(Loom::builder().without_permissions());
    block_on(session.run(&Eraser, "go")).unwrap();
    call(&session, tool("erase").destructive(), json!({})).unwrap();
    assert!(!story(&recorder).iter().any(|it| it.starts_with("gate")));
    let off: Vec<(String, Option<String>)> = recorder
        .spans()
        .iter()
        .map(|it| {
            (
                it.path.clone(),
                it.attributes.text(key::PERMISSIONS).map(Into::into),
            )
        })
        .collect();
    let off_at = |path: &str, off: Option<&str>| (path.to_owned(), off.map(Into::into));
    assert_eq!(
        off,
        [
            off_at("eraser", Some("off")),
            off_at("eraser/tool:erase[c1]", None),
            off_at("function", Some("off")),
            off_at("function/tool:erase[c1]", None),
        ]
    );
}

#[test]
fn with_permissions_no_root_says_anything_of_them() {
    let (recorder, session) = recorded();
    block_on(session.run(&echo, "go")).unwrap();
    assert_eq!(recorder.spans()[0].attributes.get(key::PERMISSIONS), None);
}
