//! `Check`: a log's lines, one after the other, held against what a writer writes.

use ring::hmac;
use uuid::Uuid;

use crate::anchors::{Anchors, Expected};
use crate::counts::Counts;
use crate::entry::Opening;
use crate::findings::Findings;
use crate::hash::{Hex, NO_LEAF, mac_fits, payload_hash};
use crate::key::AuditKey;
use crate::read::{Entry, Unread};
use crate::report::{Report, Verdict};
use crate::shape::Shape;

pub(crate) struct Check<'a> {
    keys: Vec<(hmac::Key, String)>,
    anchors: Anchors<'a>,
    findings: Findings,
    /// Which of the keys the log's first entry is signed with.
    key: Option<usize>,
    log: Option<Uuid>,
    next: Next,
    /// The last entry that is signed, and how many entries it says were safe before it.
    last: Place,
    safe: u64,
    /// Where the log stood before the first line that doesn't parse.
    before_tear: Option<Place>,
    parsed: u64,
    /// How many lines are signed entries.
    entries: u64,
    counts: Counts,
}

#[derive(Clone, Copy)]
struct Place {
    seq: u64,
    leaf: Hex<32>,
}

/// Which entry may follow.
enum Next {
    /// The one after this.
    After(Place),
    /// Any later than this number: what was in between can't be told.
    LaterThan(u64),
}

impl<'a> Check<'a> {
    pub(crate) fn new(keys: &[AuditKey], expected: &'a [Expected]) -> Self {
        let start = Place {
            seq: 0,
            leaf: NO_LEAF,
        };
        Self {
            keys: keys.iter().map(|key| (key.mac_key(), key.id())).collect(),
            anchors: Anchors::new(expected),
            findings: Findings::default(),
            key: None,
            log: None,
            next: Next::After(start),
            last: start,
            safe: 0,
            before_tear: None,
            parsed: 0,
            entries: 0,
            counts: Counts::default(),
        }
    }

    /// A line that ended in a line feed.
    pub(crate) fn line(&mut self, line: &[u8]) {
        match Entry::read(line) {
            Ok(entry) => self.entry(&entry),
            Err(Unread::Altered(at, why)) => {
                self.parsed += 1;
                self.findings.add_within(Verdict::Forged, at, why);
                self.lose();
            }
            Err(Unread::Broken(at, why)) => self.broken(at, why),
        }
        self.findings.advance(line.len() + 1);
    }

    /// What stands after the last line feed.
    pub(crate) fn stump(&mut self, line: &[u8]) {
        self.broken(line.len(), "the line has no end".into());
        self.findings.advance(line.len());
    }

    fn broken(&mut self, at: usize, why: String) {
        self.before_tear.get_or_insert(self.last);
        let seq_min = self.last.seq.saturating_add(1);
        self.findings.add_broken(seq_min, at, why);
        self.lose();
    }

    /// A line is there that can't be believed: what it was isn't known, nor whether it is one.
    fn lose(&mut self) {
        self.next = Next::LaterThan(self.last.seq);
        self.counts.lose();
    }

    fn entry(&mut self, entry: &Entry<'_>) {
        self.parsed += 1;
        let header = &entry.header;
        self.anchors.saw(header.seq, &entry.leaf);
        let signer = self
            .keys
            .iter()
            .position(|(key, _)| mac_fits(key, &entry.leaf, &entry.mac));
        let Some(signer) = signer else {
            self.forged("its mac fits no given key".into());
            self.lose();
            return;
        };
        self.entries += 1;
        self.findings
            .vouch(header.ds.min(header.seq.saturating_sub(1)));
        self.check_log(header.log);
        let faults = [
            self.key_fault(signer),
            self.link_fault(entry),
            payload_fault(entry),
        ];
        faults.into_iter().flatten().for_each(|it| self.forged(it));
        self.check_shape(entry, signer);
        self.last = Place {
            seq: header.seq,
            leaf: entry.leaf,
        };
        self.next = Next::After(self.last);
    }

    fn check_log(&mut self, log: Uuid) {
        let first = *self.log.get_or_insert(log);
        if first != log {
            let what = format!("it belongs to the log {log}, and the first line to {first}");
            self.findings.add(Verdict::WrongLog, what);
        }
    }

    /// One key signs one log: an old key of somebody's must not open later logs to them.
    fn key_fault(&mut self, signer: usize) -> Option<String> {
        let first = *self.key.get_or_insert(signer);
        (first != signer).then(|| {
            let (signer, first) = (&self.keys[signer].1, &self.keys[first].1);
            format!("it is signed with the key {signer}, and the first line with {first}")
        })
    }

