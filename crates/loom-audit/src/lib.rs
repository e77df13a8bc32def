//! The audit log: what every run did, signed and chained, so that anybody with the key can check
//! later that the record is whole.
//!
//! An [`Audit`] is installed into a loom and writes a line for everything that starts and ends in
//! its runs, and for what is asked, refused, tried again or done for somebody else in between, in
//! the format `loom-audit/1`. Each line is signed with an [`AuditKey`] and names the hash of the
//! line before it. [`verify`] reads such a log and says what, if anything, was done to it.
//!
//! | who \ what | edits, adds, moves or swaps lines | cuts the tail | writes a log of their own |
//! |---|---|---|---|
//! | somebody who can write the log but has no key | seen | seen by whoever holds an anchor; else never plain `Ok` | seen |
//! | somebody who has the key | from then on unseen, but for anchors | as above | unseen, but for anchors |
//!
//! This crate knows no agent, workflow, model or telemetry: it writes what the one door reports.
//!
//! ```
//! use loom_audit::{Audit, AuditKey, Verdict, verify};
//! use loom_core::{Loom, Result};
//!
//! async fn shout(text: String) -> Result<String> {
//!     Ok(text.to_uppercase())
//! }
//!
//! # futures::executor::block_on(async {
//! let key = AuditKey::generate()?;
//! let audit = Audit::in_memory(key.clone()).build()?;
//! let loom = Loom::builder().install(audit.clone()).build();
//! let outcome = loom.session("alice").run(&shout, "hello").await?;
//!
//! let actions: Vec<String> = audit.rows().into_iter().map(|row| row.action).collect();
//! assert_eq!(actions, ["workflow_started", "workflow_completed"]);
//! let report = verify(&audit.bytes(), &[key], &[outcome.anchors[0].clone().into()]);
//! assert_eq!(report.verdict, Verdict::Ok);
//! # Ok::<(), loom_core::Error>(())
//! # }).unwrap();
//! ```

mod audit;
mod key;
mod detail;
mod row;

mod from_event;
mod facts;
mod payload;
mod json;
mod action;

mod log;
mod salts;
mod entry;
mod shape;
mod read;
mod hash;
mod stamp;

mod verify;
mod check;
mod counts;
mod late;
mod findings;
mod printable;
mod anchors;
mod report;

pub use anchors::Expected;
pub use audit::{Audit, AuditBuilder};
pub use detail::Detail;
pub use key::AuditKey;
pub use report::{Finding, LateRow, OpenEffect, Report, Verdict};
pub use row::Row;
pub use verify::verify;

/// The format's name, as it stands in the first entry of a log.
pub const FORMAT: &str = "loom-audit/1";
