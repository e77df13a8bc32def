//! Where everything in the image stands, as dagre lays it out.

use std::collections::HashMap;

use dagre::graph::{Graph, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel};

use super::room;
use crate::draw::figure::{Edge, Figure};
use crate::draw::label::{label, lines};

/// How far the drawing stays away from the image's border.
const MARGIN_PX: f64 = 12.0;

/// A box by its middle.
#[derive(Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// How a line goes.
#[derive(Default)]
pub(super) struct Route {
    pub(super) points: Vec<(f64, f64)>,
    /// Where its label stands, if it has one.
    pub(super) label: Option<Frame>,
}

pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    frames: HashMap<String, Frame>,
    /// In the order of the edges.
    pub(super) routes: Vec<Route>,
}

type Dagre = Graph<NodeLabel, EdgeLabel>;

impl Layout {
    pub(super) fn of(root: &Figure, edges: &[Edge]) -> Self {
        let mut graph = Dagre::with_options(GraphOptions {
            directed: true,
            multigraph: true,
            compound: true,
        });
        place(&mut graph, root, None);
        for (i, edge) in edges.iter().enumerate() {
            let label = edge_label(edge);
            graph.set_edge(&*edge.from, &*edge.to, Some(label), Some(&i.to_string()));
        }
        let options = LayoutOptions {
            marginx: MARGIN_PX,
            marginy: MARGIN_PX,
            nodesep: 24.0,
            ranksep: 22.0,
            ..LayoutOptions::default()
        };
        dagre::layout(&mut graph, Some(options));
        Self::read(&graph, edges)
    }

    fn read(graph: &Dagre, edges: &[Edge]) -> Self {
        let frames: HashMap<String, Frame> = graph
            .nodes()
            .into_iter()
            .filter_map(|id| {
                let frame = frame(graph.node(&id)?);
                Some((id, frame))
            })
            .collect();
        let routes: Vec<Route> = edges
            .iter()
            .enumerate()
            .map(|(i, edge)| {
                let label = graph.edge(&edge.from, &edge.to, Some(&i.to_string()));
                label.map(route).unwrap_or_default()
            })
            .collect();
        let right = |it: &Frame| it.x + it.width / 2.0;
        let bottom = |it: &Frame| it.y + it.height / 2.0;
        let labels = routes.iter().filter_map(|it| it.label.as_ref());
        let all = || frames.values().chain(labels.clone());
        let points = || routes.iter().flat_map(|it| &it.points);
        let xs = all().map(right).chain(points().map(|it| it.0));
        let ys = all().map(bottom).chain(points().map(|it| it.1));
        let (width, height) = (xs.fold(0.0, f64::max), ys.fold(0.0, f64::max));
        Self {
            width: width + MARGIN_PX,
            height: height + MARGIN_PX,
            frames,
            routes,
        }
    }

    pub(super) fn frame(&self, id: &str) -> Frame {
        self.frames.get(id).copied().unwrap_or_default()
    }
}

/// A node of its own for a cluster's title, so that the cluster has room for it: dagre leaves
/// none.
pub(super) fn title_id(figure: &Figure) -> String {
    format!("{}_title", figure.id)
}

fn place(graph: &mut Dagre, figure: &Figure, parent: Option<&str>) {
    if figure.parts.is_empty() {
        return node(graph, &figure.id, &lines(figure), parent);
    }
    graph.set_node(&*figure.id, Some(NodeLabel::default()));
    graph.set_parent(&figure.id, parent);
    let inside = Some(&*figure.id);
    let title = title_id(figure);
    node(graph, &title, &lines(figure), inside);
    let (first, word) = if figure.is_linked() {
        (figure.start_id(), "START")
    } else {
        (figure.own_id(), figure.kind.as_str())
    };
    node(graph, &first, &[word.to_owned()], inside);
    // Keeps the title above all else in the cluster; never drawn.
    graph.set_edge(&*title, &*first, Some(EdgeLabel::default()), None);
    for part in &figure.parts {
        place(graph, part, inside);
    }
    if figure.is_linked() {
        node(graph, &figure.end_id(), &["END".to_owned()], inside);
    }
}

fn node(graph: &mut Dagre, id: &str, lines: &[String], parent: Option<&str>) {
    let (width, height) = room(lines);
    let label = NodeLabel {
        width,
        height,
        ..NodeLabel::default()
    };
    graph.set_node(id, Some(label));
    graph.set_parent(id, parent);
}

fn edge_label(edge: &Edge) -> EdgeLabel {
    let mut it = EdgeLabel {
        labelpos: dagre::layout::types::LabelPos::Center,
        ..EdgeLabel::default()
    };
    if !edge.label.is_empty() {
        let (width, height) = room(&[label(&edge.label)]);
        // The padding around a box is too much around a label.
        (it.width, it.height) = (width - 12.0, height - 12.0);
    }
    it
}

fn frame(node: &NodeLabel) -> Frame {
    Frame {
        x: node.x.unwrap_or_default(),
        y: node.y.unwrap_or_default(),
        width: node.width,
        height: node.height,
    }
}

fn route(edge: &EdgeLabel) -> Route {
    let middle = edge.x.zip(edge.y).filter(|_| edge.width > 0.0);
    Route {
        points: edge.points.iter().map(|it| (it.x, it.y)).collect(),
        label: middle.map(|(x, y)| Frame {
            x,
            y,
            width: edge.width,
            height: edge.height,
        }),
    }
}
