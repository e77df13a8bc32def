//! Who a run is for, and where in it a context stands.

use std::sync::atomic::Ordering;

use crate::context::frame::Frame;
use crate::context::{EffectView, RunContext};
use crate::effect::{Effect, EffectKind};
use crate::ids::{RunId, SessionId, UserId};
use crate::limits::Limits;
use crate::name::Name;
use crate::path::push_segment;
use crate::trace::{SpanId, TraceId, TraceParent};

impl EffectView {
    /// Whose partition this works in; `None` for an anonymous run.
    pub fn user(&self) -> Option<&UserId> {
        self.frame()
            .acting_as
            .as_ref()
            .or(self.frame().tree.user.as_ref())
    }

    /// Who asked for the run, where this effect acts as somebody else: `Some(None)` if that is the
    /// anonymous partition, `None` where nobody acts for another.
    pub fn by(&self) -> Option<Option<&UserId>> {
        let own = self.frame().tree.user.as_ref();
        let acts = self.frame().acting_as.is_some() && self.frame().acting_as.as_ref() != own;
        acts.then_some(own)
    }

    /// Whether this effect's output was recorded by an earlier attempt of the run and is used
    /// again: its body doesn't run.
    pub fn is_replayed(&self) -> bool {
        self.frame().replayed.load(Ordering::Relaxed)
    }

    /// The session the run belongs to.
    pub fn session_id(&self) -> &SessionId {
        &self.frame().tree.session
    }

    /// The session's id, where the caller gave it one.
    pub fn conversation_id(&self) -> Option<&SessionId> {
        self.frame()
            .tree
            .session_given
            .then_some(&self.frame().tree.session)
    }

    /// The nearest enclosing agent or workflow run, this effect included.
    pub fn run_id(&self) -> &RunId {
        let run = self.enclosing_run();
        let root = self.root_run_id();
        match &run.frame().run_id {
            Some(nested) => nested.get_or_init(|| RunId::nested(root, &run.path())),
            None => root,
        }
    }

    /// The run that encloses [`EffectView::run_id`]; `None` in the root run.
    pub fn parent_run_id(&self) -> Option<&RunId> {
        let run = self.enclosing_run();
        match &run.frame().parent {
            Some(parent) if run.frame().depth > 1 => Some(parent.run_id()),
            _ => None,
        }
    }

    /// The root run's id.
    pub fn root_run_id(&self) -> &RunId {
        &self.frame().tree.root_id
    }

    /// The one trace of the whole tree.
    pub fn trace_id(&self) -> TraceId {
        self.frame().tree.trace_id
    }

    /// This effect's span.
    pub fn span_id(&self) -> SpanId {
        self.frame().tree.span_id(self.frame().number)
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
        self.frame().tree.caller
    }

    /// The root span of the attempt that this run goes on with, if it was resumed.
    pub fn continues(&self) -> Option<SpanId> {
        self.frame().tree.continues
    }

    /// Whether what this run's effects give is recorded, so that the run can be resumed.
    pub fn has_journal(&self) -> bool {
        self.frame().tree.journal.is_some()
    }

    /// The limits of the whole tree.
    pub fn limits(&self) -> Limits {
        *self.frame().tree.ledger.limits()
    }

    /// The effect this context belongs to.
    pub fn effect(&self) -> &Effect {
        &self.frame().effect
    }

    /// The enclosing effect; `None` at the root.
    pub fn parent(&self) -> Option<&EffectView> {
        let parent = self.frame().parent.as_deref();
        parent.filter(|parent| !parent.is_bare())
    }

    /// What this effect was opened under: a context of its parent, or the bare context of a root.
    pub(crate) fn around(&self) -> Option<&RunContext> {
        self.frame().parent.as_ref()
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.0
    }

    pub(crate) fn is_bare(&self) -> bool {
        self.frame().parent.is_none()
    }

    /// Which opening of this effect's name below its parent this is, counted from 1.
    pub fn nth(&self) -> u32 {
        self.frame().nth
    }

    /// How many effects enclose this one; 0 at the root.
    pub fn level(&self) -> usize {
        self.frame().level.saturating_sub(1) as usize
    }

    /// The nearest enclosing agent's name.
    pub fn agent_name(&self) -> Option<&Name> {
        let mut here = Some(self);
        while let Some(cx) = here {
            if cx.frame().effect.kind() == EffectKind::Agent {
                return Some(cx.frame().effect.name());
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

    pub(super) fn push_path(&self, path: &mut String) {
        if let Some(parent) = self.around().filter(|it| !it.is_bare()) {
            parent.push_place(path);
            path.push('/');
        }
        push_segment(path, &self.frame().effect, self.frame().nth);
    }

    fn enclosing_run(&self) -> &EffectView {
        let mut here = self;
        while !here.frame().effect.kind().is_run() {
            match &here.frame().parent {
                Some(parent) => here = parent,
                None => break,
            }
        }
        here
    }
}
