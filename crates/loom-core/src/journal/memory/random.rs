//! Random work on a journal in memory comes out as in a naive model of one.

use proptest::prelude::*;
use serde_json::json;

use super::model::{Model, seen};
use super::*;
use crate::error::ErrorKind;
use crate::ids::{RunId, SessionId, UserId};
use crate::scope::Scope;

#[derive(Clone, Debug)]
enum Op {
    Run(usize, RunOp),
    /// Under one of the leases so far, counted round and round.
    Lease(usize, LeaseOp),
    Advance(u64),
}

#[derive(Clone, Debug)]
enum RunOp {
    Claim(u64),
    Answer(usize),
    Read(SlotKind, usize),
    Cancel,
    Forget(usize),
    List(Option<RunStatus>, bool, usize),
}

#[derive(Clone, Debug)]
enum LeaseOp {
    Renew(u64),
    Write(Head, Vec<(SlotKind, usize)>),
    Release(Released),
}

#[derive(Clone, Debug)]
struct Head {
    revision: u64,
    status: RunStatus,
    waiting: Vec<usize>,
    is_due: Option<bool>,
}

const PATHS: [&str; 3] = ["a", "b", "c"];

/// Two runs of one partition, one of another session, one of nobody.
fn runs() -> Vec<JournalRun> {
    let of = |user: Option<&str>, session, root| JournalRun {
        scope: Scope::new(
            user.map(|id| UserId::new(id).unwrap()),
            SessionId::new(session).unwrap(),
        ),
        root: RunId::new(root).unwrap(),
    };
    vec![
        of(Some("alice"), "one", "q"),
        of(Some("alice"), "one", "r"),
        of(Some("alice"), "two", "q"),
        of(None, "one", "q"),
    ]
}

fn forget(what: usize, run: JournalRun) -> Forget {
    match what {
        0 => Forget::Run(run),
        1 => Forget::Scope(run.scope),
        _ => Forget::User(run.scope.user().cloned()),
    }
}

impl Head {
    fn of(&self, run: &JournalRun) -> RunHead {
        let mut head = RunHead::new(run.root.clone(), "model", SystemTime::UNIX_EPOCH);
        (head.revision, head.status) = (self.revision, self.status);
        head.waiting = self.waiting.iter().map(|&i| PATHS[i].to_owned()).collect();
        head.due = self.is_due.map(|is_due| match is_due {
            true => SystemTime::UNIX_EPOCH,
            false => SystemTime::now() + Duration::from_secs(1 << 32),
        });
        head
    }
}

/// The records say who wrote them, and in which step.
fn records(slots: &[(SlotKind, usize)], step: usize) -> Vec<Record> {
    let record = |&(kind, path): &(SlotKind, usize)| Record {
        key: SlotKey::new(kind, PATHS[path]),
        value: json!([step, kind]).into(),
    };
    slots.iter().map(record).collect()
}

fn lost<T>(lost: Result<T, Lost>) -> Result<T, String> {
    lost.map_err(|lost| match lost {
        Lost::Store(error) => format!("{:?}", error.kind()),
        other => other.to_string(),
    })
}

fn kind<T>(result: Result<T>) -> Result<T, ErrorKind> {
    result.map_err(|error| error.kind())
}

/// The journal and the model, after the same work.
#[derive(Default)]
struct Pair {
    journal: MemoryJournal,
    model: Model,
    /// The journal's leases, in the order of the model's.
    leases: Vec<Lease>,
}

impl Pair {
    /// Does this with both, and returns what came of it: in the journal and in the model.
    async fn act(&mut self, op: &Op, step: usize) -> (String, String) {
        match op {
            Op::Run(run, op) => self.with_run(&runs()[*run], op, step).await,
            Op::Lease(lease, op) => match lease.checked_rem(self.leases.len()) {
                Some(lease) => self.under(lease, op, step).await,
                None => both((), ()),
            },
            Op::Advance(by) => {
                self.model.now += by;
                tokio::time::advance(secs(*by)).await;
                both((), ())
            }
        }
    }

    async fn with_run(&mut self, run: &JournalRun, op: &RunOp, step: usize) -> (String, String) {
        let (journal, model) = (&self.journal, &mut self.model);
        match op {
            RunOp::Claim(ttl) => {
                let claimed = kind(journal.claim(run, secs(*ttl)).await);
                let leases = claimed.iter().map(|it| it.lease.clone());
                self.leases.extend(leases);
                let found = claimed.map(|it| (it.head.as_ref().map(seen), it.records));
                both(found, model.claim(run, *ttl))
            }
            RunOp::Answer(path) => {
                let (path, value) = (PATHS[*path], json!(step));
                let found = journal.answer(run, path, value.clone()).await;
                both(kind(found), Ok(model.answer(run, path, value)))
            }
            RunOp::Read(of, path) => {
                let key = SlotKey::new(*of, PATHS[*path]);
                let found = journal.read(run, &key).await;
                let expected = model.record(run, *of, PATHS[*path]).cloned();
                both(kind(found), Ok(expected))
            }
            RunOp::Cancel => {
                let found = journal.request_cancel(run).await;
                both(kind(found), Ok(model.cancel(run)))
            }
            RunOp::Forget(what) => {
                let what = forget(*what, run.clone());
                let found = journal.forget(&what).await;
                both(kind(found), model.forget(&what))
            }
            RunOp::List(status, lapsed, max) => {
                let found = listed(journal, &run.scope, *status, *lapsed, *max).await;
                both(found, model.list(&run.scope, *status, *lapsed))
            }
        }
    }

