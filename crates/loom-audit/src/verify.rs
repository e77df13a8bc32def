//! `verify`: what a log is worth.

use crate::anchors::Expected;
use crate::check::Check;
use crate::key::AuditKey;
use crate::report::Report;

/// Reads a log and says whether it is what was written.
///
/// `keys` are those that may have signed it; `expected` are anchors that it must extend, and
/// without one the verdict is never better than `Unanchored`. All faults are listed.
///
/// ```
/// use loom_audit::{Audit, AuditKey, Verdict, verify};
///
/// let key = AuditKey::generate()?;
/// let audit = Audit::in_memory(key.clone()).build()?;
/// let (log, anchor) = (audit.bytes(), audit.anchor());
///
/// assert_eq!(verify(&log, &[key.clone()], &[anchor.clone().into()]).verdict, Verdict::Ok);
/// assert_eq!(verify(&log, &[key.clone()], &[]).verdict, Verdict::Unanchored);
/// assert_eq!(verify(&[], &[key], &[anchor.into()]).verdict, Verdict::Truncated);
/// assert_eq!(verify(&log, &[AuditKey::generate()?], &[]).verdict, Verdict::WrongKey);
/// # Ok::<(), loom_core::Error>(())
/// ```
pub fn verify(log: &[u8], keys: &[AuditKey], expected: &[Expected]) -> Report {
    let mut check = Check::new(keys, expected);
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => check.line(line),
            None => check.stump(line),
        }
    }
    check.finish()
}
