//! `Info`: what a step is called, what it is made of, and how its parts are connected.

use std::sync::Arc;

use crate::name::Name;
use crate::safety::Safety;

/// What a step is called and made of: for names, for drawings, and to find out whether a
/// definition changed.
///
/// ```
/// use loom_core::{Info, Kind, Link};
///
/// let parts = [Info::new("load", Kind::Function), Info::new("reply", Kind::Agent)];
/// let links = [Link::entry(0), Link::new(0, 1).labelled("found"), Link::exit(1)];
/// let info = Info::new("ticket", Kind::Workflow).with_parts(parts).with_links(links);
/// assert_eq!(info.parts.len(), 2);
/// assert_eq!(info.links[1].label, "found");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Its name; empty when it has none of its own.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// What else is to be said of it in a few words, for example `at most 5 times`; empty for
    /// nothing.
    pub detail: Name,
    /// The steps it is made of.
    pub parts: Arc<[Info]>,
    /// How its parts are connected, in the order in which that was declared.
    pub links: Arc<[Link]>,
    /// Whether it takes all that arrives together, in the order of the links. Of a workflow: whether
    /// its end does.
    pub joins: bool,
    /// What comes of doing it twice, all of it: the most dangerous of itself and its parts. Neither
    /// drawn nor compared: it says nothing of what is recorded.
    pub safety: Safety,
    /// Why it, or a part of it, can't run, as far as that is known beforehand; empty if nothing is
    /// wrong. What is built of it refuses to be built. Neither drawn nor compared.
    pub fault: Name,
}

impl Info {
    /// A part of this name and kind.
    pub fn new(name: impl Into<Name>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            ..Self::default()
        }
    }

    /// The same with the steps it is made of; at least as dangerous as they are.
    #[must_use]
    pub fn with_parts(mut self, parts: impl Into<Arc<[Info]>>) -> Self {
        self.parts = parts.into();
        self.safety = self.safety.max(self.parts_safety());
        let faulty = self.parts.iter().find(|part| !part.fault.is_empty());
        if let Some(part) = faulty {
            self.fault = part.fault.clone();
        }
        self
    }

    /// The same, with why it can't run.
    #[must_use]
    pub fn with_fault(mut self, fault: impl Into<Name>) -> Self {
        self.fault = fault.into();
        self
    }

    /// The same with the links between its parts.
    #[must_use]
    pub fn with_links(mut self, links: impl Into<Arc<[Link]>>) -> Self {
        self.links = links.into();
        self
    }

    /// The same with a few words more.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Name>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The same, taking all that arrives together or not.
    #[must_use]
    pub fn joining(mut self, joins: bool) -> Self {
        self.joins = joins;
        self
    }

    /// The same, being of this safety itself; at least as dangerous as its parts.
    ///
    /// ```
    /// use loom_core::{Info, Kind, Safety};
    ///
    /// let refund = Info::new("refund", Kind::Function).with_safety(Safety::NotIdempotent);
    /// let desk = Info::new("desk", Kind::Agent).with_parts([refund]);
    /// assert_eq!(desk.safety, Safety::NotIdempotent);
    /// assert_eq!(desk.with_safety(Safety::ReadOnly).safety, Safety::NotIdempotent);
    /// ```
    #[must_use]
    pub fn with_safety(mut self, safety: Safety) -> Self {
        self.safety = safety.max(self.parts_safety());
        self
    }

    fn parts_safety(&self) -> Safety {
        let parts = self.parts.iter().map(|part| part.safety);
        parts.max().unwrap_or(Safety::ReadOnly)
    }

    /// The name of a node that holds this as its step: its own, or `agent_node` for an unnamed
    /// agent, or empty.
    pub fn node_name(&self) -> Name {
        match self.kind {
            Kind::Agent if self.name.is_empty() => "agent_node".into(),
            Kind::Agent | Kind::Workflow | Kind::Function => self.name.clone(),
        }
    }

    /// The info of a wrapper around this: a function by the node's name, made of this. Around a
    /// function it is that function's own.
    #[must_use]
    pub fn wrapped(self) -> Self {
        if self.kind == Kind::Function {
            return self;
        }
        Self {
            name: self.node_name(),
            safety: self.safety,
            fault: self.fault.clone(),
            parts: [self].into(),
            ..Self::default()
        }
    }
}

/// What a runnable is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Anything else. As a root it is wrapped in a workflow run.
    #[default]
    Function,
    /// An agent: its `run` opens exactly one agent run.
    Agent,
    /// A workflow: its `run` opens exactly one workflow run.
    Workflow,
}

impl Kind {
    /// The kind in one word: `function`, `agent` or `workflow`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Agent => "agent",
            Self::Workflow => "workflow",
        }
    }
}

/// What flows from one part to another.
///
/// ```
/// use loom_core::Link;
///
/// let again = Link::new(2, 0).labelled("unclear").backward(true);
/// assert_eq!((again.from, again.to, again.back), (Some(2), Some(0), true));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// The part it comes from, as an index; `None` for the whole's own input.
    pub from: Option<usize>,
    /// The part it goes to, as an index; `None` for the whole's own output.
    pub to: Option<usize>,
    /// What picks it, where one of several is picked; empty otherwise.
    pub label: Name,
    /// Whether it is picked when no label fits.
    pub otherwise: bool,
    /// Whether it goes back to an earlier part.
    pub back: bool,
}

impl Link {
    /// From one part to another.
    pub fn new(from: usize, to: usize) -> Self {
        Self {
            from: Some(from),
            to: Some(to),
            ..Self::default()
        }
    }

    /// From the whole's own input to a part.
    pub fn entry(to: usize) -> Self {
        Self {
            to: Some(to),
            ..Self::default()
        }
    }

    /// From a part to the whole's own output.
    pub fn exit(from: usize) -> Self {
        Self {
            from: Some(from),
            ..Self::default()
        }
    }

    /// The same, picked by this label.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<Name>) -> Self {
        self.label = label.into();
        self
    }

    /// The same, picked when no label fits.
    #[must_use]
    pub fn picked_otherwise(mut self) -> Self {
        self.otherwise = true;
        self
    }

    /// What picks it, in words; empty where nothing does.
    pub fn picked_by(&self) -> &str {
        match self.otherwise {
            true => "(otherwise)",
            false => &self.label,
        }
    }

    /// The same, going back to an earlier part or not.
    #[must_use]
    pub fn backward(mut self, back: bool) -> Self {
        self.back = back;
        self
    }
}
