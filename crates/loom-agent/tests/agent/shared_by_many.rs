//! One agent, many users at once: nobody sees anything of anybody else.

use std::collections::BTreeMap;

use loom_agent::{Agent, FnModel, Reply, Request};
use loom_core::{Error, Loom, RunContext, Tool, UserId};
use loom_testing::Recorder;
use serde_json::json;

use crate::recorded::assert_each_closed_once;

const USERS: usize = 50;

/// A word that only this user says.
fn canary(user: usize) -> String {
    format!("canary-{user:03}-of-user-{user:03}")
}

fn user(user: usize) -> String {
    format!("user-{user:03}")
}

/// An agent that tells its tool what it was asked, and its user what the tool said.
fn gossip() -> Agent {
    let model = FnModel::new("gossip", |request: &Request<'_>| {
        let prompt = request.prompt().map(loom_agent::Prompt::text);
        let prompt = prompt.unwrap_or_default();
        Ok(match request.tool_results() {
            [] => Reply::call("whisper", json!({"input": prompt}))
                .and_call("whisper", json!({"input": prompt})),
            results => Reply::text(format!(
                "{prompt}: {}, {}",
                results[0].text, results[1].text
            )),
        })
    });
    let whisper = |cx: RunContext, text: String| async move {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let user = cx.user().map(UserId::as_str).unwrap_or_default();
        Ok::<_, Error>(format!("{user} whispers {text}"))
    };
    let agent = Agent::builder("Gossip.").named("gossip").model(model);
    let agent = agent.tool(Tool::new("whisper", "Whispers.", whisper));
    agent.build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_users_share_an_agent_and_no_word() {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).build();
    let agent = gossip();
    let runs: Vec<_> = (0..USERS)
        .map(|n| {
            let (agent, session) = (agent.clone(), loom.session(user(n)));
            tokio::spawn(async move { session.run(&agent, canary(n)).await })
        })
        .collect();
    for (n, run) in runs.into_iter().enumerate() {
        let said = format!("{} whispers {}", user(n), canary(n));
        let outcome = run.await.unwrap().unwrap();
        assert_eq!(outcome.output, format!("{}: {said}, {said}", canary(n)));
    }
    assert_each_closed_once(&recorder);

    let mut events: BTreeMap<String, String> = BTreeMap::new();
    for event in recorder.events() {
        let user = event.user.as_ref().map(ToString::to_string);
        let all = events.entry(user.unwrap_or_default()).or_default();
        all.push_str(&serde_json::to_string(&event).unwrap());
    }
    assert_eq!(events.len(), USERS);
    for (n, (of, all)) in events.iter().enumerate() {
        assert_eq!(*of, user(n));
        let others = all.replace(&canary(n), "").replace(&user(n), "");
        assert!(!others.contains("canary"), "{of} sees a foreign word");
        assert!(!others.contains("user-"), "{of} sees a foreign user");
    }
}
