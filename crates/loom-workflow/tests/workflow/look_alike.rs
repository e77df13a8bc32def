//! Something that says it is an agent, by its shape alone.

use loom_core::{Effect, EffectKind, Info, Kind, Name, Result, RunContext, Runnable};

/// Answers with what it was asked, in capitals; it opens one agent run, as an agent does.
pub(crate) struct LookAlike {
    name: Name,
}

impl LookAlike {
    pub(crate) fn unnamed() -> Self {
        Self { name: Name::EMPTY }
    }

    pub(crate) fn named(name: &'static str) -> Self {
        Self { name: name.into() }
    }
}

impl Runnable<String> for LookAlike {
    type Out = String;

    async fn run(&self, cx: &RunContext, input: String) -> Result<String> {
        let name = match self.name.as_str() {
            "" => "agent",
            own => own,
        };
        let effect = Effect::new(EffectKind::Agent, name.to_owned());
        cx.perform(effect, input, |_cx, input: String| async move {
            Ok(input.to_uppercase())
        })
        .await
    }

    fn info(&self) -> Info {
        Info::new(self.name.clone(), Kind::Agent)
    }
}
