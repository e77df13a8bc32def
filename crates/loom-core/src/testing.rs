//! A context without a run around it, for tests of steps.

use std::sync::Arc;

use crate::clock::read_for_id;
use crate::context::RunContext;
use crate::control::Control;
use crate::effect::{Effect, EffectKind};
use crate::ids::{RunId, SessionId, UserId};
use crate::loom::Loom;
use crate::scope::Scope;
use crate::tree::{Carried, Origin, Tree};

impl RunContext {
    /// A context to call a step with in a test: the run `test` of this user, which never ends and
    /// which nobody watches.
    ///
    /// # Panics
    /// If the user id is invalid.
    ///
    /// ```
    /// use loom_core::{Result, RunContext};
    ///
    /// async fn greet(cx: RunContext, greeting: String) -> Result<String> {
    ///     Ok(format!("{greeting} {}", cx.user().unwrap()))
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let greeting = greet(RunContext::test("alice"), "hello".into()).await?;
    /// assert_eq!(greeting, "hello alice");
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn test(user: &str) -> Self {
        Self::test_in(&Loom::builder().build(), user)
    }

    /// The same in a loom of the test's own, for example one with a recorder. The loom's journal isn't used: a context without a run around
    /// it can't wait, so that [`RunContext::ask`] is `Invalid` and a gate that asks needs an
    /// approver. Test what asks with [`Session::run`](crate::Session::run).
    ///
    /// # Panics
    /// As [`RunContext::test`].
    pub fn test_in(loom: &Loom, user: &str) -> Self {
        let user = UserId::new(user).unwrap_or_else(|error| panic!("{error}"));
        let fresh = || loom.parts().ids.uuid(read_for_id(&*loom.parts().clock));
        let session = SessionId::fresh(fresh());
        let origin = Origin {
            scope: Scope::new(Some(user), session),
            session_given: false,
            caller: None,
            deadline: None,
            limits: loom.parts().limits,
            queue: None,
            journal: None,
            span_seed: loom.parts().ids.span_seed(),
            carried: Carried::default(),
        };
        let run_id = RunId::root(fresh());
        let control = Arc::new(Control::new(run_id.clone(), None));
        let tree = Tree::new(loom.parts(), run_id, control, origin);
        Self::bare(tree).child(Effect::new(EffectKind::Workflow, "test"))
    }
}
