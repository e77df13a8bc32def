//! `Outline`: what a workflow is made of and how it hangs together, drawn up while it is built.

use loom_core::{Info, Kind, Link, Name};

/// A node by its name, made of the step it holds.
pub(crate) fn node_info(name: &Name, step: Info) -> Info {
    Info::new(name.clone(), Kind::Function).with_parts([step])
}

/// Why these parts can't run, by their names.
pub(crate) fn faults(parts: &[Info]) -> impl Iterator<Item = String> {
    let faulty = parts.iter().filter(|part| !part.fault.is_empty());
    faulty.map(|part| format!("{:?}: {}", part.name, part.fault))
}

/// The parts of a workflow so far and the links between them.
#[derive(Default)]
pub(crate) struct Outline {
    parts: Vec<Info>,
    links: Vec<Link>,
    /// The parts that give what goes on from here; none while it is the workflow's own input.
    ends: Vec<usize>,
    /// Parts side by side that will be the ends together.
    beside: Vec<usize>,
    detail: Name,
    joins: bool,
}

impl Outline {
    /// One part that takes the workflow's input.
    pub(crate) fn starting_with(part: Info) -> Self {
        let mut outline = Self::default();
        outline.then(part);
        outline
    }

    /// Parts and links as they are; whether the end takes all that reaches it.
    pub(crate) fn of(parts: Vec<Info>, links: Vec<Link>, joins: bool) -> Self {
        Self {
            parts,
            links,
            joins,
            ..Self::default()
        }
    }

    /// The same with a few words more on the whole.
    pub(crate) fn with_detail(self, detail: impl Into<Name>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }

    /// Why its parts can't run, by their names.
    pub(crate) fn faults(&self) -> impl Iterator<Item = String> {
        faults(&self.parts)
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// A part that takes what the ends give.
    pub(crate) fn then(&mut self, part: Info) {
        let joins = self.ends.len() > 1;
        let part = self.after_ends(part.joining(joins));
        self.ends = vec![part];
    }

    /// One of several parts that each take what the ends give.
    pub(crate) fn beside(&mut self, part: Info) {
        let joins = self.ends.len() > 1;
        let part = self.after_ends(part.joining(joins));
        self.beside.push(part);
    }

    /// A part that takes what the ends give, and what it gave itself, again and again.
    pub(crate) fn then_again(&mut self, part: Info) {
        self.then(part);
        let part = self.parts.len() - 1;
        self.links.push(Link::new(part, part).backward(true));
    }

    /// The parts side by side don't end each other when one fails.
    pub(crate) fn settle(&mut self) {
        for part in &self.beside {
            let detail = &mut self.parts[*part].detail;
            *detail = match detail.is_empty() {
                true => "settled".into(),
                false => format!("{detail}, settled").into(),
            };
        }
    }

    /// The parts side by side are a list: their paths have an index.
    pub(crate) fn list(&mut self) {
        for part in &self.beside {
            self.parts[*part].detail = "of a list".into();
        }
    }

    /// The parts side by side give together what goes on.
    pub(crate) fn rejoin(&mut self) {
        if !self.beside.is_empty() {
            self.ends = std::mem::take(&mut self.beside);
        }
    }

    /// A part that the first one picks by this label, or by all that have no part.
    pub(crate) fn choice(&mut self, label: Option<Name>, part: Info) {
        self.parts.push(part);
        let part = self.parts.len() - 1;
        let link = Link::new(0, part);
        self.links.push(match label {
            Some(label) => link.labelled(label),
            None => link.picked_otherwise(),
        });
        self.links.push(Link::exit(part));
        self.ends.clear();
    }

    pub(crate) fn into_info(self, name: Name) -> Info {
        let mut links = self.links;
        links.extend(self.ends.iter().map(|end| Link::exit(*end)));
        Info::new(name, Kind::Workflow)
            .with_parts(self.parts)
            .with_links(links)
            .with_detail(self.detail)
            .joining(self.joins || self.ends.len() > 1)
    }

    fn after_ends(&mut self, part: Info) -> usize {
        self.parts.push(part);
        let part = self.parts.len() - 1;
        match self.ends.as_slice() {
            [] => self.links.push(Link::entry(part)),
            ends => self
                .links
                .extend(ends.iter().map(|end| Link::new(*end, part))),
        }
        part
    }
}
