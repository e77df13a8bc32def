//! Whole drawings: of a route that holds an agent with a workflow as its tool, and of a loop.

use loom_core::{Info, Kind, Link, Runnable};
use loom_workflow::{Drawing, Workflow};

use crate::drawn::{Calling, redrafting, support};
use crate::look_alike::LookAlike;

#[test]
fn a_route_with_an_agent_as_mermaid() {
    assert_eq!(
        support().drawing().mermaid(),
        r#"flowchart TD
  subgraph n["support<br/>workflow"]
    n_in(["START"])
    n0["classify"]
    subgraph n1["route_billing<br/>agent, helper"]
      n1_own("agent")
      subgraph n1_0["refund<br/>tool, workflow"]
        n1_0_in(["START"])
        n1_0_0["authorize"]
        n1_0_1["execute"]
        n1_0_out(["END"])
      end
    end
    n2["route_tech<br/>tech"]
    n_out(["END"])
  end
  n_in --> n0
  n0 -->|"billing"| n1_own
  n1_own --> n_out
  n0 -->|"tech"| n2
  n2 --> n_out
  n1_own --- n1_0_in
  n1_0_in --> n1_0_0
  n1_0_0 --> n1_0_1
  n1_0_1 --> n1_0_out
"#
    );
}

#[test]
fn a_route_with_an_agent_as_dot() {
    assert_eq!(
        support().drawing().dot(),
        r#"digraph {
  node [shape=box];
  subgraph cluster_n {
    label="support\nworkflow";
    n_in [label="START", shape=oval];
    n0 [label="classify"];
    subgraph cluster_n1 {
      label="route_billing\nagent, helper";
      n1_own [label="agent", style="rounded"];
      subgraph cluster_n1_0 {
        label="refund\ntool, workflow";
        n1_0_in [label="START", shape=oval];
        n1_0_0 [label="authorize"];
        n1_0_1 [label="execute"];
        n1_0_out [label="END", shape=oval];
      }
    }
    n2 [label="route_tech\ntech"];
    n_out [label="END", shape=oval];
  }
  n_in -> n0;
  n0 -> n1_own [label="billing"];
  n1_own -> n_out;
  n0 -> n2 [label="tech"];
  n2 -> n_out;
  n1_own -> n1_0_in [arrowhead=none];
  n1_0_in -> n1_0_0;
  n1_0_0 -> n1_0_1;
  n1_0_1 -> n1_0_out;
}
"#
    );
}

#[test]
fn a_route_with_an_agent_as_a_tree() {
    assert_eq!(
        support().to_string(),
        "\
support (workflow)
  START -> classify
  classify -> route_billing [billing], route_tech [tech]
  route_billing (agent, helper) -> END
    refund (tool, workflow)
      START -> authorize
      authorize -> execute
      execute -> END
  route_tech (tech) -> END
"
    );
    assert_eq!(support().drawing().to_string(), support().to_string());
}

#[test]
fn a_loop_as_mermaid() {
    assert_eq!(
        Drawing::of(&redrafting()).mermaid(),
        r#"flowchart TD
  subgraph n["article<br/>workflow"]
    n_in(["START"])
    n0["draft<br/>at most 5 times"]
    n1["review"]
    n2["facts"]
    n3["publish<br/>joins"]
    n_out(["END"])
  end
  n_in --> n0
  n0 --> n1
  n0 --> n2
  n1 -.->|"unclear"| n0
  n1 -->|"good"| n3
  n1 -.->|"once more"| n1
  n2 --> n3
  n3 --> n_out
"#
    );
}

#[test]
fn a_loop_as_dot() {
    assert_eq!(
        Drawing::of(&redrafting()).dot(),
        r#"digraph {
  node [shape=box];
  subgraph cluster_n {
    label="article\nworkflow";
    n_in [label="START", shape=oval];
    n0 [label="draft\nat most 5 times"];
    n1 [label="review"];
    n2 [label="facts"];
    n3 [label="publish\njoins"];
    n_out [label="END", shape=oval];
  }
  n_in -> n0;
  n0 -> n1;
  n0 -> n2;
  n1 -> n0 [label="unclear", style=dashed];
  n1 -> n3 [label="good"];
  n1 -> n1 [label="once more", style=dashed];
  n2 -> n3;
  n3 -> n_out;
}
"#
    );
}

#[test]
fn a_loop_as_a_tree() {
    assert_eq!(
        Drawing::of(&redrafting()).to_string(),
        "\
article (workflow)
  START -> draft
  draft (at most 5 times) -> review, facts
  review -> back to draft [unclear], publish [good], back to review [once more]
  facts -> publish
  publish (joins) -> END
"
    );
}

#[test]
fn branches_join_and_say_what_they_hold() {
    let inner = Workflow::chain("inner").then(LookAlike::unnamed()).build();
    let workflow = Workflow::chain("outer")
        .parallel((LookAlike::named("left"), inner))
        .then_fn("both", |_cx, (left, right): (String, String)| async move {
            Ok::<_, loom_core::Error>(left + &right)
        })
        .build();
    assert_eq!(
        workflow.to_string(),
        "\
outer (workflow)
  START -> left, inner
  left (agent) -> both
  inner (workflow) -> both
    START -> agent_node
    agent_node (agent) -> END
  both (joins) -> END
"
    );
}

#[test]
fn an_agent_is_drawn_by_itself() {
    assert_eq!(
        Drawing::of(&Runnable::<String>::info(&Calling::new())).to_string(),
        "\
helper (agent)
  refund (tool, workflow)
    START -> authorize
    authorize -> execute
    execute -> END
"
    );
}

#[test]
fn links_that_lead_nowhere_are_left_out() {
    let links = [Link::entry(0), Link::new(0, 7), Link::exit(3)];
    let info = Info::new("odd", Kind::Workflow)
        .with_parts([Info::new("only", Kind::Function)])
        .with_links(links.clone());
    let odd = Drawing::of(&info);
    assert_eq!(odd.to_string(), "odd (workflow)\n  START -> only\n  only\n");
    let empty = Info::new("odd", Kind::Workflow).with_links(links);
    assert_eq!(
        Drawing::of(&empty).mermaid(),
        "flowchart TD\n  n[[\"odd<br/>workflow\"]]\n"
    );
}

#[test]
fn parts_of_one_name_are_told_apart() {
    let parts = ["again", "again", "again"].map(|it| Info::new(it, Kind::Function));
    let links = [
        Link::entry(0),
        Link::new(0, 1),
        Link::new(1, 2),
        Link::exit(2),
    ];
    let info = Info::new("again", Kind::Workflow)
        .with_parts(parts)
        .with_links(links);
    assert_eq!(
        Drawing::of(&info).to_string(),
        "\
again (workflow)
  START -> again
  again -> again#2
  again#2 -> again#3
  again#3 -> END
"
    );
}
