//! A route: the classifier's label picks the handler, which gets the original input.

use std::fmt;

use loom_core::{Accepts, Error, ErrorKind, Info, Kind, Link, Result, RunContext, Runnable};
use loom_workflow::Workflow;
use serde::{Deserialize, Serialize};

use crate::look_alike::LookAlike;
use crate::recorded::{recorded, tree};

async fn classify(text: String) -> Result<String> {
    let label = text.split(':').next().unwrap_or_default();
    Ok(label.to_owned())
}

async fn billing(text: String) -> Result<String> {
    Ok(format!("billing looks at {text:?}"))
}

async fn tech(text: String) -> Result<String> {
    Ok(format!("tech looks at {text:?}"))
}

fn support() -> Workflow<String, String> {
    let route = Workflow::route("support", classify);
    let route = route.on("billing", billing).on("tech", tech);
    route.build().unwrap()
}

#[tokio::test]
async fn the_label_picks_the_handler_which_gets_the_original_input() {
    let table = [
        (
            "billing: charged twice",
            r#"billing looks at "billing: charged twice""#,
            "route_billing",
        ),
        (
            "tech: it smokes",
            r#"tech looks at "tech: it smokes""#,
            "route_tech",
        ),
    ];
    for (input, output, handler) in table {
        let (recorder, session) = recorded();
        let outcome = session.run(&support(), input).await.unwrap();
        assert_eq!(outcome.output, output);
        assert_eq!(outcome.visited, ["classify", handler]);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run support".to_owned(),
                "  loom.workflow.step classify".to_owned(),
                format!("  loom.workflow.step {handler}"),
            ]
        );
    }
}

#[tokio::test]
async fn a_label_without_a_handler_is_named_beside_the_choices() {
    for (input, label) in [("sales: hello", "sales"), ("Tech: hello", "Tech"), ("", "")] {
        let (recorder, session) = recorded();
        let error = session.run(&support(), input).await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.to_string(),
            format!(
                r#"support: no handler for the label {label:?}; there are ["billing", "tech"]"#
            )
        );
        assert_eq!(error.report().unwrap().visited, ["classify"]);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run support ✗ failed",
                "  loom.workflow.step classify",
            ]
        );
    }
}

#[tokio::test]
async fn of_a_label_without_a_handler_60_characters_are_said() {
    let (_, session) = recorded();
    let error = session.run(&support(), "é".repeat(1_000_000)).await;
    assert_eq!(
        error.unwrap_err().message(),
        format!(
            r#"no handler for the label "{}"; there are ["billing", "tech"]"#,
            "é".repeat(60)
        )
    );
}

#[tokio::test]
async fn all_other_labels_may_have_a_handler_of_their_own() {
    async fn reception(text: String) -> Result<String> {
        Ok(format!("reception looks at {text:?}"))
    }
    let (_, session) = recorded();
    let workflow = Workflow::route("support", classify)
        .on("billing", billing)
        .otherwise(reception)
        .build()
        .unwrap();
    let outcome = session.run(&workflow, "sales: hello").await.unwrap();
    assert_eq!(outcome.output, r#"reception looks at "sales: hello""#);
    assert_eq!(outcome.visited, ["classify", "route_otherwise"]);
    let outcome = session.run(&workflow, "billing: hello").await.unwrap();
    assert_eq!(outcome.visited, ["classify", "route_billing"]);
}

#[tokio::test]
async fn a_label_may_be_any_value_that_can_be_shown() {
    #[derive(Clone, Serialize, Deserialize)]
    enum Team {
        Billing,
        Tech,
    }
    impl fmt::Display for Team {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self {
                Self::Billing => "billing",
                Self::Tech => "tech",
            })
        }
    }
    let (_, session) = recorded();
    let by_length = |text: String| async move {
        Ok::<_, Error>(match text.len() {
            0..5 => Team::Billing,
            _ => Team::Tech,
        })
    };
    let route = Workflow::route("support", by_length);
    let workflow = route.on("billing", billing).on("tech", tech);
    let workflow = workflow.build().unwrap();
    let outcome = session.run(&workflow, "hello").await.unwrap();
    assert_eq!(outcome.output, r#"tech looks at "hello""#);
    assert_eq!(outcome.visited, ["step_1", "route_tech"]);
}

