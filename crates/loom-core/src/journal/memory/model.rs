//! A naive model of a journal: everything is kept in lists, and nothing is decided before it is
//! asked for.

use super::*;
use crate::error::ErrorKind;
use crate::scope::Scope;

#[derive(Default)]
pub(super) struct Model {
    pub(super) now: u64,
    /// In the order in which they were first written.
    heads: Vec<(JournalRun, RunHead)>,
    records: Vec<(JournalRun, Record)>,
    pub(super) leases: Vec<Claim>,
    cancels: Vec<JournalRun>,
}

pub(super) struct Claim {
    pub(super) run: JournalRun,
    lapses: u64,
    released: Option<Released>,
    forgotten: bool,
}

impl Model {
    fn last(&self, run: &JournalRun) -> Option<&Claim> {
        let last = self.leases.iter().rfind(|it| it.run == *run)?;
        Some(last).filter(|it| !it.forgotten)
    }

    fn is_held(&self, run: &JournalRun) -> bool {
        let last = self.last(run);
        last.is_some_and(|it| it.released.is_none() && it.lapses > self.now)
    }

    fn is_current(&self, lease: usize) -> bool {
        let claim = &self.leases[lease];
        let is_last = !self.leases[lease + 1..]
            .iter()
            .any(|it| it.run == claim.run);
        is_last && claim.released.is_none() && !claim.forgotten
    }

    fn head(&mut self, run: &JournalRun) -> Option<&mut RunHead> {
        let found = self.heads.iter_mut().find(|(of, _)| of == run)?;
        Some(&mut found.1)
    }

    fn seen(&self, run: &JournalRun, head: &RunHead) -> String {
        let mut head = head.clone();
        let unreleased = self.last(run).is_some_and(|it| it.released.is_none());
        head.lease_until = unreleased.then_some(SystemTime::UNIX_EPOCH);
        head.cancel_requested = self.cancels.contains(run);
        seen(&head)
    }

    pub(super) fn record(&self, run: &JournalRun, kind: SlotKind, path: &str) -> Option<&Value> {
        let key = SlotKey::new(kind, path);
        let mut records = self.records.iter();
        let found = records.rfind(|(of, record)| of == run && record.key == key)?;
        Some(&found.1.value)
    }

    fn all_records(&self, run: &JournalRun) -> Vec<Record> {
        let own = self.records.iter().filter(|(of, _)| of == run);
        let last: BTreeMap<_, _> = own
            .map(|(_, it)| (it.key.clone(), it.value.clone()))
            .collect();
        last.into_iter()
            .map(|(key, value)| Record { key, value })
            .collect()
    }

    pub(super) fn claim(
        &mut self,
        run: &JournalRun,
        ttl: u64,
    ) -> Result<(Option<String>, Vec<Record>), ErrorKind> {
        if self.is_held(run) {
            return Err(ErrorKind::Invalid);
        }
        self.leases.push(Claim {
            run: run.clone(),
            lapses: self.now + ttl,
            released: None,
            forgotten: false,
        });
        let head = self.head(run).cloned();
        let head = head.map(|head| self.seen(run, &head));
        Ok((head, self.all_records(run)))
    }

    pub(super) fn renew(&mut self, lease: usize, ttl: u64) -> Result<Renewed, Lost> {
        if !self.is_current(lease) {
            return Err(Lost::TakenOver);
        }
        self.leases[lease].lapses = self.now + ttl;
        Ok(Renewed::new(self.cancels.contains(&self.leases[lease].run)))
    }

    pub(super) fn release(&mut self, lease: usize, how: Released) {
        if !self.is_current(lease) {
            return;
        }
        self.leases[lease].released = Some(how);
        let run = self.leases[lease].run.clone();
        if self.head(&run).is_none() {
            self.cancels.retain(|it| *it != run);
        }
    }

