//! Partitions are kept apart, and can be forgotten.

use loom_core::{
    Answered, ErrorKind, Forget, Journal, JournalRun, Released, Result, RunContext, RunQuery,
    RunStatus, Scope, SlotKey, SlotKind,
};
use serde_json::json;

use super::{TTL, begin, put, record, records, refusal, run_in, same, scope, waiting};

/// Partitions that a careless store takes for one another.
fn scopes() -> Result<Vec<Scope>> {
    let parts = [
        (Some("alice"), "conv"),
        (None, "conv"),
        (Some("Alice"), "conv"),
        (Some("alice"), "conv "),
        (Some("alic%"), "con_"),
        (Some("a:b"), "c"),
        (Some("a"), "b:c"),
        (Some("null"), "conv"),
        (Some("\u{e9}"), "conv"),
        (Some("e\u{301}"), "conv"),
    ];
    parts
        .into_iter()
        .map(|(user, session)| scope(user, session))
        .collect()
}

async fn fill<J: Journal>(journal: &J, run: &JournalRun, value: usize) -> Result<()> {
    let records = vec![
        record(SlotKind::Run, "", json!(value)),
        record(SlotKind::Question, "ask", json!("?")),
    ];
    let head = waiting(run, 1, RunStatus::Paused, &["ask"]);
    put(journal, head, run, records, Released::Paused).await
}

async fn listed<J: Journal>(journal: &J, scope: &Scope) -> Result<Vec<JournalRun>> {
    let page = journal.runs(&RunQuery::of(scope)).await?;
    Ok(page.items.into_iter().map(|it| it.run).collect())
}

pub(super) async fn never_mix<J: Journal>(journal: &J) -> Result<()> {
    let scopes = scopes()?;
    let runs: Vec<JournalRun> = scopes
        .iter()
        .map(|scope| run_in(scope, "r"))
        .collect::<Result<_>>()?;
    let mut leases = Vec::new();
    for (value, run) in runs.iter().enumerate() {
        fill(journal, run, value).await?;
        leases.push(journal.claim(run, TTL).await?.lease);
    }
    let first = &runs[0];
    let found = journal.answer(first, "ask", json!("mine")).await?;
    same("the answer to one run", found, Answered::Written)?;
    let found = journal.request_cancel(first).await?;
    same("the request to cancel it", found, true)?;

    let (slot, answer) = (
        SlotKey::new(SlotKind::Run, ""),
        SlotKey::new(SlotKind::Answer, "ask"),
    );
    for (value, (run, lease)) in runs.iter().zip(&leases).enumerate() {
        let what = |what: &str| format!("{what} of {:?}", run.scope);
        let found = journal.read(run, &slot).await?;
        same(&what("a record"), found, Some(json!(value)))?;
        let found = journal.read(run, &answer).await?;
        let expected = (value == 0).then(|| json!("mine"));
        same(&what("the answer"), found, expected)?;
        let renewed = journal.renew(lease, TTL).await.ok();
        let renewed = renewed.map(|it| it.cancel_requested);
        same(&what("the request"), renewed, Some(value == 0))?;
        let listed = listed(journal, &run.scope).await?;
        same(&what("the runs"), listed, vec![run.clone()])?;
        journal.release(lease, Released::Paused);
        let kept = records(journal, run).await?.len();
        let expected = 2 + usize::from(value == 0);
        same(&what("the number of records"), kept, expected)?;
    }
    let admin = Scope::admin(&RunContext::test("operator"), "journal check")?;
    let found = journal.runs(&RunQuery::everybody(&admin)).await?.items;
    let found: Vec<JournalRun> = found.into_iter().map(|it| it.run).collect();
    same("everybody's runs", &found, &runs)?;

    let gone = journal.forget(&Forget::Scope(scopes[0].clone())).await?;
    same("the runs of a partition that are forgotten", gone, 1)?;
    let gone = journal.forget(&Forget::User(None)).await?;
    same("the runs of nobody that are forgotten", gone, 1)?;
    let found = journal.runs(&RunQuery::everybody(&admin)).await?.items;
    let found: Vec<JournalRun> = found.into_iter().map(|it| it.run).collect();
    same("everybody's other runs", found, runs[2..].to_vec())
}

pub(super) async fn forgetting<J: Journal>(journal: &J) -> Result<()> {
    let (one, two) = (scope(Some("alice"), "one")?, scope(Some("alice"), "two")?);
    let (bob, nobody) = (scope(Some("bob"), "one")?, scope(None, "one")?);
    let [a, b, c] = [run_in(&one, "a")?, run_in(&one, "b")?, run_in(&two, "c")?];
    let others = [run_in(&bob, "a")?, run_in(&nobody, "a")?];
    for run in [&a, &b, &c].into_iter().chain(&others) {
        fill(journal, run, 7).await?;
    }
    let head = waiting(&b, 2, RunStatus::Open, &[]);
    let lease = begin(journal, &b, head, Vec::new()).await?;
    for what in [
        Forget::Run(b.clone()),
        Forget::Scope(one.clone()),
        Forget::User(one.user().cloned()),
    ] {
        let refused = journal.forget(&what).await;
        let text = format!("{what:?} while a run of them is held");
        same(&text, refusal(&refused), Some(ErrorKind::Invalid))?;
        let message = refused.err().map(|error| error.message().to_owned());
        let names_it = message.is_some_and(|it| it.contains("the run b "));
        same("whether its message names the run", names_it, true)?;
    }
    let kept = listed(journal, &one).await?;
    same("the runs after that", kept, vec![a.clone(), b.clone()])?;
    same("c after that", listed(journal, &two).await?.len(), 1)?;

    journal.release(&lease, Released::Ended);
    let unknown = Forget::Run(run_in(&two, "a")?);
    for (what, expected) in [
        (unknown, 0),
        (Forget::Run(a.clone()), 1),
        (Forget::Run(a.clone()), 0),
        (Forget::Scope(one.clone()), 1),
        (Forget::User(one.user().cloned()), 1),
        (Forget::User(one.user().cloned()), 0),
    ] {
        let text = format!("the runs that {what:?} forgets");
        same(&text, journal.forget(&what).await?, expected)?;
    }
    for run in [&a, &b, &c] {
        let slot = SlotKey::new(SlotKind::Run, "");
        let found = journal.read(run, &slot).await?;
        same("a record of a forgotten run", found, None)?;
        let found = journal.answer(run, "ask", json!(1)).await?;
        same("an answer to it", found, Answered::NotAsked)?;
        let found = journal.request_cancel(run).await?;
        same("a request to cancel it", found, false)?;
        let claimed = journal.claim(run, TTL).await?;
        same("the head of a claim of it", claimed.head, None)?;
        same("the records of that claim", claimed.records, Vec::new())?;
    }
    for run in &others {
        let kept = listed(journal, &run.scope).await?;
        same("the runs of others", kept, vec![run.clone()])?;
    }
    Ok(())
}
