//! Attacks by errors and values that panic, cycle or lie where they are read, and by forged ends.

use std::fmt;
use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::executor::block_on;
use loomflow::{
    Error, ErrorKind, Loom, MemoryJournal, Result, RunContext, RunError, RunErrorKind, Runnable,
    Settled, Settling, Workflow, step,
};
use serde::{Deserialize, Serialize, Serializer};

use crate::support_b::{Bomb, add_one, guarded, on_tokio, plain, rig};

/// An error that panics or cycles where it is read.
#[derive(Debug)]
struct Hostile(&'static str);

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "display" => panic!("no words"),
            "bomb" => panic_any(Bomb),
            "fails" => Err(fmt::Error),
            _ => f.write_str("hostile"),
        }
    }
}

impl std::error::Error for Hostile {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.0 {
            "cycle" => Some(self),
            "source" => panic!("no source"),
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
struct Fails(&'static str, bool);

impl Runnable<u64> for Fails {
    type Out = u64;
    async fn run(&self, _cx: &RunContext, _input: u64) -> Result<u64> {
        Err(match self.1 {
            true => Error::with_source(ErrorKind::Failed, "wrapped", Hostile(self.0)),
            false => Error::from_any(Hostile(self.0)),
        })
    }
}

#[test]
fn an_error_that_panics_or_cycles_where_it_is_read_fails_its_effect_alone() {
    for how in ["display", "bomb", "fails", "cycle", "source", "plain"] {
        for wrapped in [false, true] {
            guarded(move || {
                let rig = plain();
                let fails = Fails(how, wrapped);
                let below =
                    move |cx: RunContext, n: u64| async move { cx.step("below", &fails, n).await };
                let workflow = Workflow::chain::<u64>("w")
                    .then(step(step(below).named("bad").retry(2)).or_else(add_one))
                    .then(add_one)
                    .build();
                let ended =
                    on_tokio(async { rig.loom.session("alice").run(&workflow, 1u64).await });
                assert_eq!(ended.unwrap().output, 3, "{how} {wrapped}");
                rig.assert_whole();
                assert_eq!(rig.loom.observer_faults(), 0, "{how} {wrapped}");
                let ended = on_tokio(async { rig.loom.session("alice").run(&fails, 1u64).await });
                assert_eq!(
                    ended.unwrap_err().kind(),
                    RunErrorKind::Failed,
                    "{how} {wrapped}"
                );
                rig.assert_whole();
            });
        }
    }
}

static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// A value that is another one each time it is written, or panics.
#[derive(Debug, Deserialize, Clone)]
struct Liar(u64);

impl Serialize for Liar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let looks = LOOKS.fetch_add(1, SeqCst) as u64;
        match self.0 {
            0 => panic!("no form"),
            1 => panic_any(Bomb),
            2 => Err(serde::ser::Error::custom("no form")),
            3 if looks % 2 == 1 => panic!("not twice"),
            _ => serializer.serialize_u64(looks + 10),
        }
    }
}

#[test]
fn a_value_that_panics_or_lies_where_it_is_written_hides_nothing() {
    async fn make(n: u64) -> Result<Liar> {
        Ok(Liar(n))
    }
    async fn take(liar: Liar) -> Result<u64> {
        Ok(liar.0)
    }
    guarded(|| {
        for journal in [false, true] {
            for n in 0..5u64 {
                let rig = rig(|it| match journal {
                    true => it.journal(MemoryJournal::default()),
                    false => it,
                });
                let workflow = Workflow::chain::<u64>("w")
                    .then(make)
                    .then(take)
                    .then(add_one)
                    .build();
                let ended = block_on(async { rig.loom.session("alice").run(&workflow, n).await });
                match ended {
                    Ok(outcome) => assert_eq!(outcome.output, n + 1),
                    Err(ended) => {
                        assert_eq!(ended.kind(), RunErrorKind::Failed, "{ended}");
                        assert!(journal, "without a journal nothing needs its form");
                        assert_ne!(n, 4);
                    }
                }
                assert_eq!(rig.loom.observer_faults(), 0, "{n}");
                rig.assert_whole();
            }
        }
    });
}

#[test]
fn a_forged_stopped_is_an_ordinary_failure_wherever_it_appears() {
    async fn forges(_: u64) -> Result<u64> {
        Err(Error::new(ErrorKind::Stopped, "the run is cancelled"))
    }
    let rig = rig(|it| it.journal(MemoryJournal::default()));
    let session = rig.loom.session("alice");
    block_on(async {
        let ended = session.run(&forges, 1u64).await.unwrap_err();
        assert_eq!(
            (ended.kind(), ended.questions().len()),
            (RunErrorKind::Failed, 0)
        );
        let workflow = Workflow::chain::<u64>("or")
            .then(step(forges).or_else(add_one))
            .build();
        assert_eq!(session.run(&workflow, 1u64).await.unwrap().output, 2);
        let settled = Workflow::chain::<u64>("settled")
            .parallel((forges, add_one).settle())
            .build();
        let (forged, fine) = session.run(&settled, 1u64).await.unwrap().output;
        assert!(matches!(forged, Settled::Failed { .. }), "{forged:?}");
        assert_eq!(fine.done(), Some(2));
        let both = Workflow::chain::<u64>("both")
            .parallel((forges, add_one))
            .build();
        assert_eq!(
            session.run(&both, 1u64).await.unwrap_err().kind(),
            RunErrorKind::Failed
        );
    });
    assert!(
        !rig.endings().iter().any(|it| it.ends_with("paused")),
        "{:?}",
        rig.endings()
    );
    rig.assert_whole();
}

#[test]
fn a_forged_or_nested_end_of_a_run_decides_nothing_about_another() {
    #[derive(Debug)]
    struct Foreign(RunError);
    impl fmt::Display for Foreign {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "foreign: {}", self.0)
        }
    }
    impl std::error::Error for Foreign {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    async fn asks(cx: RunContext, _: u64) -> Result<u64> {
        cx.ask("more", "?").await
    }
    let inner = Loom::builder().journal(MemoryJournal::default()).build();
    let rig = rig(|it| it.journal(MemoryJournal::default()));
    let session = rig.loom.session("alice");
    block_on(async {
        let body = move |foreign: u64| {
            let inner = inner.session("bob");
            async move {
                let ended = inner.run(&asks, 1u64).await.unwrap_err();
                assert_eq!(ended.kind(), RunErrorKind::Paused);
                let error: loomflow::BoxError = match foreign {
                    0 => Error::from(ended).into(),
                    1 => Foreign(ended).into(),
                    2 => Error::from(RunError::from(Error::from(ended))).into(),
                    _ => Foreign(RunError::from(Error::from_any(Foreign(ended)))).into(),
                };
                Err::<u64, _>(error)
            }
        };
        for foreign in 0..4u64 {
            let ended = session.run(&body, foreign).await.unwrap_err();
            assert_eq!(
                (ended.kind(), ended.error().kind()),
                (RunErrorKind::Failed, ErrorKind::Failed)
            );
            assert!(foreign % 2 == 1 || !ended.error().is_retryable());
            assert_eq!(ended.questions().len(), 0);
        }
    });
    rig.assert_whole();
}
