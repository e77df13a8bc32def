//! From a checked draft to what is run and what is drawn.

use std::collections::{HashMap, HashSet};

use loom_core::{Effect, EffectKind, Info, Link, Name};

use crate::graph::draft::{By, Draft, DraftEdge, DraftNode};
use crate::graph::flow::{Edge, Flow};
use crate::graph::plan::PlanNode;
use crate::graph::router::Router;
use crate::outline::{Outline, node_info};

/// The checked graph by number.
pub(crate) fn flow_of(draft: &Draft) -> Flow {
    let names = draft.nodes.iter().map(|node| node.name.as_str());
    let numbers: HashMap<&str, usize> = names.zip(0..).collect();
    let edge = |edge: &DraftEdge| Edge {
        from: numbers.get(edge.from.as_str()).copied(),
        to: numbers.get(edge.to.as_str()).copied(),
        back: false,
    };
    Flow::new(draft.nodes.len(), draft.edges.iter().map(edge).collect())
}

/// The nodes as they are run.
pub(crate) fn plan_nodes(draft: &Draft, flow: &Flow) -> Vec<PlanNode> {
    let mut routers = routers(draft);
    let settled = settled(draft);
    let node = |(node, innermost): (&DraftNode, &Option<usize>)| {
        let is_settled = settled.contains(node.name.as_str());
        PlanNode {
            effect: visit_effect(&node.name, innermost.is_some(), is_settled)
                .with_safety(node.body.safety()),
            body: node.body.clone(),
            router: routers.remove(node.name.as_str()),
            is_settled,
        }
    };
    draft.nodes.iter().zip(&flow.innermost).map(node).collect()
}

/// What is announced for a visit of a node. One that stands in no loop is visited once in a run.
fn visit_effect(name: &Name, repeats: bool, is_settled: bool) -> Effect {
    let effect = Effect::new(EffectKind::Step, name.clone());
    let effect = match repeats {
        true => effect,
        false => effect.only_one(),
    };
    match is_settled {
        true => effect.keeping_failure(),
        false => effect,
    }
}

/// The routers by the names of their nodes.
fn routers(draft: &Draft) -> HashMap<&str, Router> {
    let routers = draft.routers.iter().map(|(source, picks)| {
        let router = Router {
            picks: picks.clone(),
            labels: Vec::new(),
        };
        (source.as_str(), router)
    });
    let mut routers: HashMap<&str, Router> = routers.collect();
    for edge in &draft.edges {
        let label = match &edge.by {
            By::Label(label) => Some(label.clone()),
            By::All | By::Otherwise => None,
        };
        if let Some(router) = routers.get_mut(edge.from.as_str()) {
            router.labels.push(label);
        }
    }
    routers
}

fn settled(draft: &Draft) -> HashSet<&str> {
    draft.settled.iter().map(Name::as_str).collect()
}

/// The graph as it is drawn and compared.
pub(crate) fn outline_of(draft: &Draft, flow: &Flow, joins: bool) -> Outline {
    let settled = settled(draft);
    let part = |node: &DraftNode| {
        let info = node_info(&node.name, node.body.info()).joining(node.body.joins());
        let mut details = Vec::new();
        if settled.contains(node.name.as_str()) {
            details.push("settled".to_owned());
        }
        if let Some(router) = &node.routed_by {
            details.push(format!("routed by {router}"));
        }
        info.with_detail(details.join(", "))
    };
    let link = |(edge, drawn): (&Edge, &DraftEdge)| {
        let link = match (edge.from, edge.to) {
            (Some(from), Some(to)) => Link::new(from, to),
            (None, Some(to)) => Link::entry(to),
            (Some(from), None) => Link::exit(from),
            (None, None) => Link::default(),
        };
        let link = match &drawn.by {
            By::All => link,
            By::Label(label) => link.labelled(label.clone()),
            By::Otherwise => link.picked_otherwise(),
        };
        link.backward(edge.back)
    };
    let parts: Vec<Info> = draft.nodes.iter().map(part).collect();
    let links = flow.edges.iter().zip(&draft.edges).map(link).collect();
    let outline = Outline::of(parts, links, joins);
    match flow.is_cyclic() {
        false => outline,
        true => outline.with_detail(format!(
            "at most {} steps, {} visits of a node",
            draft.caps.steps_max, draft.caps.visits_max
        )),
    }
}
