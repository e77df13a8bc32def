//! `Audit`: the log as it is built and installed.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loom_core::{
    Anchor, Clock, Event, Install, LoomBuilder, Observer, Result, RunId, Settlement, SystemClock,
};
use uuid::Uuid;

use crate::detail::Detail;
use crate::entry::{Header, Kind, Opening};
use crate::facts::Facts;
use crate::from_event::row_of;
use crate::key::{AuditKey, random_bytes};
use crate::log::Log;
use crate::report::Report;
use crate::row::{Row, rows};
use crate::salts::{Salts, seeded};
use crate::stamp::Stamp;

/// A signed log of everything that starts and ends in the runs of the looms it is installed in.
///
/// Clones share one log. It takes its seats by [`Install`] alone, so that it can't be wired by
/// half. Every run's outcome carries an anchor: where the log stood when the run was over.
///
/// ```
/// use loom_audit::{Audit, AuditKey, Verdict};
/// use loom_core::{Loom, Result};
///
/// async fn shout(text: String) -> Result<String> {
///     Ok(text.to_uppercase())
/// }
///
/// # futures::executor::block_on(async {
/// let audit = Audit::in_memory(AuditKey::generate()?).build()?;
/// let loom = Loom::builder().install(audit.clone()).build();
/// let outcome = loom.session("alice").run(&shout, "hello").await?;
///
/// assert_eq!(outcome.anchors, [audit.anchor()]);
/// assert_eq!(audit.anchor().size, 3); // the log's own opening, the run's start, its end
/// assert_eq!(audit.verify().verdict, Verdict::Ok);
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Audit(Arc<Shared>);

struct Shared {
    key: AuditKey,
    facts: Facts,
    log: Mutex<Log>,
}

impl Audit {
    /// A log that is kept in memory alone, for tests and for short programs: it grows with each
    /// run and is gone with the process.
    ///
    /// ```
    /// use loom_audit::{Audit, AuditKey};
    ///
    /// let audit = Audit::in_memory(AuditKey::generate()?).build()?;
    /// assert_eq!(audit.rows(), []);
    /// # Ok::<(), loom_core::Error>(())
    /// ```
    pub fn in_memory(key: AuditKey) -> AuditBuilder {
        AuditBuilder {
            key,
            detail: Detail::default(),
            log_id: None,
            creator: concat!("loom-audit ", env!("CARGO_PKG_VERSION")).into(),
            clock: Box::new(SystemClock),
            salts: None,
        }
    }

    /// The log as it is now: one line for each entry.
    pub fn bytes(&self) -> Vec<u8> {
        self.log().bytes().to_vec()
    }

    /// The entries' lines as they are now, without line feeds.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.bytes()).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// The events so far, read back from their lines.
    pub fn rows(&self) -> Vec<Row> {
        rows(&self.bytes())
    }

    /// Where the log stands now: its id, how many entries it has, the hash of the last.
    pub fn anchor(&self) -> Anchor {
        self.log().anchor()
    }

    /// Verifies the log against this writer's own memory of where it stands.
    pub fn verify(&self) -> Report {
        let (bytes, anchor) = {
            let log = self.log();
            (log.bytes().to_vec(), log.anchor())
        };
        crate::verify(&bytes, std::slice::from_ref(&self.0.key), &[anchor.into()])
    }

    fn record(&self, event: &Event<'_>) {
        // Made before the lock is taken: looking at a value runs its type's code.
        if let Some((header, payload)) = row_of(event, &self.0.facts) {
            self.log().append(header, &payload);
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // Nothing panics while it is held, and what is written stays checkable even if it did.
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Install for Audit {
    fn install(self, loom: LoomBuilder) -> LoomBuilder {
        loom.observe(Watch(self))
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Audit").field(&self.anchor()).finish()
    }
}

/// The seat of the log among those who watch.
struct Watch(Audit);

impl Observer for Watch {
    fn on_event(&self, event: &Event<'_>) {
        self.0.record(event);
    }

    async fn settle(&self, _run: &RunId) -> Settlement {
        Settlement::new("audit", Ok(Some(self.0.anchor())))
    }
}

/// An [`Audit`] being built.
///
/// ```
/// use loom_audit::{Audit, AuditKey, Detail};
///
/// let audit = Audit::in_memory(AuditKey::generate()?)
///     .detail(Detail::Full)
///     .creator("refund-service 1.4")
///     .build()?;
/// assert!(audit.lines()[0].contains("refund-service 1.4"));
/// # Ok::<(), loom_core::Error>(())
/// ```
#[must_use = "a log is opened by `.build()`"]
pub struct AuditBuilder {
    key: AuditKey,
    detail: Detail,
    log_id: Option<Uuid>,
    creator: Cow<'static, str>,
    clock: Box<dyn Clock>,
    salts: Option<Salts>,
}

impl AuditBuilder {
    /// How much the rows say: [`Detail::Summary`] unless told.
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Names the program that writes the log, in its first entry.
    pub fn creator(mut self, creator: impl Into<Cow<'static, str>>) -> Self {
        self.creator = creator.into();
        self
    }

    /// Replaces the log's random id.
    pub fn log_id(mut self, log_id: Uuid) -> Self {
        self.log_id = Some(log_id);
        self
    }

    /// Replaces the machine's clock, for the log's own entries; rows carry their events' time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Replaces the random salts, for tests that compare bytes. A salt that can be guessed lets
    /// whoever holds a redacted log find erased payloads by trying.
    pub fn salts(mut self, salts: impl FnMut() -> [u8; 16] + Send + 'static) -> Self {
        self.salts = Some(Box::new(salts));
        self
    }

    /// Opens the log: writes its first entry.
    ///
    /// # Errors
    /// `Failed` if the operating system gives no random numbers.
    pub fn build(self) -> Result<Audit> {
        let id = match self.log_id {
            Some(id) => id,
            None => uuid::Builder::from_random_bytes(random_bytes()?).into_uuid(),
        };
        let salts = match self.salts {
            Some(salts) => salts,
            None => seeded()?,
        };
        let mut log = Log::new(id, self.key.mac_key(), salts);
        let opening = Opening {
            key: self.key.id().into(),
            format: crate::FORMAT.into(),
            creator: crate::entry::cut(&self.creator),
        };
        let header = Header {
            ts: Stamp::of(self.clock.now()),
            kind: Kind::Open,
            ..Header::default()
        };
        log.append(header, &opening.written());
        Ok(Audit(Arc::new(Shared {
            facts: Facts {
                detail: self.detail,
                digest_key: self.key.digest_key()?,
            },
            key: self.key,
            log: Mutex::new(log),
        })))
    }
}
