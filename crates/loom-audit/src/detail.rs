//! `Detail`: how much of what happened is written down.

/// How much a log says. Chosen when it is built, and the same for all of its rows.
///
/// ```
/// use loom_audit::{Audit, AuditKey, Detail};
///
/// let audit = Audit::in_memory(AuditKey::generate()?).detail(Detail::Full).build()?;
/// # let _ = audit;
/// # Ok::<(), loom_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// Names, sizes, endings, and arguments by name with a keyed digest of each value; no text of
    /// a prompt, an argument, a result or an error.
    #[default]
    Summary,
    /// The contents too, and a row for each model call.
    Full,
}
