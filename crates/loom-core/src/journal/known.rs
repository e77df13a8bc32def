//! `Known`: the records of a run that this process knows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::journal::{Record, SlotKind};

/// The records of earlier attempts, which were handed over at the claim, and of this one.
#[derive(Default)]
pub(super) struct Known {
    records: [HashMap<String, Arc<Value>>; 7],
    /// Below which paths several effects ran at once in an earlier attempt.
    pub(super) overlapped: HashSet<String>,
}

impl Known {
    pub(super) fn get(&self, kind: SlotKind, path: &str) -> Option<&Arc<Value>> {
        let records = &self.records[kind as usize];
        match records.is_empty() {
            true => None,
            false => records.get(path),
        }
    }

    /// A record of an earlier attempt.
    pub(super) fn add(&mut self, record: Record) {
        let overlapped = match record.key.kind {
            SlotKind::Output => record.value["overlapped"] == true,
            SlotKind::Intent => record.value["overlapped"] == true,
            _ => false,
        };
        if overlapped && let Some((parent, _)) = record.key.path.rsplit_once('/') {
            self.overlapped.insert(parent.to_owned());
        }
        self.put(record);
    }

    pub(super) fn put(&mut self, record: Record) {
        self.records[record.key.kind as usize].insert(record.key.path, record.value);
    }
}
