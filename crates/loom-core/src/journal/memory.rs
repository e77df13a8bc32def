//! A journal in memory: for tests, and for runs that pause and resume within one process.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard};

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::RunId;
use crate::journal::{Journal, JournalRun, Lease, Slot};
use crate::scope::Scope;
use crate::tree::unpoisoned;

/// A [`Journal`] in memory. Share it between looms as an `Arc`.
///
/// It keeps every run until it is told to [forget](MemoryJournal::forget) it.
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
    runs: HashMap<JournalRun, Records>,
    claims: u64,
}

#[derive(Default)]
struct Records {
    /// Which run it was, counted from the first, so that listings are in order.
    age: u64,
    token: u64,
    held: bool,
    run: Option<Value>,
    definition: Option<Value>,
    outputs: BTreeMap<String, Value>,
    questions: BTreeMap<String, Value>,
    answers: BTreeMap<String, Value>,
}

impl MemoryJournal {
    /// Forgets all records of a run; whether there were any.
    ///
    /// ```
    /// use loom_core::{JournalRun, MemoryJournal, RunId, Scope, SessionId};
    ///
    /// let run = JournalRun { scope: Scope::new(None, SessionId::new("s")?), root: RunId::new("r")? };
    /// assert!(!MemoryJournal::default().forget(&run));
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn forget(&self, run: &JournalRun) -> bool {
        self.memory().runs.remove(run).is_some()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        unpoisoned(&self.0)
    }
}

impl Journal for MemoryJournal {
    async fn claim(&self, run: &JournalRun) -> Result<Lease> {
        let mut memory = self.memory();
        memory.claims += 1;
        let token = memory.claims;
        let records = memory.runs.entry(run.clone()).or_insert_with(|| Records {
            age: token,
            ..Records::default()
        });
        if records.held {
            return Err(Error::invalid(format!(
                "the run {} is being worked on elsewhere",
                run.root
            )));
        }
        (records.token, records.held) = (token, true);
        Ok(Lease {
            run: run.clone(),
            token,
        })
    }

    fn release(&self, lease: &Lease) {
        if let Some(records) = self.memory().runs.get_mut(&lease.run)
            && records.token == lease.token
        {
            records.held = false;
        }
    }

    async fn get(&self, run: &JournalRun, slot: Slot<'_>) -> Result<Option<Value>> {
        let memory = self.memory();
        Ok(memory.runs.get(run).and_then(|records| match slot {
            Slot::Run => records.run.clone(),
            Slot::Definition => records.definition.clone(),
            Slot::Output(path) => records.outputs.get(path).cloned(),
            Slot::Question(path) => records.questions.get(path).cloned(),
            Slot::Answer(path) => records.answers.get(path).cloned(),
        }))
    }

    async fn put(&self, lease: &Lease, slot: Slot<'_>, value: Value) -> Result<()> {
        let mut memory = self.memory();
        let records = memory
            .runs
            .get_mut(&lease.run)
            .filter(|it| it.token == lease.token);
        let Some(records) = records else {
            let message = format!(
                "the run {} was taken over by another worker",
                lease.run.root
            );
            return Err(Error::new(ErrorKind::Internal, message));
        };
        match slot {
            Slot::Run => records.run = Some(value),
            Slot::Definition => records.definition = Some(value),
            Slot::Output(path) => drop(records.outputs.insert(path.to_owned(), value)),
            Slot::Question(path) => drop(records.questions.insert(path.to_owned(), value)),
            Slot::Answer(path) => drop(records.answers.insert(path.to_owned(), value)),
        }
        Ok(())
    }

    async fn answer(&self, run: &JournalRun, path: &str, value: Value) -> Result<bool> {
        let mut memory = self.memory();
        let Some(records) = memory.runs.get_mut(run) else {
            return Ok(false);
        };
        let is_first = !records.answers.contains_key(path);
        if is_first {
            records.answers.insert(path.to_owned(), value);
        }
        Ok(is_first)
    }

    async fn runs(&self, scope: &Scope) -> Result<Vec<(RunId, Value)>> {
        let memory = self.memory();
        let own = memory.runs.iter().filter(|(run, _)| run.scope == *scope);
        let mut runs: Vec<_> = own
            .filter_map(|(run, it)| Some((it.age, run.root.clone(), it.run.clone()?)))
            .collect();
        runs.sort_by_key(|(age, ..)| *age);
        Ok(runs
            .into_iter()
            .map(|(_, root, record)| (root, record))
            .collect())
    }
}

impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryJournal({} runs)", self.memory().runs.len())
    }
}