#[tokio::test]
async fn a_handler_may_take_what_can_be_made_from_the_input() {
    #[derive(Serialize, Deserialize)]
    struct Question(String);
    impl Accepts<String> for Question {
        fn accept(text: String) -> Self {
            Self(text)
        }
    }
    async fn answer(question: Question) -> Result<String> {
        Ok(format!("who knows {:?}", question.0))
    }
    let (_, session) = recorded();
    let route = Workflow::route("support", classify).on("why", answer);
    let outcome = session.run(&route.build().unwrap(), "why: you?").await;
    assert_eq!(outcome.unwrap().output, r#"who knows "why: you?""#);
}

#[tokio::test]
async fn a_classifier_runs_another_runnable_with_its_context() {
    async fn classify(cx: RunContext, text: String) -> Result<String> {
        let label: String = LookAlike::named("classifier").run(&cx, text).await?;
        Ok(label.to_lowercase())
    }
    let (recorder, session) = recorded();
    let route = Workflow::route("support", classify).on("tech", LookAlike::unnamed());
    let workflow = route.build().unwrap();
    let outcome = session.run(&workflow, "Tech").await.unwrap();
    assert_eq!(outcome.output, "TECH");
    assert_eq!(outcome.visited, ["classify", "route_tech"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run support",
            "  loom.workflow.step classify",
            "    loom.run classifier",
            "  loom.workflow.step route_tech",
            "    loom.run agent",
        ]
    );
    for span in recorder.spans() {
        assert_eq!(span.user.unwrap().as_str(), "alice");
        assert_eq!(span.trace, outcome.trace_id);
    }
}

#[tokio::test]
async fn a_classifier_that_fails_picks_nobody() {
    async fn unsure(_: String) -> Result<String> {
        Err(Error::new(ErrorKind::Failed, "who could say"))
    }
    let (recorder, session) = recorded();
    let route = Workflow::route("support", unsure).on("tech", tech);
    let route = route.otherwise(billing);
    let error = session.run(&route.build().unwrap(), "?").await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "support/unsure: who could say"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run support ✗ failed",
            "  loom.workflow.step unsure ✗ failed",
        ]
    );
}

#[tokio::test]
async fn a_handler_that_fails_fails_the_route() {
    async fn broken(_: String) -> Result<String> {
        Err(Error::new(ErrorKind::Failed, "it smokes"))
    }
    let (recorder, session) = recorded();
    let route = Workflow::route("support", classify).on("tech", broken);
    let route = route.otherwise(billing).build().unwrap();
    let error = session.run(&route, "tech").await.unwrap_err();
    assert_eq!(error.to_string(), "support/route_tech: it smokes");
    assert_eq!(error.report().unwrap().visited, ["classify"]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run support ✗ failed",
            "  loom.workflow.step classify",
            "  loom.workflow.step route_tech ✗ failed",
        ]
    );
}

#[test]
fn a_route_says_what_it_is_made_of() {
    let function = |name: &'static str, step: &'static str| {
        Info::new(name, Kind::Function).with_parts([Info::new(step, Kind::Function)])
    };
    assert_eq!(
        support().info(),
        Info::new("support", Kind::Workflow)
            .with_parts([
                function("classify", "classify"),
                function("route_billing", "billing"),
                function("route_tech", "tech"),
            ])
            .with_links([
                Link::entry(0),
                Link::new(0, 1).labelled("billing"),
                Link::exit(1),
                Link::new(0, 2).labelled("tech"),
                Link::exit(2),
            ])
    );
}