    async fn under(&mut self, i: usize, op: &LeaseOp, step: usize) -> (String, String) {
        let (journal, model, lease) = (&self.journal, &mut self.model, &self.leases[i]);
        match op {
            LeaseOp::Renew(ttl) => {
                let found = journal.renew(lease, secs(*ttl)).await;
                both(lost(found), lost(model.renew(i, *ttl)))
            }
            LeaseOp::Write(head, slots) => {
                let (head, records) = (head.of(&lease.run), records(slots, step));
                let batch = Batch { head, records };
                let found = journal.write(lease, &batch).await;
                both(lost(found), lost(model.write(i, batch.head, batch.records)))
            }
            LeaseOp::Release(how) => {
                journal.release(lease, *how);
                model.release(i, *how);
                both((), ())
            }
        }
    }
}

fn both<T: fmt::Debug>(found: T, expected: T) -> (String, String) {
    (format!("{found:?}"), format!("{expected:?}"))
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What a query finds, page by page.
async fn listed(
    journal: &MemoryJournal,
    scope: &Scope,
    status: Option<RunStatus>,
    lapsed: bool,
    max: usize,
) -> Vec<String> {
    let mut query = RunQuery::of(scope).max(max);
    (query.status, query.lapsed) = (status, lapsed);
    let mut found = Vec::new();
    loop {
        let page = journal.runs(&query).await.unwrap();
        found.extend(page.items.iter().map(|it| seen(&it.head)));
        match page.next {
            Some(next) => query = query.after(next),
            None => return found,
        }
    }
}

fn statuses() -> impl Strategy<Value = RunStatus> {
    prop_oneof![
        3 => Just(RunStatus::Open),
        3 => Just(RunStatus::Paused),
        1 => Just(RunStatus::Ended),
        1 => Just(RunStatus::Failed),
        1 => Just(RunStatus::Cancelled),
    ]
}

fn slots() -> impl Strategy<Value = (SlotKind, usize)> {
    let kinds = [
        SlotKind::Output,
        SlotKind::Question,
        SlotKind::Question,
        SlotKind::Answer,
    ];
    (proptest::sample::select(kinds.to_vec()), 0..PATHS.len())
}

fn heads() -> impl Strategy<Value = Head> {
    let waiting = proptest::sample::subsequence(vec![0, 1, 2], 0..=3);
    let is_due = prop_oneof![4 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (0..40u64, statuses(), waiting, is_due).prop_map(|(revision, status, waiting, is_due)| Head {
        revision,
        status,
        waiting,
        is_due,
    })
}

fn run_ops() -> impl Strategy<Value = RunOp> {
    let path = 0..PATHS.len();
    let status = proptest::option::of(statuses());
    prop_oneof![
        6 => (0..8u64).prop_map(RunOp::Claim),
        5 => path.prop_map(RunOp::Answer),
        1 => slots().prop_map(|(kind, path)| RunOp::Read(kind, path)),
        2 => Just(RunOp::Cancel),
        1 => (0..3usize).prop_map(RunOp::Forget),
        2 => (status, any::<bool>(), 1..3usize)
            .prop_map(|(status, lapsed, max)| RunOp::List(status, lapsed, max)),
    ]
}

fn lease_ops() -> impl Strategy<Value = LeaseOp> {
    let hows = [
        Released::Ended,
        Released::Paused,
        Released::Shutdown,
        Released::Dropped,
    ];
    let records = proptest::collection::vec(slots(), 0..4);
    prop_oneof![
        2 => (0..8u64).prop_map(LeaseOp::Renew),
        8 => (heads(), records).prop_map(|(head, records)| LeaseOp::Write(head, records)),
        3 => proptest::sample::select(hows.to_vec()).prop_map(LeaseOp::Release),
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..runs().len(), run_ops()).prop_map(|(run, op)| Op::Run(run, op)),
        8 => (any::<usize>(), lease_ops()).prop_map(|(lease, op)| Op::Lease(lease, op)),
        2 => (0..5u64).prop_map(Op::Advance),
    ]
}

proptest! {
    #[test]
    fn random_work_comes_out_as_in_the_model(ops in proptest::collection::vec(ops(), 1..80)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let same = runtime.block_on(async {
            let mut pair = Pair::default();
            for (step, op) in ops.iter().enumerate() {
                let (found, expected) = pair.act(op, step).await;
                prop_assert_eq!(found, expected, "step {}: {:?}", step, op);
            }
            let runs = runs();
            for run in &runs {
                let found = listed(&pair.journal, &run.scope, None, false, 100).await;
                prop_assert_eq!(found, pair.model.list(&run.scope, None, false));
            }
            let rise = pair.leases.is_sorted_by(|earlier, later| earlier.token < later.token);
            prop_assert!(rise, "the tokens rise");
            Ok(())
        });
        same?;
    }
}
