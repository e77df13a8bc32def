//! `Counts`: what the rows of a log are about, counted; which effects are open, and which rows are
//! late.

use std::collections::{HashMap, HashSet};

use loom_core::{SpanId, TraceId};

use crate::action::{Action, Family, Remark};
use crate::late::{Late, RootKey};
use crate::report::{LateRow, OpenEffect};
use crate::shape::Subject;

#[derive(Default)]
pub(crate) struct Counts {
    events: u64,
    runs: u64,
    users: HashSet<String>,
    /// Whether lines are missing, so that what a row closes may have been opened in one of them.
    lost: bool,
    /// Several of one key if two looms with the same injected ids share a log.
    open: HashMap<(TraceId, SpanId, Family), Vec<Open>>,
    late: Late,
}

/// An effect that has no closing row yet.
struct Open {
    effect: OpenEffect,
    root: RootKey,
    /// Whether a later attempt of its run has begun: nobody has to close it any more, but a worker
    /// that was taken over still may.
    is_abandoned: bool,
}

/// What the rows of a whole log came to.
pub(crate) struct Counted {
    pub(crate) events: u64,
    pub(crate) users: u64,
    pub(crate) runs: u64,
    pub(crate) open: Vec<OpenEffect>,
    pub(crate) late: Vec<LateRow>,
    pub(crate) late_more: u64,
}

impl Counts {
    /// Counts a row; says what is wrong with it if it closes what isn't open.
    pub(crate) fn event(&mut self, seq: u64, subject: &Subject) -> Option<String> {
        self.events += 1;
        if let Some(user) = &subject.user
            && !self.users.contains(user.as_str())
        {
            self.users.insert(user.as_str().to_owned());
        }
        let root = RootKey::of(subject);
        let key = |family| (subject.trace, subject.span, family);
        match subject.action {
            Action::Opening(family) => {
                self.runs += u64::from(family.is_run());
                self.late.opening(seq, root, family, subject);
                self.open.entry(key(family)).or_default().push(Open {
                    effect: OpenEffect {
                        seq,
                        action: subject.action.word().to_owned(),
                        name: subject.name.clone(),
                        run: subject.run.clone(),
                        span: subject.span,
                    },
                    root,
                    is_abandoned: false,
                });
                None
            }
            Action::Closing(family, end) => {
                let closed = self.close(key(family));
                let is_abandoned = closed.as_ref().is_some_and(|it| it.is_abandoned);
                self.late
                    .closing(seq, root, (family, end), subject, is_abandoned);
                let fault = format!("it closes {}, which isn't open", subject.span);
                (closed.is_none() && !self.lost).then_some(fault)
            }
            Action::ModelCall(_) => {
                self.late.model_call(seq, root, subject);
                None
            }
            Action::Remark(remark) => {
                if remark == Remark::Resumed {
                    self.abandon(root, subject);
                }
                let is_abandoned = self.is_abandoned(subject);
                self.late.remark(seq, root, remark, subject, is_abandoned);
                None
            }
        }
    }

    /// Lines are missing from here on.
    pub(crate) fn lose(&mut self) {
        self.lost = true;
        self.late.lose();
    }

    fn close(&mut self, key: (TraceId, SpanId, Family)) -> Option<Open> {
        let open = self.open.get_mut(&key)?;
        let closed = open.pop();
        if open.is_empty() {
            self.open.remove(&key);
        }
        closed
    }

    /// The run is resumed in this span: whatever earlier attempts left open is over.
    fn abandon(&mut self, root: RootKey, resumed: &Subject) {
        for ((_, span, _), open) in &mut self.open {
            // Of two attempts with the same injected ids the last is the one that was resumed.
            let current = (*span == resumed.span).then(|| open.len() - 1);
            for (index, it) in open.iter_mut().enumerate() {
                it.is_abandoned |= it.root == root && Some(index) != current;
            }
        }
    }

    fn is_abandoned(&self, subject: &Subject) -> bool {
        Family::ALL.into_iter().any(|family| {
            let open = self.open.get(&(subject.trace, subject.span, family));
            open.and_then(|it| it.last())
                .is_some_and(|it| it.is_abandoned)
        })
    }

    pub(crate) fn finish(self) -> Counted {
        let left = self.open.into_values().flatten();
        let mut open: Vec<OpenEffect> = left
            .filter(|it| !it.is_abandoned)
            .map(|it| it.effect)
            .collect();
        open.sort_by_key(|it| it.seq);
        let (late, late_more) = self.late.into_parts();
        Counted {
            events: self.events,
            users: self.users.len() as u64,
            runs: self.runs,
            open,
            late,
            late_more,
        }
    }
}
