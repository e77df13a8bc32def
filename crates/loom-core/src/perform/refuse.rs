//! Effects that are opened only to say that they don't happen.

use crate::context::RunContext;
use crate::effect::{Effect, EffectKind};
use crate::error::{Error, Result};
use crate::perform::waits;
use crate::span::OpenSpan;

impl RunContext {
    /// Records an effect that can't happen, for example a call of a tool that doesn't exist: the
    /// span is opened and closed with the error, and no gate is asked. It counts as an effect.
    ///
    /// Returns the error, with the effect's path; or the door's own, if it refuses.
    pub async fn refuse(&self, effect: Effect, error: Error) -> Error {
        let opened = match self.alive().and_then(|()| self.enter(effect)) {
            Ok(cx) => {
                cx.let_others_run().await;
                let counted = self.alive().and_then(|()| cx.count_opening(self));
                counted.and_then(|()| cx.opened(None))
            }
            Err(refused) => Err(refused),
        };
        match opened {
            Ok(span) => match span.close::<()>(Err(error)) {
                Err(error) => error,
                Ok(()) => waits(self),
            },
            Err(refused) => self.refused(refused).await,
        }
    }

    /// Opens the root of a run that nobody drives any more, and closes it as cancelled.
    pub(crate) fn open_and_cancel(&self, of: &str, is_agent: bool) -> Result<()> {
        let (kind, unnamed) = match is_agent {
            true => (EffectKind::Agent, "agent"),
            false => (EffectKind::Workflow, "function"),
        };
        let name = if of.is_empty() { unnamed } else { of };
        let cx = self.enter(Effect::new(kind, name.to_owned()))?;
        let span = OpenSpan::open(cx, None).map_err(|(_, error)| error)?;
        self.handle().cancel();
        drop(span);
        Ok(())
    }
}