    pub(super) fn write(
        &mut self,
        lease: usize,
        head: RunHead,
        records: Vec<Record>,
    ) -> Result<(), Lost> {
        if !self.is_current(lease) {
            return Err(Lost::TakenOver);
        }
        let run = self.leases[lease].run.clone();
        let stored = self.head(&run).map(|it| it.revision);
        if stored.is_some_and(|stored| stored >= head.revision) {
            return Err(Lost::Store(Error::invalid("old")));
        }
        let is_known = |path: &String| self.record(&run, SlotKind::Answer, path).is_some();
        let is_due = head.due == Some(SystemTime::UNIX_EPOCH);
        if head.status == RunStatus::Paused && (is_due || head.waiting.iter().any(is_known)) {
            return Err(Lost::Answered);
        }
        if !matches!(head.status, RunStatus::Open | RunStatus::Paused) {
            self.cancels.retain(|it| *it != run);
        }
        match self.head(&run) {
            Some(stored) => *stored = head,
            None => self.heads.push((run.clone(), head)),
        }
        self.records
            .extend(records.into_iter().map(|it| (run.clone(), it)));
        Ok(())
    }

    pub(super) fn answer(&mut self, run: &JournalRun, path: &str, value: Value) -> Answered {
        if self.record(run, SlotKind::Question, path).is_none() {
            return Answered::NotAsked;
        }
        if self.record(run, SlotKind::Answer, path).is_some() {
            return Answered::Already;
        }
        let head = self.head(run).unwrap();
        if !head.waiting.iter().any(|it| it == path) {
            return Answered::NotWaiting;
        }
        head.waiting.retain(|it| it != path);
        let key = SlotKey::new(SlotKind::Answer, path);
        self.records.push((
            run.clone(),
            Record {
                key,
                value: value.into(),
            },
        ));
        Answered::Written
    }

    pub(super) fn cancel(&mut self, run: &JournalRun) -> bool {
        let is_held = self.is_held(run);
        let is_live = self.head(run).map_or(is_held, |head| {
            matches!(head.status, RunStatus::Open | RunStatus::Paused)
        });
        if is_live {
            self.cancels.push(run.clone());
        }
        is_live
    }

    pub(super) fn forget(&mut self, what: &Forget) -> Result<u64, ErrorKind> {
        let is_meant = |run: &JournalRun| match what {
            Forget::Run(one) => run == one,
            Forget::Scope(scope) => run.scope == *scope,
            Forget::User(user) => run.scope.user() == user.as_ref(),
        };
        if self
            .leases
            .iter()
            .any(|it| is_meant(&it.run) && self.is_held(&it.run))
        {
            return Err(ErrorKind::Invalid);
        }
        let before = self.heads.len();
        self.heads.retain(|(run, _)| !is_meant(run));
        self.records.retain(|(run, _)| !is_meant(run));
        self.cancels.retain(|run| !is_meant(run));
        for claim in self.leases.iter_mut().filter(|it| is_meant(&it.run)) {
            claim.forgotten = true;
        }
        Ok((before - self.heads.len()) as u64)
    }

    pub(super) fn list(
        &self,
        scope: &Scope,
        status: Option<RunStatus>,
        lapsed: bool,
    ) -> Vec<String> {
        let is_orphan = |run: &JournalRun, head: &RunHead| {
            let last = self.last(run).unwrap();
            let shut_down = last.released == Some(Released::Shutdown);
            let gone = last.released.is_none() && last.lapses <= self.now;
            head.status == RunStatus::Open && (shut_down || gone)
        };
        let heads = self.heads.iter();
        heads
            .filter(|(run, _)| run.scope == *scope)
            .filter(|(_, head)| status.is_none_or(|it| it == head.status))
            .filter(|(run, head)| !lapsed || is_orphan(run, head))
            .map(|(run, head)| self.seen(run, head))
            .collect()
    }
}

/// A head as text, without the time at which its lease ends.
pub(super) fn seen(head: &RunHead) -> String {
    format!(
        "{} {} {} {:?} {:?} held:{} cancel:{}",
        head.run,
        head.revision,
        head.status.as_str(),
        head.waiting,
        head.due,
        head.lease_until.is_some(),
        head.cancel_requested
    )
}