    fn link_fault(&mut self, entry: &Entry<'_>) -> Option<String> {
        let header = &entry.header;
        if header.ds < self.safe {
            return Some(format!(
                "it says {} entries are safe, and an earlier one says {}",
                header.ds, self.safe
            ));
        }
        self.safe = header.ds;
        match self.next {
            // Nothing can follow an entry of the largest number.
            Next::After(Place { seq, .. }) if seq.checked_add(1) != Some(header.seq) => {
                Some(format!(
                    "it is entry {}, where entry {} should be",
                    header.seq,
                    u128::from(seq) + 1
                ))
            }
            Next::After(Place { leaf, .. }) if header.prev != leaf => {
                Some("it doesn't follow the entry before it".into())
            }
            Next::LaterThan(seq) if header.seq <= seq => {
                Some(format!("it is entry {}, after entry {seq}", header.seq))
            }
            Next::After(_) | Next::LaterThan(_) => None,
        }
    }

    fn check_shape(&mut self, entry: &Entry<'_>, signer: usize) {
        let seq = entry.header.seq;
        let fault = match Shape::of(&entry.header) {
            Err(why) => Some(why),
            Ok(Shape::Open) => open_fault(entry, &self.keys[signer].1),
            Ok(Shape::Event(_)) if seq == 1 => Some("a log begins with an open entry".into()),
            Ok(Shape::Event(subject)) => self.counts.event(seq, &subject),
        };
        if let Some(fault) = fault {
            self.forged(fault);
        }
    }

    fn forged(&mut self, what: String) {
        self.findings.add(Verdict::Forged, what);
    }

    pub(crate) fn finish(mut self) -> Report {
        if self.parsed > 0 && self.entries == 0 {
            // Nothing else that was found means anything.
            self.findings = Findings::default();
            let what = "no mac in the log fits a given key".to_owned();
            self.findings.add(Verdict::WrongKey, what);
            let end = self.last;
            return self.report(end, 0);
        }
        let torn = self.findings.settle_broken();
        let end = match self.before_tear {
            Some(before) if torn => before,
            Some(_) | None => self.last,
        };
        let log = self.log.map(|log| log.to_string());
        let (faults, anchored) = self.anchors.judge(log.as_deref(), end.seq);
        if anchored == 0 && faults.is_empty() {
            let what = "nothing says how far it should go".to_owned();
            self.findings.add(Verdict::Unanchored, what);
        }
        for (verdict, what) in faults {
            self.findings.add(verdict, what);
        }
        self.report(end, anchored)
    }

    fn report(self, end: Place, anchored: u64) -> Report {
        let (verdict, findings, findings_more) = self.findings.into_parts();
        let counted = self.counts.finish();
        Report {
            verdict,
            findings,
            findings_more,
            log: self.log.map(|log| log.to_string()),
            size: end.seq,
            head: end.leaf.to_string(),
            anchored,
            entries: self.entries,
            events: counted.events,
            users: counted.users,
            runs: counted.runs,
            open: counted.open,
            late: counted.late,
            late_more: counted.late_more,
        }
    }
}

fn payload_fault(entry: &Entry<'_>) -> Option<String> {
    match &entry.content {
        None => Some("its payload was removed, and no entry says so".into()),
        Some((salt, payload)) if payload_hash(salt, payload.as_bytes()) != entry.header.ph => {
            Some("its payload isn't the one that was signed".into())
        }
        Some(_) => None,
    }
}

fn open_fault(entry: &Entry<'_>, key: &str) -> Option<String> {
    if entry.header.seq != 1 {
        return Some("a log is opened once".into());
    }
    let payload = entry
        .content
        .map(|(_, payload)| payload)
        .unwrap_or_default();
    let opening = match serde_json::from_str::<Opening<'_>>(payload) {
        Ok(opening) if opening.written() == payload.as_bytes() => opening,
        Ok(_) => return Some("its payload isn't spelled as a writer spells it".into()),
        Err(e) => return Some(format!("its payload isn't that of an open entry: {e}")),
    };
    if opening.format != crate::FORMAT {
        return Some(format!(
            "the format {:?} isn't {:?}",
            opening.format,
            crate::FORMAT
        ));
    }
    (opening.key != key).then(|| {
        format!(
            "it names the key {:?}, and is signed with {key}",
            opening.key
        )
    })
}
