//! A step that acts as another user: that user's partition below it, and both names in the record.

use futures::executor::block_on;
use loom_core::{
    Effect, EffectKind, Error, ErrorKind, Happened, Loom, OwnedEvent, Result, RunContext, UserId,
};
use loom_testing::Recorder;

use crate::recorded::{recorded, story};
use crate::steps::echo;

fn bob() -> UserId {
    UserId::new("bob").unwrap()
}

/// An agent run with a turn, a tool and a step, all for whoever it is called for.
async fn agent(cx: RunContext, text: String) -> Result<String> {
    let run = Effect::new(EffectKind::Agent, "agent");
    cx.perform(run, (), |cx, ()| async move {
        cx.perform(Effect::turn(0), (), |cx, ()| async move {
            cx.perform(Effect::tool("look", "c1"), (), |cx, ()| async move {
                cx.step("inner", &echo, text).await
            })
            .await
        })
        .await
    })
    .await
}

async fn support(cx: RunContext, text: String) -> Result<String> {
    cx.step("before", &echo, "x").await?;
    let text = cx.acting_as(bob(), "for_bob", &agent, text).await?;
    cx.step("after", &echo, text).await
}

/// Who it was for and who asked, of every event: `path user by`.
fn people(recorder: &Recorder, of: impl Fn(&Happened) -> bool) -> Vec<String> {
    let who = |user: &Option<UserId>| user.as_ref().map_or("-".to_owned(), ToString::to_string);
    let by = |by: &Option<String>| match by.as_deref() {
        None => "-".to_owned(),
        Some("") => "anonymous".to_owned(),
        Some(user) => user.to_owned(),
    };
    let line = |it: &OwnedEvent| format!("{} {} {}", it.path, who(&it.user), by(&it.by));
    let events = recorder.events();
    events.iter().filter(|it| of(&it.what)).map(line).collect()
}

#[test]
fn everything_below_is_the_other_user_s_and_says_by_whom() {
    let (recorder, session) = recorded();
    block_on(session.run(&support, "go")).unwrap();
    let expected = [
        "support alice -",
        "support/before alice -",
        "support/for_bob bob alice",
        "support/for_bob/agent bob alice",
        "support/for_bob/agent/turn:0 bob alice",
        "support/for_bob/agent/turn:0/tool:look[c1] bob alice",
        "support/for_bob/agent/turn:0/tool:look[c1]/inner bob alice",
        "support/after alice -",
    ];
    let opened = people(&recorder, |it| matches!(it, Happened::Opened { .. }));
    assert_eq!(opened, expected);
    let mut closed = people(&recorder, |it| matches!(it, Happened::Closed { .. }));
    closed.sort();
    let mut sorted = expected;
    sorted.sort_unstable();
    assert_eq!(closed, sorted);
}

#[test]
fn taking_another_s_place_is_noted_before_anything_happens_there() {
    let (recorder, session) = recorded();
    block_on(session.run(&support, "go")).unwrap();
    assert_eq!(
        story(&recorder)[3..6],
        [
            "open support/for_bob",
            "note support/for_bob acting_as",
            "open support/for_bob/agent"
        ]
    );
    let noted = people(&recorder, |it| matches!(it, Happened::Noted { .. }));
    assert_eq!(noted, ["support/for_bob bob alice"]);
}

#[test]
fn whoever_acts_for_a_third_is_still_the_one_who_asked() {
    async fn twice(cx: RunContext, text: String) -> Result<String> {
        let carol = UserId::new("carol")?;
        cx.acting_as(carol, "for_carol", &echo, text).await
    }
    async fn home_again(cx: RunContext, text: String) -> Result<String> {
        let alice = UserId::new("alice")?;
        cx.acting_as(alice, "for_alice", &echo, text).await
    }
    async fn root(cx: RunContext, text: String) -> Result<String> {
        let text = cx.acting_as(bob(), "twice", &twice, text).await?;
        cx.acting_as(bob(), "home_again", &home_again, text).await
    }
    let (recorder, session) = recorded();
    block_on(session.run(&root, "go")).unwrap();
    assert_eq!(
        people(&recorder, |it| matches!(it, Happened::Opened { .. })),
        [
            "root alice -",
            "root/twice bob alice",
            "root/twice/for_carol carol alice",
            "root/home_again bob alice",
            "root/home_again/for_alice alice -",
        ]
    );
    assert_eq!(
        people(&recorder, |it| matches!(it, Happened::Noted { .. })).len(),
        4,
        "each change is noted, the way back too"
    );
}

#[test]
fn the_step_s_scope_is_the_other_user_s_in_the_same_session() {
    async fn scope(cx: RunContext, _: String) -> Result<String> {
        let scope = cx.scope();
        assert_eq!(cx.by().flatten().map(UserId::as_str), Some("alice"));
        Ok(format!("{:?} {}", scope.user(), scope.session()))
    }
    async fn root(cx: RunContext, text: String) -> Result<String> {
        assert_eq!(cx.by(), None);
        cx.acting_as(bob(), "scope", &scope, text).await
    }
    let (_, session) = recorded();
    let outcome = block_on(session.id("conv_42").run(&root, "go")).unwrap();
    assert_eq!(outcome.output, r#"Some(UserId("bob")) conv_42"#);
}

#[test]
fn a_failure_there_leaves_the_run_as_it_was() {
    async fn fails(_cx: RunContext, _: String) -> Result<String> {
        Err(Error::invalid("not bob's"))
    }
    async fn root(cx: RunContext, text: String) -> Result<String> {
        let error = cx.acting_as(bob(), "fails", &fails, text).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
        let user = cx.user().map(ToString::to_string);
        Ok(user.unwrap_or_default())
    }
    let (_, session) = recorded();
    assert_eq!(block_on(session.run(&root, "go")).unwrap().output, "alice");
}

#[test]
fn a_run_of_nobody_that_acts_as_somebody_says_so() {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    block_on(loom.anonymous().run(&support, "go")).unwrap();
    assert_eq!(
        story(&recorder)[3..5],
        ["open support/for_bob", "note support/for_bob acting_as"]
    );
    let opened = people(&recorder, |it| matches!(it, Happened::Opened { .. }));
    assert_eq!(
        (opened[0].as_str(), opened[2].as_str()),
        ("support - -", "support/for_bob bob anonymous")
    );
}
