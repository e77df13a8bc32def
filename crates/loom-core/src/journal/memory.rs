//! A journal in memory: for tests, and for runs that pause and resume within one process.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::tree::unpoisoned;

use super::{
    Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Lost, Page, Record,
    Released, Renewed, RunHead, RunQuery, RunStatus, SlotKey, SlotKind, Whose,
};

/// A [`Journal`] in memory. Share it between looms as an `Arc`.
///
/// It keeps every run until it is asked to [forget](Journal::forget) it. A lease lapses if it was
/// taken or last renewed within a Tokio runtime; elsewhere there is no timer that could renew it, so
/// it is held until it is released.
///
/// ```
/// use std::sync::Arc;
/// use loom_core::{Loom, MemoryJournal};
///
/// let journal = Arc::new(MemoryJournal::default());
/// let loom = Loom::builder().journal(journal.clone()).build();
/// # let _ = loom;
/// ```
#[derive(Default)]
pub struct MemoryJournal(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    runs: HashMap<JournalRun, Stored>,
    /// How many claims there were, of any run: the last one's token.
    claims: u64,
    /// How many runs were written for the first time.
    written: u64,
}

#[derive(Default)]
struct Stored {
    /// The last claim's.
    token: u64,
    lease: Option<Term>,
    /// Whether the last lease was released so that any worker may resume the run.
    is_left: bool,
    cancel_requested: bool,
    /// Counted from the first run that was written, so that listings are in order.
    age: u64,
    head: Option<RunHead>,
    records: BTreeMap<SlotKey, Arc<Value>>,
}

/// How long a lease lasts.
struct Term {
    /// `None` if it never lapses.
    lapses: Option<Instant>,
    /// What heads show.
    until: Option<SystemTime>,
}

impl Term {
    fn begin(ttl: Duration) -> Self {
        let has_timer = tokio::runtime::Handle::try_current().is_ok();
        Self {
            lapses: has_timer.then(|| Instant::now().checked_add(ttl)).flatten(),
            until: SystemTime::now().checked_add(ttl),
        }
    }

    fn has_lapsed(&self) -> bool {
        self.lapses.is_some_and(|lapses| lapses <= Instant::now())
    }
}

impl Stored {
    fn is_held(&self) -> bool {
        self.lease.as_ref().is_some_and(|term| !term.has_lapsed())
    }

    /// The head with what the store knows of it.
    fn head(&self) -> Option<RunHead> {
        Some(RunHead {
            cancel_requested: self.cancel_requested,
            lease_until: self.lease.as_ref().and_then(|term| term.until),
            ..self.head.clone()?
        })
    }

    fn has(&self, kind: SlotKind, path: &str) -> bool {
        self.records.contains_key(&SlotKey::new(kind, path))
    }

    fn may_be_replaced_by(&self, head: &RunHead) -> Result<(), Lost> {
        if let Some(stored) = &self.head
            && head.revision <= stored.revision
        {
            let message = format!(
                "the revision {} of the run {} isn't higher than the stored one, {}",
                head.revision, head.run, stored.revision
            );
            return Err(Lost::Store(Error::invalid(message)));
        }
        let answered = |path: &String| self.has(SlotKind::Answer, path);
        let is_due = head.due.is_some_and(|due| due <= SystemTime::now());
        let may_continue = is_due || head.waiting.iter().any(answered);
        match head.status == RunStatus::Paused && may_continue {
            true => Err(Lost::Answered),
            false => Ok(()),
        }
    }

    fn matches(&self, query: &RunQuery<'_>) -> bool {
        let Some(head) = &self.head else {
            return false;
        };
        let is_due = |by| head.due.is_some_and(|due| due <= by);
        let is_orphaned = || match &self.lease {
            Some(term) => term.has_lapsed(),
            None => self.is_left,
        };
        query.status.is_none_or(|status| status == head.status)
            && query.due_by.is_none_or(is_due)
            && (!query.lapsed || (head.status == RunStatus::Open && is_orphaned()))
    }
}

impl MemoryJournal {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        unpoisoned(&self.0)
    }
}

impl Memory {
    /// The run, if this lease is the last one of it and wasn't released.
    fn under(&mut self, lease: &Lease) -> Result<&mut Stored, Lost> {
        let stored = self.runs.get_mut(&lease.run);
        let is_last = |it: &&mut Stored| it.token == lease.token && it.lease.is_some();
        stored.filter(is_last).ok_or(Lost::TakenOver)
    }
}

