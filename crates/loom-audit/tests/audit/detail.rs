//! What `Full` adds.

use loom_audit::Detail;
use loom_core::{Gate, Loom, RunContext, Verdict};
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

struct Never;

impl Gate for Never {
    fn name(&self) -> &'static str {
        "never"
    }

    async fn check(&self, _cx: &RunContext, _effect: &loom_core::Effect) -> Verdict {
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
