//! Resuming by a changed definition: refused with the difference named, unless the caller agrees.

use std::sync::Arc;

use futures::executor::block_on;
use loom_core::{
    Effect, EffectKind, ErrorKind, Info, Kind, Link, MemoryJournal, Result, RunContext, RunError,
    RunErrorKind, Runnable, Session,
};

use crate::journaled::{run_id, worker};

/// A step that says what it is made of, as a workflow does.
struct Made(Info);

impl Runnable<String> for Made {
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        let effect = Effect::new(EffectKind::Workflow, "made");
        cx.perform(effect, text, |cx, _| async move {
            cx.ask("go_on", "go on?").await
        })
        .await
    }

    fn info(&self) -> Info {
        self.0.clone()
    }
}

/// A definition of these parts, one after the other.
fn made(parts: &[&'static str]) -> Made {
    let links = (1..parts.len()).map(|i| Link::new(i - 1, i));
    let parts = parts.iter().map(|name| Info::new(*name, Kind::Function));
    let info = Info::new("made", Kind::Workflow)
        .with_parts(parts.collect::<Vec<_>>())
        .with_links(links.collect::<Vec<_>>());
    Made(info)
}

#[test]
fn f050_a_run_is_not_gone_on_with_by_a_changed_definition_and_the_difference_is_named() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let paused = session
            .run(&made(&["load", "pay"]), "go")
            .await
            .unwrap_err();
        let run = run_id(&paused);
        answer(&session, &paused).await;

        let changed = made(&["load", "check"]);
        let error = session.resume(&run, &changed).await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.message(),
            format!(
                "the definition of \"made\" changed since the run {run} began: the function \"pay\" is gone; the link \"load\" -> \"pay\" is gone; the function \"check\" is new; the link \"load\" -> \"check\" is new; if what is recorded still fits, resume it in a session that is `.accepting_changes()`"
            )
        );
        let same = session.resume(&run, &made(&["load", "pay"])).await.unwrap();
        assert_eq!(same.output, "yes");
    });
}

#[test]
fn f050_a_caller_may_say_that_a_changed_definition_is_compatible_and_from_then_on_it_is_the_run_s()
{
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let paused = session.run(&made(&["load"]), "go").await.unwrap_err();
        let run = run_id(&paused);

        let changed = made(&["load", "pay"]);
        let accepting = session.clone().accepting_changes();
        let waits = accepting.resume(&run, &changed).await.unwrap_err();
        assert_eq!(waits.kind(), RunErrorKind::Paused);
        let error = session.resume(&run, &made(&["load"])).await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        answer(&session, &waits).await;
        assert_eq!(session.resume(&run, &changed).await.unwrap().output, "yes");
    });
}

async fn answer(session: &Session, paused: &RunError) {
    let path = &paused.questions()[0].path;
    session
        .answer(&run_id(paused), path, "yes".to_owned())
        .await
        .unwrap();
}
