//! `Findings`: what was found so far, and where.

use crate::printable::printable;
use crate::report::{Finding, Verdict};

const FINDINGS_MAX: usize = 1000;
/// What is found may quote a line, and so be of any length.
const WHAT_BYTES_MAX: usize = 200;

pub(crate) struct Findings {
    listed: Vec<Finding>,
    more: u64,
    worst: Verdict,
    line: u64,
    offset: u64,
    /// How many entries signed lines say were safely written.
    vouched: u64,
    broken: Vec<Broken>,
    /// Those beyond the bound: where the entry of this number or a later one should be, so many.
    broken_more: Vec<(u64, u64)>,
}

/// A line that doesn't parse. Whether it was damaged or torn shows later: when a line after it
/// vouches that it was safe, a crash can't be why.
struct Broken {
    seq_min: u64,
    finding: Finding,
}

impl Default for Findings {
    fn default() -> Self {
        Self {
            listed: Vec::new(),
            more: 0,
            worst: Verdict::Ok,
            line: 1,
            offset: 0,
            vouched: 0,
            broken: Vec::new(),
            broken_more: Vec::new(),
        }
    }
}

impl Findings {
    /// The next line begins so many bytes after this one.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.line += 1;
        self.offset += bytes as u64;
    }

    /// Adds what is wrong with the line as a whole.
    pub(crate) fn add(&mut self, verdict: Verdict, what: String) {
        self.add_within(verdict, 0, what);
    }

    /// Adds what is wrong with the line from this byte of it.
    pub(crate) fn add_within(&mut self, verdict: Verdict, at: usize, what: String) {
        let finding = self.finding(verdict, at, what);
        self.push(finding);
    }

    /// Adds a line that doesn't parse, where the entry of this number or a later one should be.
    pub(crate) fn add_broken(&mut self, seq_min: u64, at: usize, what: String) {
        if self.broken.len() < FINDINGS_MAX {
            let finding = self.finding(Verdict::Torn, at, what);
            self.broken.push(Broken { seq_min, finding });
            return;
        }
        match self.broken_more.last_mut() {
            Some((seq, lines)) if *seq == seq_min => *lines += 1,
            Some(_) | None => self.broken_more.push((seq_min, 1)),
        }
    }

    /// A signed line says that so many entries were safely written before it.
    pub(crate) fn vouch(&mut self, safe: u64) {
        self.vouched = self.vouched.max(safe);
    }

    /// Says of the lines that don't parse whether they are damaged or torn; gives whether the log
    /// ends in a tear that begins with the first of them.
    pub(crate) fn settle_broken(&mut self) -> bool {
        let broken = std::mem::take(&mut self.broken);
        for (index, it) in broken.into_iter().enumerate() {
            let mut finding = it.finding;
            if it.seq_min <= self.vouched {
                finding.verdict = Verdict::Damaged;
                self.push(finding);
            } else {
                // All that follows is part of the same tear.
                self.push(finding);
                return index == 0;
            }
        }
        self.count_broken_more();
        false
    }

    /// All that were kept are damaged and fill the list, so that these are only counted.
    fn count_broken_more(&mut self) {
        for (seq_min, lines) in std::mem::take(&mut self.broken_more) {
            if seq_min > self.vouched {
                self.more += 1;
                return;
            }
            self.more += lines;
        }
    }

    /// The worst verdict, the findings in the order of the lines, and how many aren't listed.
    pub(crate) fn into_parts(mut self) -> (Verdict, Vec<Finding>, u64) {
        self.listed.sort_by_key(|it| it.offset);
        (self.worst, self.listed, self.more)
    }

    fn finding(&self, verdict: Verdict, at: usize, what: String) -> Finding {
        Finding {
            verdict,
            line: self.line,
            offset: self.offset + at as u64,
            what: printable(what, WHAT_BYTES_MAX),
        }
    }

    fn push(&mut self, finding: Finding) {
        self.worst = self.worst.min(finding.verdict);
        if self.listed.len() < FINDINGS_MAX {
            self.listed.push(finding);
        } else {
            self.more += 1;
        }
    }
}
