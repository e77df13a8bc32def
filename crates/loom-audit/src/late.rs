//! `Late`: rows that say something of an effect or a run that was over.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use loom_core::SpanId;

use crate::action::{End, Family, Remark};
use crate::report::LateRow;
use crate::shape::Subject;

const LATE_MAX: usize = 1000;

const SPAN_CLOSED: &str = "its span had closed";
const RUN_CLOSED: &str = "its run had closed and wasn't resumed";

/// Finds late rows. Keeps a word for each run that completed, and the spans of every other run,
/// since that one may be resumed.
#[derive(Default)]
pub(crate) struct Late {
    roots: HashMap<RootKey, Root>,
    /// Runs that completed. They may be opened again all the same, to replay what they returned.
    completed: HashSet<RootKey>,
    listed: Vec<LateRow>,
    more: u64,
}

/// Which root run a row belongs to: its trace, its id and whose it is, hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RootKey(u64);

#[derive(Default)]
struct Root {
    /// The root spans of attempts that are neither closed nor followed by another attempt.
    open: Vec<SpanId>,
    /// Whether it has closed, and no `resumed` row came since.
    is_over: bool,
    closed: HashSet<SpanId>,
    /// The opening of an attempt, which the next row of the run explains if it says `resumed`.
    unexplained: Option<LateRow>,
}

impl RootKey {
    pub(crate) fn of(subject: &Subject) -> Self {
        // The id of a nested run is its root's with a suffix.
        let run = subject.run.as_str();
        let root = match subject.parent_run {
            None => run,
            Some(_) => run.rsplit_once('.').map_or(run, |(root, _)| root),
        };
        let owner = match &subject.by {
            None => subject.user.as_ref().map_or("", |it| it.as_str()),
            Some(by) => by,
        };
        let mut hash = DefaultHasher::new();
        (subject.trace, root, owner, subject.session.as_str()).hash(&mut hash);
        Self(hash.finish())
    }
}

impl Late {
    pub(crate) fn opening(&mut self, seq: u64, key: RootKey, family: Family, subject: &Subject) {
        if !is_root(family, subject) {
            self.judge(seq, key, subject);
            if let Some(root) = self.roots.get_mut(&key) {
                // Injected ids may give a span another time.
                root.closed.remove(&subject.span);
            }
            return;
        }
        let had_completed = self.completed.remove(&key);
        let root = self.roots.entry(key).or_default();
        root.is_over |= had_completed;
        root.open.push(subject.span);
        root.closed.remove(&subject.span);
        let unexplained = root
            .is_over
            .then(|| late_row(seq, subject, RUN_CLOSED))
            .and_then(|row| root.unexplained.replace(row));
        self.add(unexplained);
    }

    pub(crate) fn closing(
        &mut self,
        seq: u64,
        key: RootKey,
        (family, end): (Family, End),
        subject: &Subject,
        is_abandoned: bool,
    ) {
        if !is_abandoned {
            self.judge(seq, key, subject);
        }
        let Some(root) = self.roots.get_mut(&key) else {
            return;
        };
        root.closed.insert(subject.span);
        if !is_root(family, subject) || is_abandoned {
            return;
        }
        root.open.retain(|span| *span != subject.span);
        if !root.open.is_empty() {
            return;
        }
        root.is_over = true;
        if end == End::Completed {
            let root = self.roots.remove(&key);
            self.completed.insert(key);
            self.add(root.and_then(|it| it.unexplained));
        }
    }

    /// A model call has no opening row: this one closes it.
    pub(crate) fn model_call(&mut self, seq: u64, key: RootKey, subject: &Subject) {
        self.judge(seq, key, subject);
        if let Some(root) = self.roots.get_mut(&key) {
            root.closed.insert(subject.span);
        }
    }

    pub(crate) fn remark(
        &mut self,
        seq: u64,
        key: RootKey,
        remark: Remark,
        subject: &Subject,
        is_abandoned: bool,
    ) {
        match remark {
            Remark::Resumed => {
                if let Some(root) = self.roots.get_mut(&key) {
                    root.open.retain(|span| *span == subject.span);
                    root.unexplained = None;
                    root.is_over = root.open.is_empty();
                }
                self.judge(seq, key, subject);
            }
            // An attempt that a limit refused was never opened.
            Remark::LimitReached if self.is_refused_root(key, subject) => (),
            _ if is_abandoned => (),
            _ => self.judge(seq, key, subject),
        }
    }

    fn is_refused_root(&self, key: RootKey, subject: &Subject) -> bool {
        let root = self.roots.get(&key);
        let is_known =
            |root: &Root| root.closed.contains(&subject.span) || root.open.contains(&subject.span);
        subject.parent_run.is_none() && !root.is_some_and(is_known)
    }

    /// Lists a row if its span or its run is over.
    fn judge(&mut self, seq: u64, key: RootKey, subject: &Subject) {
        let is_opening = matches!(subject.action, crate::action::Action::Opening(_));
        let mut unexplained = None;
        let what = match self.roots.get_mut(&key) {
            None => self.completed.contains(&key).then_some(RUN_CLOSED),
            Some(root) if !is_opening && root.closed.contains(&subject.span) => Some(SPAN_CLOSED),
            Some(root) => {
                unexplained = root.unexplained.take();
                root.is_over.then_some(RUN_CLOSED)
            }
        };
        self.add(unexplained);
        self.add(what.map(|what| late_row(seq, subject, what)));
    }

    /// A line is missing: it may have closed or resumed anything.
    pub(crate) fn lose(&mut self) {
        self.completed.clear();
        self.roots.retain(|_, root| !root.open.is_empty());
        for root in self.roots.values_mut() {
            root.closed.clear();
            (root.is_over, root.unexplained) = (false, None);
        }
    }

    fn add(&mut self, row: Option<LateRow>) {
        let Some(row) = row else {
            return;
        };
        if self.listed.len() < LATE_MAX {
            self.listed.push(row);
        } else {
            self.more += 1;
        }
    }

    /// The late rows in the order of the log, and how many aren't listed.
    pub(crate) fn into_parts(mut self) -> (Vec<LateRow>, u64) {
        self.listed.sort_by_key(|it| it.seq);
        (self.listed, self.more)
    }
}

/// Whether the row opens or closes the root of a run.
fn is_root(family: Family, subject: &Subject) -> bool {
    family.is_run() && subject.parent_run.is_none()
}

fn late_row(seq: u64, subject: &Subject, what: &str) -> LateRow {
    LateRow {
        seq,
        action: subject.action.word().to_owned(),
        name: subject.name.clone(),
        run: subject.run.clone(),
        span: subject.span,
        what: what.to_owned(),
    }
}
