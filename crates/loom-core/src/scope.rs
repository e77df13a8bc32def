//! `Scope`: whose data a store may touch.

use crate::attributes::{Attributes, key};
use crate::context::{EffectView, RunContext};
use crate::error::{Error, Result};
use crate::event::Note;
use crate::ids::{SessionId, UserId};

/// The partition a store, a query or a cache works in: a user (or nobody) and a session.
///
/// Compared part by part and byte by byte; `a` in `b:c` is another partition than `a:b` in `c`.
///
/// ```
/// use loom_core::{Scope, SessionId, UserId};
///
/// let scope = Scope::new(Some(UserId::new("alice")?), SessionId::new("conv_42")?);
/// assert_eq!(scope.user().map(UserId::as_str), Some("alice"));
/// # Ok::<(), loom_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    user: Option<UserId>,
    session: SessionId,
}

impl Scope {
    /// The partition of this user, or of nobody, in this session.
    ///
    /// One kind of id is never taken for another:
    ///
    /// ```compile_fail
    /// use loom_core::{Scope, SessionId, UserId};
    ///
    /// let (user, session) = (UserId::new("alice").unwrap(), SessionId::new("conv_42").unwrap());
    /// let swapped = Scope::new(Some(session), user);
    /// ```
    pub fn new(user: Option<UserId>, session: SessionId) -> Self {
        Self { user, session }
    }

    pub(crate) fn into_parts(self) -> (Option<UserId>, SessionId) {
        (self.user, self.session)
    }

    /// The user; `None` for anonymous runs, whose data is a partition of its own.
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// The session.
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// The capability to look across all users, for operators' tools. Taking it is recorded in
    /// the run it is taken in, with the reason.
    ///
    /// # Errors
    /// `Invalid` for a context whose effect is over: nothing could be recorded there.
    ///
    /// ```
    /// use loom_core::{Loom, Result, RunContext, Scope};
    /// use loom_testing::Recorder;
    ///
    /// async fn count_all(cx: RunContext, _: ()) -> Result<()> {
    ///     let _everybody = Scope::admin(&cx, "monthly count")?;
    ///     Ok(())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let recorder = Recorder::default();
    /// let loom = Loom::builder().observe(recorder.clone()).build();
    /// loom.session("operator").run(&count_all, ()).await?;
    /// assert_eq!(recorder.spans()[0].notes, ["acting_as"]);
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn admin(cx: &RunContext, reason: &'static str) -> Result<AdminScope> {
        let facts = Attributes::new().with(key::REASON, reason);
        if !cx.is_open() {
            return Err(Error::invalid(
                "the capability can't be recorded: the effect it is taken in is over",
            ));
        }
        cx.tell_note(&Note::ActingAs { user: None }, &facts);
        Ok(AdminScope(()))
    }
}

/// The capability to look across all users; taken with [`Scope::admin`].
#[derive(Debug)]
pub struct AdminScope(());

impl EffectView {
    /// The partition this effect works in: hand it to stores.
    pub fn scope(&self) -> Scope {
        Scope::new(self.user().cloned(), self.session_id().clone())
    }
}
