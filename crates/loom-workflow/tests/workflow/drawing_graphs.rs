//! A graph with a cycle and a join, drawn before and after a run.

use loom_core::Result;
use loom_workflow::{END, Joined, Progress, Workflow};

use crate::recorded::recorded;

async fn draft(text: String) -> Result<String> {
    Ok(text + "!")
}

async fn review(text: String) -> Result<String> {
    Ok(text)
}

async fn publish(text: String) -> Result<String> {
    Ok(text)
}

async fn archive(text: String) -> Result<String> {
    Ok(text)
}

async fn tell(all: Joined<String>) -> Result<String> {
    Ok(all.into_values().join(" "))
}

/// A draft is written until it has three marks, then it is published and archived.
fn article() -> Workflow<String, String> {
    let label = |text: &str| match text.ends_with("!!!") {
        true => "good",
        false => "unclear",
    };
    Workflow::graph("article")
        .node("draft", draft)
        .node("review", review)
        .node("publish", publish)
        .node("archive", archive)
        .node("tell", tell)
        .start("draft")
        .edge("draft", "review")
        .router("review", label, [("good", "publish"), ("unclear", "draft")])
        .edge("publish", "archive")
        .edge("publish", "tell")
        .edge("archive", "tell")
        .edge("tell", END)
        .build_as::<String, String>()
        .unwrap()
}

#[test]
fn a_graph_as_mermaid() {
    assert_eq!(
        article().drawing().mermaid(),
        r#"flowchart TD
  subgraph n["article<br/>workflow, at most 100 steps, 25 visits of a node"]
    n_in(["START"])
    n0["draft"]
    n1["review"]
    n2["publish"]
    n3["archive"]
    n4["tell<br/>joins"]
    n_out(["END"])
  end
  n_in --> n0
  n0 --> n1
  n1 -->|"good"| n2
  n1 -.->|"unclear"| n0
  n2 --> n3
  n2 --> n4
  n3 --> n4
  n4 --> n_out
"#
    );
}

#[tokio::test]
async fn a_graph_after_a_run_shows_how_often_each_node_was_visited() {
    let (recorder, session) = recorded();
    session.run(&article(), "hi").await.unwrap();
    let drawing = article()
        .drawing()
        .coloured_by(&Progress::of(&recorder.events()));
    assert_eq!(
        drawing.to_string(),
        "\
✓ article (workflow, at most 100 steps, 25 visits of a node)
    START -> draft
  ✓ draft ×3 -> review
  ✓ review ×3 -> publish [good], back to draft [unclear]
  ✓ publish -> archive, tell
  ✓ archive -> tell
  ✓ tell (joins) -> END
"
    );
}
