//! Building a route: everything that is wrong is said at once.

use loom_core::{ErrorKind, Result};
use loom_workflow::Workflow;

use crate::recorded::recorded;

async fn classify(text: String) -> Result<String> {
    Ok(text)
}

async fn handle(text: String) -> Result<String> {
    Ok(text)
}

#[test]
fn a_route_without_handlers_is_none() {
    let route: Result<Workflow<String, String>> = Workflow::route("empty", classify).build();
    let error = route.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        r#"the route "empty" can't be built: no label has a handler: add one for each with `.on(label, handler)`"#
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let error = Workflow::route("bad\troute", classify)
        .on("tech", handle)
        .on("tech", handle)
        .on("new\nline", handle)
        .otherwise(handle)
        .otherwise(handle)
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let wrongs = [
        r#"the route "bad\troute" can't be built: two handlers for the label "tech""#,
        "two handlers for all other labels",
        r#"a step: the name "route_new\nline" has a control character"#,
        r#"the workflow: the name "bad\troute" has a control character"#,
    ];
    assert_eq!(error.to_string(), wrongs.join("; "));
}

#[tokio::test]
async fn a_label_called_otherwise_is_a_label_like_any_other() {
    let (_, session) = recorded();
    let workflow = Workflow::route("support", classify)
        .on("otherwise", handle)
        .otherwise(handle)
        .build()
        .unwrap();
    let outcome = session.run(&workflow, "otherwise").await.unwrap();
    assert_eq!(outcome.visited, ["classify", "route_otherwise"]);
    let outcome = session.run(&workflow, "anything").await.unwrap();
    assert_eq!(outcome.visited, ["classify", "route_otherwise_2"]);
}

#[tokio::test]
async fn a_classifier_that_is_called_like_a_handler_keeps_its_name() {
    async fn route_tech(text: String) -> Result<String> {
        Ok(text)
    }
    let (_, session) = recorded();
    let route = Workflow::route("support", route_tech).on("tech", handle);
    let outcome = session.run(&route.build().unwrap(), "tech").await.unwrap();
    assert_eq!(outcome.visited, ["route_tech", "route_tech_2"]);
}
