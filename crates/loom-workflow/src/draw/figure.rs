//! `Figure`: a node or a cluster of a drawing, whatever it is drawn as.

use loom_core::{Info, Kind, Link, Name};

use super::progress::{Place, Progress, Stop};
use super::state::Seen;

/// A node, or a cluster if it has parts.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// Made from the figure's place alone, so that no two are the same.
    pub(super) id: String,
    pub(super) name: Name,
    pub(super) kind: Kind,
    /// What else is to be said of it.
    pub(super) notes: Vec<Name>,
    pub(super) parts: Vec<Figure>,
    /// None if its parts just belong to it.
    links: Vec<Link>,
    /// What became of it, if that is shown.
    pub(super) seen: Option<Seen>,
    role: Role,
}

/// What a figure is to the one it is a part of, and so how a run's events name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Root,
    Step,
    Tool,
    /// A part of a function, whose parts open nothing by their names.
    Inner,
}

/// A line between two nodes.
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    /// Empty for none.
    pub(super) label: Name,
    pub(super) arrow: Arrow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrow {
    /// What flows on.
    Forward,
    /// What flows back to an earlier part.
    Back,
    /// Nothing flows: the one belongs to the other.
    Holds,
}

impl Figure {
    pub(super) fn of(info: &Info) -> Self {
        Self::new(info, "n".to_owned(), Role::Root)
    }

    fn new(info: &Info, id: String, role: Role) -> Self {
        let wrapped = unwrapped(info);
        let innermost = wrapped.last().map_or(info, |it| *it);
        let inner = match innermost.kind {
            Kind::Workflow => Role::Step,
            Kind::Agent => Role::Tool,
            _ => Role::Inner,
        };
        let between = if id == "n" { "" } else { "_" };
        let parts = innermost.parts.iter().enumerate();
        let name = match info.name.as_str() {
            "" => info.kind.as_str().into(),
            _ => info.name.clone(),
        };
        Self {
            notes: notes(&name, &wrapped, innermost.kind, role),
            name,
            kind: innermost.kind,
            parts: parts
                .map(|(i, part)| Self::new(part, format!("{id}{between}{i}"), inner))
                .collect(),
            links: drawable(innermost),
            seen: None,
            role,
            id,
        }
    }

    /// Whether it is drawn with a start and an end.
    pub(super) fn is_linked(&self) -> bool {
        !self.links.is_empty()
    }

    pub(super) fn start_id(&self) -> String {
        format!("{}_in", self.id)
    }

    pub(super) fn end_id(&self) -> String {
        format!("{}_out", self.id)
    }

    /// The node that stands for a cluster without start and end.
    pub(super) fn own_id(&self) -> String {
        format!("{}_own", self.id)
    }

    /// The links between its parts, if they are linked.
    pub(super) fn links(&self) -> &[Link] {
        &self.links
    }

    /// All lines in it and below. They touch nodes only, never clusters, since not every format
    /// can draw that.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        self.push_edges(&mut edges);
        edges
    }

    fn push_edges(&self, edges: &mut Vec<Edge>) {
        edges.extend(self.links.iter().map(|link| self.edge(link)));
        if !self.is_linked() {
            edges.extend(self.parts.iter().map(|part| Edge {
                from: self.own_id(),
                to: part.front(),
                label: Name::EMPTY,
                arrow: Arrow::Holds,
            }));
        }
        for part in &self.parts {
            part.push_edges(edges);
        }
    }

    fn edge(&self, link: &Link) -> Edge {
        let from = link.from.map(|it| self.parts[it].rear());
        let to = link.to.map(|it| self.parts[it].front());
        Edge {
            from: from.unwrap_or_else(|| self.start_id()),
            to: to.unwrap_or_else(|| self.end_id()),
            label: link.picked_by().to_owned().into(),
            arrow: if link.back {
                Arrow::Back
            } else {
                Arrow::Forward
            },
        }
    }

    /// Where what flows into it arrives.
    fn front(&self) -> String {
        match (self.parts.is_empty(), self.is_linked()) {
            (true, _) => self.id.clone(),
            (false, true) => self.start_id(),
            (false, false) => self.own_id(),
        }
    }

    /// Where what flows out of it leaves.
    fn rear(&self) -> String {
        match (self.parts.is_empty(), self.is_linked()) {
            (true, _) => self.id.clone(),
            (false, true) => self.end_id(),
            (false, false) => self.own_id(),
        }
    }

    /// How often it was visited, if that is more than once.
    pub(super) fn times(&self) -> Option<String> {
        let seen = self.seen.filter(|it| it.visits > 1)?;
        Some(format!(" ×{}", seen.visits))
    }

    /// Says of everything what became of it.
    pub(super) fn colour(&mut self, progress: &Progress) {
        let stop = progress.root(&self.name);
        self.colour_at(progress, stop);
    }

    fn colour_at(&mut self, progress: &Progress, stop: Option<Stop>) {
        self.seen = (self.role != Role::Inner).then(|| progress.seen(stop));
        for part in &mut self.parts {
            let below = match part.role {
                Role::Step => progress.below(stop, Place::Step(part.name.clone())),
                Role::Tool => progress.below(stop, Place::Tool(part.name.clone())),
                Role::Root | Role::Inner => stop,
            };
            part.colour_at(progress, below);
        }
    }
}

/// The info, and below it what it wraps: as long as a function is made of just one step, both are
/// one node.
fn unwrapped(info: &Info) -> Vec<&Info> {
    let mut all = vec![info];
    let mut info = info;
    while let (Kind::Function, [inner], []) = (info.kind, &info.parts[..], &info.links[..]) {
        all.push(inner);
        info = inner;
    }
    all
}

/// What the name doesn't say.
fn notes(name: &Name, wrapped: &[&Info], kind: Kind, role: Role) -> Vec<Name> {
    let mut notes: Vec<Name> = Vec::new();
    if role == Role::Tool {
        notes.push("tool".into());
    }
    if kind != Kind::Function {
        notes.push(kind.as_str().into());
    }
    let names = wrapped.iter().map(|it| &it.name);
    let details = wrapped.iter().map(|it| &it.detail);
    for note in names.chain(details) {
        if !note.is_empty() && note != name && !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    if wrapped.first().is_some_and(|it| takes_all(it)) {
        notes.push("joins".into());
    }
    notes
}

/// Whether it takes all that arrives together. Of a workflow the same flag speaks of its end.
fn takes_all(info: &Info) -> bool {
    info.joins && info.kind != Kind::Workflow
}

/// The links whose ends there are; a leaf has none.
fn drawable(info: &Info) -> Vec<Link> {
    let is_there = |part: Option<usize>| part.is_none_or(|it| it < info.parts.len());
    let links = info.links.iter();
    links
        .filter(|it| !info.parts.is_empty() && is_there(it.from) && is_there(it.to))
        .cloned()
        .collect()
}
