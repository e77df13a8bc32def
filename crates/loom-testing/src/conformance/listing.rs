//! Pages of runs, and the conditions of a query.

use std::time::{Duration, SystemTime};

use loom_core::{
    ErrorKind, Forget, Journal, JournalRun, Released, Result, RunContext, RunQuery, RunStatus,
    Scope,
};

use super::{begin, differs, head, put, refusal, run, run_in, same, scope};

pub(super) async fn pages<J: Journal>(journal: &J) -> Result<()> {
    // Their ids sort the other way round.
    let names: Vec<String> = (0..120).map(|i| format!("run_{:03}", 999 - i)).collect();
    for name in &names {
        add(journal, &run(name)?, 1).await?;
    }
    let elsewhere = run_in(&scope(Some("bob"), "conv")?, "elsewhere")?;
    add(journal, &elsewhere, 1).await?;
    let own = run(&names[0])?.scope;
    let by_default = journal.runs(&RunQuery::of(&own)).await?;
    same("the runs on a page", by_default.items.len(), 100)?;
    let expected = names.clone();
    same(
        "all runs",
        all(journal, RunQuery::of(&own)).await?,
        expected,
    )?;
    let admin = Scope::admin(&RunContext::test("operator"), "journal check")?;
    let everybody = all(journal, RunQuery::everybody(&admin).max(7)).await?;
    let mut expected = names.clone();
    expected.push("elsewhere".to_owned());
    same("everybody's runs", everybody, expected)?;

    // What happens between two pages moves no other run.
    let query = RunQuery::of(&own).max(50);
    let first = journal.runs(&query).await?;
    same("the runs on a short page", first.items.len(), 50)?;
    for forgotten in [&names[0], &names[49], &names[60]] {
        let gone = journal.forget(&Forget::Run(run(forgotten)?)).await?;
        same("the runs that are forgotten", gone, 1)?;
    }
    add(journal, &run(&names[10])?, 2).await?;
    add(journal, &run("run_new")?, 1).await?;
    let next = first.next;
    let next = next.ok_or_else(|| differs("the next page", "none", "one"))?;
    let mut expected = names[50..].to_vec();
    expected.retain(|name| *name != names[60]);
    expected.push("run_new".to_owned());
    let rest = all(journal, query.after(next)).await?;
    same("the pages that follow", rest, expected)?;

    let none = journal.runs(&RunQuery::of(&own).max(0)).await;
    let invalid = Some(ErrorKind::Invalid);
    same("a page of at most 0 runs", refusal(&none), invalid)?;
    let none = journal.runs(&RunQuery::of(&own).after("\u{0}?")).await;
    same("a page after no page", refusal(&none), invalid)
}

async fn add<J: Journal>(journal: &J, run: &JournalRun, revision: u64) -> Result<()> {
    let head = head(run, revision, RunStatus::Open);
    put(journal, head, run, Vec::new(), Released::Dropped).await
}

/// The names of all runs a query finds, page by page.
async fn all<J: Journal>(journal: &J, mut query: RunQuery<'_>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    // More pages than any scenario has; a store whose pages never end fails.
    for _ in 0..1000 {
        let page = journal.runs(&query).await?;
        let size = page.items.len();
        let fits = size <= query.max;
        same(&format!("whether {size} runs fit on the page"), fits, true)?;
        names.extend(page.items.into_iter().map(|it| it.run.root.to_string()));
        match page.next {
            Some(next) => query = query.after(next),
            None => return Ok(names),
        }
    }
    Err(differs("the number of pages", "1000 or more", "fewer"))
}

fn at(secs: u64) -> SystemTime {
    // Far in the future, so that nothing is due while the scenario runs.
    SystemTime::UNIX_EPOCH + Duration::from_secs(32_503_680_000 + secs)
}

/// One run of each status, released in each way that matters, with and without a timer.
async fn one_of_each<J: Journal>(journal: &J) -> Result<()> {
    for (root, status, due, how) in [
        ("orphan", RunStatus::Open, None, Some(Released::Shutdown)),
        ("dropped", RunStatus::Open, None, Some(Released::Dropped)),
        ("held", RunStatus::Open, Some(at(1)), None),
        ("paused", RunStatus::Paused, None, Some(Released::Shutdown)),
        (
            "timer_1",
            RunStatus::Paused,
            Some(at(1)),
            Some(Released::Paused),
        ),
        (
            "timer_2",
            RunStatus::Paused,
            Some(at(2)),
            Some(Released::Paused),
        ),
        (
            "due",
            RunStatus::Open,
            Some(at(1)),
            Some(Released::Shutdown),
        ),
        ("ended", RunStatus::Ended, None, Some(Released::Shutdown)),
        ("failed", RunStatus::Failed, None, Some(Released::Ended)),
        (
            "cancelled",
            RunStatus::Cancelled,
            None,
            Some(Released::Ended),
        ),
    ] {
        let run = run(root)?;
        let mut head = head(&run, 1, status);
        head.due = due;
        let lease = begin(journal, &run, head, Vec::new()).await?;
        if let Some(how) = how {
            journal.release(&lease, how);
        }
    }
    Ok(())
}

pub(super) async fn conditions<J: Journal>(journal: &J) -> Result<()> {
    one_of_each(journal).await?;
    let scope = run("held")?.scope;
    let query = || RunQuery::of(&scope).max(2);
    let cases: [(RunQuery<'_>, &[&str]); 10] = [
        (
            query().status(RunStatus::Open),
            &["orphan", "dropped", "held", "due"],
        ),
        (
            query().status(RunStatus::Paused),
            &["paused", "timer_1", "timer_2"],
        ),
        (query().status(RunStatus::Ended), &["ended"]),
        (query().status(RunStatus::Failed), &["failed"]),
        (query().status(RunStatus::Cancelled), &["cancelled"]),
        (query().lapsed(), &["orphan", "due"]),
        (query().lapsed().status(RunStatus::Paused), &[]),
        (query().due_by(at(1)), &["held", "timer_1", "due"]),
        (
            query().due_by(at(3)).status(RunStatus::Paused),
            &["timer_1", "timer_2"],
        ),
        (query().due_by(at(0)), &[]),
    ];
    for (query, expected) in cases {
        let what = format!("the runs of {query:?}");
        let expected = expected.iter().map(|&name| name.to_owned()).collect();
        same(&what, all(journal, query).await?, expected)?;
    }
    let orphan = run("orphan")?;
    journal.claim(&orphan, super::TTL).await?;
    let lapsed = all(journal, query().lapsed()).await?;
    same(
        "orphans after one is claimed",
        lapsed,
        vec!["due".to_owned()],
    )
}
