//! Who a run is for and which one it is, on everything nested in it.

use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{Effect, EffectKind, EffectView, ErrorKind, Loom, Result, RunContext};
use loom_testing::RecordedSpan;
use sha2::{Digest, Sha256};

use crate::recorded::{recorded, recorded_by, story};
use crate::steps::echo;

/// Nests so many agent runs, each in a step of the one before.
fn nest(cx: RunContext, runs: u32) -> BoxFuture<'static, Result<u32>> {
    Box::pin(async move {
        if runs == 0 {
            return Ok(0);
        }
        let step = |cx: RunContext, runs: u32| async move {
            let run = Effect::new(EffectKind::Agent, "agent");
            cx.perform(run, (), |cx, ()| nest(cx, runs - 1)).await
        };
        cx.step("step", &step, runs).await
    })
}

/// The id of the run at this path, worked out by hand.
fn nested_id(root: &str, path: &str) -> String {
    let hash = Sha256::digest(path.as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{root}.{}", &hex[..12])
}

#[test]
fn everything_nested_carries_the_user_the_session_and_the_nearest_run() {
    let (recorder, session) = recorded();
    let outcome = block_on(session.id("conv_42").run(&nest, 4u32)).unwrap();
    let root = outcome.run_id.to_string();
    let runs: Vec<String> = (1..=4)
        .map(|depth| nested_id(&root, &format!("nest{}", "/step/agent".repeat(depth))))
        .collect();
    let [one, two, three, four] = &runs[..] else {
        unreachable!()
    };
    let seen = |it: &RecordedSpan| {
        let parent = it.parent_run.as_ref().map(ToString::to_string);
        (
            it.user.clone().unwrap().to_string(),
            it.session.to_string(),
            it.run.to_string(),
            parent,
        )
    };
    let expected = [
        (&root, None),
        (&root, None),
        (one, Some(&root)),
        (one, Some(&root)),
        (two, Some(one)),
        (two, Some(one)),
        (three, Some(two)),
        (three, Some(two)),
        (four, Some(three)),
    ]
    .map(|(run, parent)| {
        (
            "alice".to_owned(),
            "conv_42".to_owned(),
            run.clone(),
            parent.cloned(),
        )
    });
    assert_eq!(
        recorder.spans().iter().map(seen).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(recorder.spans()[0].effect, EffectKind::Workflow);
}

#[test]
fn a_root_run_and_a_fresh_session_have_ids_of_their_own_in_uuid_version_7() {
    let loom = Loom::builder().build();
    let (first, second) = (loom.session("alice"), loom.session("alice"));
    let outcomes = [&first, &first, &second].map(|it| block_on(it.run(&echo, "go")).unwrap());
    let ids = |it: &loom_core::Outcome<String>| [it.run_id.to_string(), it.session_id.to_string()];
    let [[a, one], [b, also_one], [c, two]] = [0, 1, 2].map(|it| ids(&outcomes[it]));
    for id in [&a, &b, &c, &one, &two] {
        assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    }
    assert_eq!(one, also_one);
    let different: std::collections::BTreeSet<_> = [a, b, c, one, two].into();
    assert_eq!(different.len(), 5);
}

#[test]
fn a_started_run_is_known_by_its_id_before_it_runs() {
    let (recorder, session) = recorded();
    let run = session.run(&echo, "go");
    let id = run.handle().run_id().clone();
    assert_eq!(block_on(run).unwrap().run_id, id);
    assert_eq!(recorder.spans()[0].run, id);
}

#[test]
fn an_anonymous_run_has_no_user_anywhere() {
    let recorder = loom_testing::Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    block_on(loom.anonymous().run(&nest, 2u32)).unwrap();
    let users: Vec<_> = recorder.spans().into_iter().map(|it| it.user).collect();
    assert_eq!(users, [const { None }; 5]);
}

#[test]
fn a_session_s_id_is_a_conversation_s_only_where_it_was_given() {
    async fn conversation(cx: RunContext, _: String) -> Result<Option<String>> {
        Ok(cx.conversation_id().map(ToString::to_string))
    }
    let (_, session) = recorded();
    assert_eq!(
        block_on(session.run(&conversation, "go")).unwrap().output,
        None
    );
    let outcome = block_on(session.id("conv_42").run(&conversation, "go")).unwrap();
    assert_eq!(outcome.output.as_deref(), Some("conv_42"));
}

#[test]
fn f052_users_are_told_apart_byte_for_byte_in_what_is_recorded() {
    let users = [
        "a", "a:b", "b:c", "é", "e\u{301}", "A", " a", "a ", "a/b", "%61",
    ];
    let recorder = loom_testing::Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    for user in users {
        block_on(loom.session(user).id("same").run(&echo, "go")).unwrap();
    }
    let recorded: Vec<String> = recorder
        .spans()
        .iter()
        .map(|it| it.user.clone().unwrap().to_string())
        .collect();
    assert_eq!(recorded, users);
}

#[test]
fn f052_a_bad_user_or_session_is_an_error_of_the_first_run_and_opens_nothing() {
    let long = "x".repeat(257);
    for bad in ["", "a\nb", "a\0", "\u{85}", &long] {
        let recorder = loom_testing::Recorder::default();
        let loom = Loom::builder().observe(recorder.clone()).build();
        for (session, what) in [
            (loom.session(bad), "user"),
            (loom.session("alice").id(bad), "session"),
        ] {
            let (ran, started) = (
                block_on(session.run(&echo, "go")),
                block_on(session.run(&echo, "go")),
            );
            for error in [ran.unwrap_err(), started.unwrap_err()] {
                assert_eq!(error.error().kind(), ErrorKind::Invalid);
                let message = error.message();
                assert!(message.starts_with(&format!("the {what} id ")), "{message}");
                assert!(
                    message.ends_with("; give 1 to 256 bytes without control characters"),
                    "{message}"
                );
                assert!(error.report().is_none());
            }
        }
        assert_eq!(story(&recorder), Vec::<String>::new());
    }
}

#[test]
fn the_context_knows_its_place() {
    async fn place(cx: RunContext, _: String) -> Result<String> {
        let run = Effect::new(EffectKind::Agent, "support");
        cx.perform(run, (), |cx, ()| async move {
            let place = |cx: RunContext, _: String| async move {
                let agent = cx.agent_name().map(ToString::to_string);
                let parent = cx.parent().map(EffectView::path);
                Ok::<_, loom_core::Error>(format!(
                    "{} {:?} {:?} {}",
                    cx.path(),
                    agent,
                    parent,
                    cx.level()
                ))
            };
            cx.step("inner", &place, "x").await
        })
        .await
    }
    let (_, session) = recorded_by(Loom::builder());
    assert_eq!(
        block_on(session.run(&place, "go")).unwrap().output,
        r#"place/support/inner Some("support") Some("place/support") 2"#
    );
}
