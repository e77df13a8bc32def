//! Attacks by depth: what runs itself, and sets of branches one after the other.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};

use futures::executor::block_on;
use loomflow::{
    Branch, EffectKind, Error, ErrorKind, Limits, MemoryJournal, Result, RunContext, Runnable,
    Step, Workflow,
};

use crate::support_b::{guarded, plain, rig, slow};

/// A workflow that runs itself.
#[derive(Clone, Default)]
struct Own(Arc<OnceLock<Workflow<u64, u64>>>);

impl Runnable<u64> for Own {
    type Out = u64;
    fn run(&self, cx: &RunContext, n: u64) -> impl Future<Output = Result<u64>> + Send {
        let own = self.0.clone();
        let cx = cx.clone();
        Box::pin(async move {
            let below: Result<u64> = own.get().unwrap().run(&cx, n + 1).await;
            below.or_else(|error| match error.kind() {
                ErrorKind::LimitReached => Ok(n),
                _ => Err(error),
            })
        }) as loomflow::BoxFuture<'static, Result<u64>>
    }
}

#[test]
fn a_workflow_that_runs_itself_ends_at_the_depth_that_is_named() {
    guarded(|| {
        for depth_max in [1, 2, 8, 60] {
            let rig = rig(|it| it.limits(Limits::default().with_depth_max(depth_max)));
            let own = Own::default();
            let workflow = Workflow::chain::<u64>("own").then(own.clone()).build();
            own.0.set(workflow.clone()).ok().unwrap();
            let outcome = block_on(async {
                rig.loom
                    .session("alice")
                    .run(&workflow, 0u64)
                    .await
                    .unwrap()
            });
            assert_eq!(outcome.output, u64::from(depth_max) - 1);
            let runs = rig
                .recorder
                .spans()
                .iter()
                .filter(|it| it.effect == EffectKind::Workflow)
                .count();
            assert_eq!(runs, depth_max as usize);
            rig.assert_whole();
        }
    });
}

fn deeper(cx: RunContext, n: u64) -> loomflow::BoxFuture<'static, Result<u64>> {
    Box::pin(async move {
        match cx.step("deeper", &deeper, n + 1).await {
            Err(error) if error.kind() == ErrorKind::LimitReached => Ok(n),
            below => below,
        }
    })
}

#[test]
fn steps_nest_as_deep_as_the_limit_says_and_no_deeper() {
    guarded(|| {
        for nesting_max in [1, 2, 17, 128] {
            let rig = rig(|it| it.limits(Limits::default().with_nesting_max(nesting_max)));
            let ended = block_on(async { rig.loom.session("alice").run(&deeper, 0u64).await });
            assert_eq!(ended.unwrap().output, u64::from(nesting_max) - 1);
            assert_eq!(rig.recorder.spans().len(), nesting_max as usize);
            rig.assert_whole();
        }
    });
}

#[test]
fn two_sets_of_branches_one_after_the_other_are_two_sets_of_effects() {
    for journal in [false, true] {
        let rig = rig(|it| match journal {
            true => it.journal(MemoryJournal::default()),
            false => it,
        });
        let drawn = Arc::new(AtomicU64::new(0));
        let (count, keys) = (drawn.clone(), Arc::new(Mutex::new(BTreeSet::new())));
        let kept = keys.clone();
        let draw = Arc::new(Step::<u64, u64>::new(move |cx: RunContext, _: u64| {
            kept.lock().unwrap().insert(cx.idempotency_key());
            let drawn = count.fetch_add(1, SeqCst);
            async move { Ok::<_, Error>(drawn) }
        }));
        let body = move |cx: RunContext, n: u64| {
            let draw = draw.clone();
            async move {
                let mut drawn = Vec::new();
                for _ in 0..3 {
                    let branch = |name: Option<&'static str>| {
                        let draw = draw.clone();
                        let body =
                            move |cx: RunContext| async move { cx.step("draw", &*draw, n).await };
                        match name {
                            Some(name) => Branch::named(name, body),
                            None => Branch::new(body),
                        }
                    };
                    drawn.extend(cx.join(2, [branch(None), branch(Some("named"))]).await?);
                }
                Ok::<_, Error>(drawn)
            }
        };
        let outcome = block_on(async { rig.loom.session("alice").run(&body, 1u64).await });
        assert_eq!(
            outcome.unwrap().output,
            [0, 1, 2, 3, 4, 5],
            "with a journal: {journal}"
        );
        let paths: BTreeSet<_> = rig.recorder.spans().into_iter().map(|it| it.path).collect();
        assert_eq!(paths.len(), 7, "{paths:?}");
        assert_eq!(
            keys.lock().unwrap().len(),
            6,
            "each effect has a key of its own"
        );
        rig.assert_whole();
    }
}

#[test]
fn nested_runs_of_two_sets_of_branches_are_runs_of_their_own() {
    let rig = plain();
    let body = |cx: RunContext, n: u64| async move {
        let inner = Workflow::chain::<u64>("inner").then(slow).build();
        for _ in 0..2 {
            let inner = inner.clone();
            cx.join(
                1,
                [Branch::new(move |cx: RunContext| async move {
                    inner.run(&cx, n).await
                })],
            )
            .await?;
        }
        Ok::<_, Error>(n)
    };
    block_on(async { rig.loom.session("alice").run(&body, 1u64).await.unwrap() });
    let spans = rig.recorder.spans();
    let runs: BTreeSet<_> = spans
        .iter()
        .filter(|it| it.name.as_str() == "inner")
        .map(|it| it.run.clone())
        .collect();
    assert_eq!(runs.len(), 2, "{runs:?}");
    rig.assert_whole();
}