impl Journal for MemoryJournal {
    async fn claim(&self, run: &JournalRun, ttl: Duration) -> Result<Claimed> {
        let mut memory = self.memory();
        if memory.runs.get(run).is_some_and(Stored::is_held) {
            return Err(Error::invalid(format!(
                "the run {} is being worked on elsewhere",
                run.root
            )));
        }
        memory.claims += 1;
        let lease = Lease {
            run: run.clone(),
            token: memory.claims,
        };
        let stored = memory.runs.entry(run.clone()).or_default();
        (stored.token, stored.lease) = (lease.token, Some(Term::begin(ttl)));
        let records = stored.records.iter().map(|(key, value)| Record {
            key: key.clone(),
            value: value.clone(),
        });
        Ok(Claimed::new(lease, stored.head(), records.collect()))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewed, Lost> {
        let mut memory = self.memory();
        let stored = memory.under(lease)?;
        stored.lease = Some(Term::begin(ttl));
        Ok(Renewed::new(stored.cancel_requested))
    }

    async fn write(&self, lease: &Lease, batch: &Batch) -> Result<(), Lost> {
        let mut memory = self.memory();
        let age = memory.written + 1;
        let stored = memory.under(lease)?;
        stored.may_be_replaced_by(&batch.head)?;
        stored.cancel_requested &= !batch.head.status.is_finished();
        let records = batch.records.iter();
        let records = records.map(|it| (it.key.clone(), it.value.clone()));
        stored.records.extend(records);
        if stored.head.replace(batch.head.clone()).is_none() {
            stored.age = age;
            memory.written = age;
        }
        Ok(())
    }

    fn release(&self, lease: &Lease, how: Released) {
        let mut memory = self.memory();
        let Ok(stored) = memory.under(lease) else {
            return;
        };
        (stored.lease, stored.is_left) = (None, how == Released::Shutdown);
        if stored.head.is_none() {
            memory.runs.remove(&lease.run);
        }
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<Answered> {
        let mut memory = self.memory();
        let Some(stored) = memory.runs.get_mut(run) else {
            return Ok(Answered::NotAsked);
        };
        if !stored.has(SlotKind::Question, path) {
            return Ok(Answered::NotAsked);
        }
        if stored.has(SlotKind::Answer, path) {
            return Ok(Answered::Already);
        }
        let waiting = stored.head.as_mut().map(|head| &mut head.waiting);
        let Some(waiting) = waiting.filter(|it| it.iter().any(|open| open == path)) else {
            return Ok(Answered::NotWaiting);
        };
        waiting.retain(|open| open != path);
        let key = SlotKey::new(SlotKind::Answer, path);
        stored.records.insert(key, value.into());
        Ok(Answered::Written)
    }

    async fn read(&self, run: &JournalRun, slot: &SlotKey) -> Result<Option<Value>> {
        let memory = self.memory();
        let stored = memory.runs.get(run);
        Ok(stored.and_then(|it| it.records.get(slot).map(|value| (**value).clone())))
    }

    async fn runs(&self, query: &RunQuery<'_>) -> Result<Page<FoundRun>> {
        if query.max == 0 {
            return Err(Error::invalid("a page of at most 0 runs was asked for"));
        }
        let after = query.after.as_deref().map_or(Ok(0), age_in)?;
        let memory = self.memory();
        let in_scope = |run: &JournalRun| match query.whose {
            Whose::Scope(scope) => run.scope == *scope,
            Whose::Everybody(_) => true,
        };
        let mut found: Vec<_> = memory
            .runs
            .iter()
            .filter(|(run, it)| it.age > after && in_scope(run) && it.matches(query))
            .collect();
        found.sort_unstable_by_key(|(_, stored)| stored.age);
        let has_more = found.len() > query.max;
        found.truncate(query.max);
        let next = found.last().filter(|_| has_more);
        let next = next.map(|(_, stored)| stored.age.to_string());
        let found = found.into_iter().filter_map(|(run, stored)| {
            Some(FoundRun {
                run: run.clone(),
                head: stored.head()?,
            })
        });
        Ok(Page::new(found.collect(), next))
    }

    async fn request_cancel(&self, run: &JournalRun) -> Result<bool> {
        let mut memory = self.memory();
        let Some(stored) = memory.runs.get_mut(run) else {
            return Ok(false);
        };
        let is_live = match &stored.head {
            Some(head) => !head.status.is_finished(),
            None => stored.is_held(),
        };
        stored.cancel_requested |= is_live;
        Ok(is_live)
    }

    async fn forget(&self, what: &Forget) -> Result<u64> {
        let is_meant = |run: &JournalRun| match what {
            Forget::Run(one) => run == one,
            Forget::Scope(scope) => run.scope == *scope,
            Forget::User(user) => run.scope.user() == user.as_ref(),
        };
        let mut memory = self.memory();
        let meant = || memory.runs.iter().filter(|(run, _)| is_meant(run));
        if let Some((run, _)) = meant().find(|(_, stored)| stored.is_held()) {
            return Err(Error::invalid(format!(
                "the run {} is being worked on, so nothing was forgotten; cancel it first",
                run.root
            )));
        }
        let forgotten = meant().filter(|(_, stored)| stored.head.is_some()).count();
        memory.runs.retain(|run, _| !is_meant(run));
        Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
    }
}

fn age_in(after: &str) -> Result<u64> {
    let message = || format!("no page of runs ends at {after:?}; give the `next` of a page");
    after.parse().map_err(|_| Error::invalid(message()))
}

impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryJournal({} runs)", self.memory().runs.len())
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod random;
#[cfg(test)]
mod model;
