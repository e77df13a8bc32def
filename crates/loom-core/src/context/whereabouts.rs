//! Who a run is for, and where in it a context stands.

use std::sync::atomic::Ordering;

use crate::context::Whereabouts;
use crate::effect::{Effect, EffectKind};
use crate::ids::{RunId, SessionId, UserId};
use crate::limits::Limits;
use crate::name::Name;
use crate::path::push_segment;
use crate::trace::{SpanId, TraceId, TraceParent};

impl Whereabouts {
    /// Whose partition this works in; `None` for an anonymous run.
    pub fn user(&self) -> Option<&UserId> {
        self.0.acting_as.as_ref().or(self.0.tree.user.as_ref())
    }

    /// Who asked for the run, where this effect acts as somebody else.
    pub fn by(&self) -> Option<&UserId> {
        let own = self.0.tree.user.as_ref();
        own.filter(|_| self.0.acting_as.is_some() && self.0.acting_as.as_ref() != own)
    }

    /// Whether this effect's output was recorded by an earlier attempt of the run and is used
    /// again: its body doesn't run.
    pub fn is_replayed(&self) -> bool {
        self.0.replayed.load(Ordering::Relaxed)
    }

    /// The session the run belongs to.
    pub fn session_id(&self) -> &SessionId {
        &self.0.tree.session
    }

    /// The session's id, where the caller gave it one.
    pub fn conversation_id(&self) -> Option<&SessionId> {
        self.0.tree.session_given.then_some(&self.0.tree.session)
    }

    /// The nearest enclosing agent or workflow run, this effect included.
    pub fn run_id(&self) -> &RunId {
        let run = self.enclosing_run();
        let root = self.root_run_id();
        match &run.0.run_id {
            Some(nested) => nested.get_or_init(|| RunId::nested(root, &run.path())),
            None => root,
        }
    }

    /// The run that encloses [`Whereabouts::run_id`]; `None` in the root run.
    pub fn parent_run_id(&self) -> Option<&RunId> {
        let run = self.enclosing_run();
        match &run.0.parent {
            Some(parent) if run.0.depth > 1 => Some(parent.run_id()),
            _ => None,
        }
    }

    /// The root run's id.
    pub fn root_run_id(&self) -> &RunId {
        &self.0.tree.root_id
    }

    /// The one trace of the whole tree.
    pub fn trace_id(&self) -> TraceId {
        self.0.tree.trace_id
    }

    /// This effect's span.
    pub fn span_id(&self) -> SpanId {
        self.0.tree.span_id(self.0.number)
    }

    /// The span this effect is nested in; for a root the caller's, if it gave a trace.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        match self.parent() {
            Some(parent) => Some(parent.span_id()),
            None => self.caller_in_this_trace().map(|caller| caller.span_id),
        }
    }

    /// The W3C `traceparent` for calls that leave the process from here.
    pub fn traceparent(&self) -> TraceParent {
        let sampled = self
            .caller_in_this_trace()
            .is_none_or(|caller| caller.sampled);
        TraceParent {
            trace_id: self.trace_id(),
            span_id: self.span_id(),
            sampled,
        }
    }

    /// A run that is resumed stays in its trace, whoever resumes it.
    fn caller_in_this_trace(&self) -> Option<TraceParent> {
        self.caller()
            .filter(|caller| caller.trace_id == self.trace_id())
    }

    /// The caller's place in its own trace, where it gave one.
    pub fn caller(&self) -> Option<TraceParent> {
        self.0.tree.caller
    }

    /// The root span of the attempt that this run goes on with, if it was resumed.
    pub fn continues(&self) -> Option<SpanId> {
        self.0.tree.continues
    }

    /// Whether what this run's effects give is recorded, so that the run can be resumed.
    pub fn has_journal(&self) -> bool {
        self.0.tree.journal.is_some()
    }

    /// The limits of the whole tree.
    pub fn limits(&self) -> Limits {
        *self.0.tree.budget.limits()
    }

    /// The effect this context belongs to.
    pub fn effect(&self) -> &Effect {
        &self.0.effect
    }

    /// The enclosing effect; `None` at the root.
    pub fn parent(&self) -> Option<&Whereabouts> {
        let parent = self.0.parent.as_deref();
        parent.filter(|parent| !parent.is_bare())
    }

    pub(crate) fn is_bare(&self) -> bool {
        self.0.parent.is_none()
    }

    /// Which opening of this effect's name below its parent this is, counted from 1.
    pub fn nth(&self) -> u32 {
        self.0.nth
    }

    /// How many effects enclose this one; 0 at the root.
    pub fn level(&self) -> usize {
        std::iter::successors(self.parent(), |cx| cx.parent()).count()
    }

    /// The nearest enclosing agent's name.
    pub fn agent_name(&self) -> Option<&Name> {
        let mut here = Some(self);
        while let Some(cx) = here {
            if cx.0.effect.kind() == EffectKind::Agent {
                return Some(cx.0.effect.name());
            }
            here = cx.parent();
        }
        None
    }

    /// Where this effect stands in the run: `support/agent_node/agent/turn:1/tool:refund[c1]`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        self.push_path(&mut path);
        path
    }

    fn push_path(&self, path: &mut String) {
        if let Some(parent) = self.parent() {
            parent.push_path(path);
            path.push('/');
        }
        push_segment(path, &self.0.effect, self.0.nth);
    }

    fn enclosing_run(&self) -> &Whereabouts {
        let mut here = self;
        while !here.0.effect.kind().is_run() {
            match &here.0.parent {
                Some(parent) => here = parent,
                None => break,
            }
        }
        here
    }
}
