//! `Known`: the records of a run that this process knows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::journal::{Record, SlotKind};

/// The records of earlier attempts, which were handed over at the claim, and of this one.
pub(super) struct Known {
    /// By kind, then by path.
    records: [HashMap<String, Arc<Value>>; 7],
    /// Below which paths several effects ran at once in an earlier attempt.
    pub(super) overlapped: HashSet<String>,
}

impl Known {
    /// The records of earlier attempts.
    pub(super) fn of(records: Vec<Record>) -> Self {
        let mut known = Self {
            records: Default::default(),
            overlapped: HashSet::new(),
        };
        for record in records {
            let is_effect = matches!(record.key.kind, SlotKind::Output | SlotKind::Intent);
            if is_effect
                && record.value["overlapped"] == true
                && let Some((parent, _)) = record.key.path.rsplit_once('/')
            {
                known.overlapped.insert(parent.to_owned());
            }
            known.put(&record);
        }
        known
    }

    pub(super) fn get(&self, kind: SlotKind, path: &str) -> Option<&Arc<Value>> {
        self.records[kind as usize].get(path)
    }

    pub(super) fn put(&mut self, record: &Record) {
        let records = &mut self.records[record.key.kind as usize];
        records.insert(record.key.path.clone(), record.value.clone());
    }
}
