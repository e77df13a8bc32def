//! A zero that makes no sense is an error of the first run, by the name of what it was given to.

use std::time::Duration;

use futures::executor::block_on;
use loom_core::{Branch, ErrorKind, IntoStep, Result, RunContext, step};

use crate::recorded::{recorded, tree};
use crate::steps::echo;

fn refused<M>(step: &impl IntoStep<String, M, Out = String>) -> String {
    let (recorder, session) = recorded();
    let error = block_on(session.run(step, "go")).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(tree(&recorder).len(), 1, "nothing else ran");
    error.message().to_owned()
}

#[test]
fn a_retry_that_never_tries_is_refused() {
    let never = "`retry(0)` would never run the step: it counts all attempts, the first one too";
    assert_eq!(refused(&step(echo).retry(0)), never);
    assert_eq!(
        refused(&step(echo).once().retry(0).repeating_effects()),
        never
    );
}

#[test]
fn a_timeout_of_zero_is_refused() {
    let at_once = "`timeout` of zero leaves the step no time: give it some";
    assert_eq!(refused(&step(echo).timeout(Duration::ZERO)), at_once);
}

#[test]
fn a_join_of_none_at_a_time_is_refused_however_many_there_are() {
    async fn joins(cx: RunContext, text: String) -> Result<String> {
        for count in 0..3 {
            let branch = |i: usize| {
                let (cx, text) = (&cx, text.clone());
                Branch::new(move |_| async move { cx.step(format!("echo {i}"), &echo, text).await })
            };
            let error = cx.join(0, (0..count).map(branch)).await.unwrap_err();
            let none = "`concurrency_max` is 0: let at least one branch run at once";
            assert_eq!(error.message(), none);
        }
        Ok(cx
            .join(0, [Branch::new(move |_| async { Ok(text) })])
            .await?
            .concat())
    }
    assert_eq!(
        refused(&joins),
        "`concurrency_max` is 0: let at least one branch run at once"
    );
}
