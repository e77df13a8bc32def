//! `Scope`: whose data a store may touch, which no argument of a model can change.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use loom_core::{
    Attributes, ErrorKind, Happened, Loom, Result, RunContext, Scope, SessionId, Tool, ToolOutput,
    UserId, key,
};
use serde_json::json;

use crate::recorded::{assert_well_formed, recorded, story};
use crate::steps::call;

fn scope(user: Option<&str>, session: &str) -> Scope {
    let user = user.map(|it| UserId::new(it).unwrap());
    Scope::new(user, SessionId::new(session).unwrap())
}

#[test]
fn f052_partitions_are_told_apart_part_by_part_and_byte_by_byte() {
    let table = [
        (Some("a"), "b:c"),
        (Some("a:b"), "c"),
        (None, "a:b:c"),
        (Some("a/b"), "c"),
        (Some("a"), "b/c"),
        (Some("é"), "c"),
        (Some("e\u{301}"), "c"),
        (Some("A"), "c"),
        (Some("a "), "c"),
        (Some("a"), " c"),
        (None, "c"),
        (Some("None"), "c"),
        (Some("anonymous"), "c"),
        (Some("null"), "c"),
    ];
    let scopes = table.map(|(user, session)| scope(user, session));
    assert_eq!(scopes.iter().collect::<HashSet<_>>().len(), table.len());
    assert_eq!(scopes.iter().collect::<BTreeSet<_>>().len(), table.len());
    for (i, left) in scopes.iter().enumerate() {
        for (k, right) in scopes.iter().enumerate() {
            assert_eq!(left == right, i == k, "{left:?} {right:?}");
        }
    }
    assert_eq!(scopes[1], scope(Some("a:b"), "c"));
}

#[test]
fn a_session_s_scope_is_that_of_everything_in_its_runs() {
    async fn scope_of(cx: RunContext, _: String) -> Result<String> {
        let inner = |cx: RunContext, _: String| async move {
            Ok::<_, loom_core::Error>(format!("{:?}", cx.scope()))
        };
        let inner = cx.step("inner", &inner, "x").await?;
        assert_eq!(inner, format!("{:?}", cx.scope()));
        Ok(inner)
    }
    let loom = Loom::builder().build();
    for session in [
        loom.session("alice"),
        loom.session("alice").id("conv_42"),
        loom.anonymous(),
        loom.anonymous().id("conv_42"),
    ] {
        let seen = block_on(session.run(&scope_of, "go")).unwrap().output;
        assert_eq!(seen, format!("{:?}", session.scope().unwrap()));
    }
    assert_ne!(
        loom.anonymous().id("s").scope().unwrap(),
        loom.session("alice").id("s").scope().unwrap()
    );
}

#[test]
fn f053_a_user_id_that_a_model_fills_in_changes_nothing() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Lookup {
        #[serde(default)]
        user_id: Option<String>,
        #[serde(default)]
        session_id: Option<String>,
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let lookup = move |cx: RunContext, args: Lookup| {
        let said = format!("{:?} {:?}", args.user_id, args.session_id);
        log.lock().unwrap().push((cx.scope(), said));
        async move { Ok::<_, loom_core::Error>("done".to_owned()) }
    };
    let (recorder, session) = recorded();
    let session = session.id("conv_42");
    let args = json!({
        "user_id": "mallory", "session_id": "hers", "user": "mallory", "acting_as": "mallory",
    });
    let output = call(&session, Tool::new("lookup", "Looks.", lookup), args).unwrap();
    assert_eq!(output, ToolOutput::Text("done".into()));
    let said = r#"Some("mallory") Some("hers")"#.to_owned();
    assert_eq!(
        *seen.lock().unwrap(),
        [(scope(Some("alice"), "conv_42"), said)]
    );
    assert_well_formed(&recorder);
    for event in recorder.events() {
        assert_eq!(event.user.as_ref().map(UserId::as_str), Some("alice"));
        assert_eq!((event.session.as_str(), event.by), ("conv_42", None));
    }
}

#[test]
fn looking_across_all_users_is_recorded_with_its_reason() {
    async fn count(cx: RunContext, _: String) -> Result<()> {
        let step = |cx: RunContext, _: String| async move {
            let _everybody = Scope::admin(&cx, "monthly count")?;
            Ok::<_, loom_core::Error>(())
        };
        cx.step("look", &step, "x").await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&count, "go")).unwrap();
    assert_eq!(
        story(&recorder),
        [
            "open count",
            "open count/look",
            "note count/look acting_as",
            "close count/look completed",
            "close count completed",
            "settled count",
        ]
    );
    let reason = Happened::Noted {
        note: "acting_as",
        attributes: Attributes::new().with(key::REASON, "monthly count"),
    };
    assert_eq!(recorder.events()[2].what, reason);
}

#[test]
fn looking_across_all_users_tells_nothing_after_the_run_is_over() {
    let (recorder, session) = recorded();
    let kept: Arc<Mutex<Option<RunContext>>> = Arc::default();
    let keeps = kept.clone();
    let root = move |cx: RunContext, text: String| {
        *keeps.lock().unwrap() = Some(cx);
        async move { Ok::<_, loom_core::Error>(text) }
    };
    block_on(session.run(&root, "go")).unwrap();
    let cx = kept.lock().unwrap().take().unwrap();
    let refused = Scope::admin(&cx, "too late").unwrap_err();
    assert_eq!(
        (refused.kind(), refused.message()),
        (
            ErrorKind::Invalid,
            "the capability can't be recorded: the effect it is taken in is over"
        )
    );
    assert_eq!(
        story(&recorder),
        [
            "open function",
            "close function completed",
            "settled function"
        ]
    );
}
