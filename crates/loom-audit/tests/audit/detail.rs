//! What `Full` adds.

use std::fmt;

use loom_audit::Detail;
use loom_core::{EffectView, Error, ErrorKind, Gate, Loom, Verdict};
use serde_json::{Value, json};

use crate::composed::{fixed, refund, run_composed};

#[test]
fn full_adds_the_contents_and_the_model_calls() {
    let audit = fixed().detail(Detail::Full).build().unwrap();
    run_composed(&audit);
    let rows = audit.rows();
    let payload = |index: usize| rows[index].payload.clone().unwrap();
    assert_eq!(rows.len(), 20);
    assert_eq!(payload(0), json!({"in": 12, "input": "pay \"it\""}));
    assert_eq!(
        (
            rows[5].action.as_str(),
            rows[5].actor.as_str(),
            rows[5].end.as_deref()
        ),
        ("model_call", "model", Some("completed"))
    );
    assert_eq!(
        payload(5),
        json!({
            "out": 8, "turn": 0, "model": "opus", "provider": "scripted",
            "tokens_in": 15, "tokens_out": 2, "output": "a call",
        })
    );
    assert_eq!(
        payload(6),
        json!({
            "call": "c1", "turn": 0, "bytes": 33, "destructive": true,
            "args": {"amount": "e5452b58b9e839c9", "input": "95eb11ace8e4e67d"},
            "input": {"amount": 2, "input": "pay \"it\""},
        })
    );
    assert_eq!(
        payload(13),
        json!({"out": 18, "call": "c1", "output": "done: pay \"it\""})
    );
    assert_eq!(rows[14].action, "model_call");
}

#[test]
fn full_says_what_an_error_said() {
    let payload = |detail| {
        let audit = fixed().detail(detail).build().unwrap();
        let loom = Loom::builder().install(audit.clone()).build();
        futures::executor::block_on(loom.session("alice").run(&refund, 7_u64)).unwrap_err();
        audit.rows()[2].payload.clone()
    };
    assert_eq!(payload(Detail::Summary), Some(json!({"kind": "failed"})));
    assert_eq!(
        payload(Detail::Full),
        Some(json!({"kind": "failed", "error": "no invoice 7"}))
    );
}

/// An error with a message and what it came from.
#[derive(Debug)]
struct Caused(&'static str, Option<Box<Caused>>);

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => panic!("never display me"),
            text => f.write_str(text),
        }
    }
}

impl std::error::Error for Caused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match (self.0, &self.1) {
            ("endless", _) => Some(self),
            ("never ask me", _) => panic!("never ask me"),
            (_, source) => source.as_deref().map(|it| it as _),
        }
    }
}

fn caused(text: &'static str, source: Caused) -> Caused {
    Caused(text, Some(Box::new(source)))
}

/// What the row of a run says at `Full` that failed with an error of this source.
fn chain(source: fn() -> Caused) -> String {
    let fail = move |(): ()| {
        let error = Error::with_source(ErrorKind::Upstream, "asking the bank", source());
        std::future::ready(Err::<(), _>(error))
    };
    let audit = fixed().detail(Detail::Full).build().unwrap();
    let loom = Loom::builder().install(audit.clone()).build();
    futures::executor::block_on(loom.session("alice").run(&fail, ())).unwrap_err();
    assert_eq!((loom.observer_faults(), audit.rows().len()), (0, 2));
    assert_eq!(audit.verify().verdict, loom_audit::Verdict::Ok);
    let payload = audit.rows().remove(1).payload.unwrap();
    assert_eq!(payload["kind"], "upstream");
    payload["error"].as_str().unwrap().to_owned()
}

#[test]
fn full_says_the_whole_chain_of_an_error_s_sources() {
    let said = chain(|| caused("connection lost", caused("reset", Caused("by peer", None))));
    assert_eq!(said, "asking the bank\nconnection lost\nreset\nby peer");
    let repeated = chain(|| caused("asking the bank", Caused("reset", None)));
    assert_eq!(repeated, "asking the bank\nreset");
}

#[test]
fn an_error_that_panics_or_does_not_end_does_not_cost_its_row() {
    assert_eq!(
        chain(|| caused("", Caused("reset", None))),
        "asking the bank\nit panicked while it was read\nreset"
    );
    assert_eq!(
        chain(|| Caused("never ask me", None)),
        "asking the bank\nnever ask me"
    );
    assert_eq!(
        chain(|| Caused("endless", None)),
        "asking the bank\nendless"
    );
}

#[test]
fn an_error_longer_than_a_payload_is_cut() {
    let fail = |(): ()| {
        let source = std::io::Error::other("x".repeat(1_000_000));
        let error = Error::with_source(ErrorKind::Failed, "no", source);
        std::future::ready(Err::<(), _>(error))
    };
    let audit = fixed().detail(Detail::Full).build().unwrap();
    let loom = Loom::builder().install(audit.clone()).build();
    futures::executor::block_on(loom.session("alice").run(&fail, ())).unwrap_err();
    let payload = audit.rows().remove(1).payload.unwrap();
    assert_eq!(payload["error"]["cut_bytes"], 1_000_006);
}

struct Never;

impl Gate for Never {
    fn name(&self) -> &'static str {
        "never"
    }

    async fn check(&self, _view: &EffectView, _effect: &loom_core::Effect) -> Verdict {
        Verdict::deny("alice may not")
    }
}

#[test]
fn full_says_why_a_gate_refused() {
    let payload = |detail| -> Option<Value> {
        let audit = fixed().detail(detail).build().unwrap();
        let loom = Loom::builder().gate(Never).install(audit.clone()).build();
        futures::executor::block_on(loom.session("alice").run(&refund, 7_u64)).unwrap_err();
        audit.rows()[1].payload.clone()
    };
    assert_eq!(payload(Detail::Summary), Some(json!({"gate": "never"})));
    assert_eq!(
        payload(Detail::Full),
        Some(json!({"gate": "never", "reason": "alice may not"}))
    );
}
