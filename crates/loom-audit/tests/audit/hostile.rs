//! Whatever a run puts into its names and values, its rows are written and verify.

use std::sync::Arc;

use loom_audit::{Audit, Detail, Verdict};
use loom_core::{
    Approval, Approver, Data, Effect, EffectKind, EffectView, Error, ErrorKind, Gate, Loom,
    Question, Result, RunContext,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::composed::fixed;

fn full() -> Audit {
    fixed().detail(Detail::Full).build().unwrap()
}

/// Runs a step that calls a tool of this name with these arguments, which gives this output, or
/// fails with this message.
fn call(audit: &Audit, name: String, args: Arc<Value>, output: Result<Value, String>) {
    let work = move |cx: RunContext, (): ()| {
        let effect = Effect::tool(name.clone(), name.clone()).with_input(args.clone());
        let output = output.clone();
        async move {
            cx.perform(effect, (), |_, ()| async move {
                output.map_err(|message| Error::new(ErrorKind::Failed, message))
            })
            .await
        }
    };
    let loom = Loom::builder().install(audit.clone()).build();
    let _ = futures::executor::block_on(loom.session("alice").run(&work, ()));
    assert_eq!(loom.observer_faults(), 0);
}

/// Four rows were written: a run, what was in it, and how it ended.
fn is_whole(audit: &Audit) -> Result<(), TestCaseError> {
    let report = audit.verify();
    prop_assert_eq!(report.verdict, Verdict::Ok, "{:?}", report.findings);
    prop_assert_eq!((report.size, report.events, report.open.len()), (5, 4, 0));
    prop_assert_eq!(audit.rows().len(), 4);
    for line in audit.lines() {
        let payload = line.split_once(",\"payload\":").unwrap().1;
        prop_assert!(payload.len() <= 64 * 1024 + 1, "{} bytes", payload.len());
    }
    Ok(())
}

/// Any text: control characters, bidirectional ones, U+2028, private use, the format's own words.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => proptest::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter),
        1 => Just("\u{0}\u{1b}[2J\u{7f}\u{85}\u{2028}\u{2029}\u{202e}\u{feff}\u{fffd}".to_owned()),
        1 => Just("x\",\"mac\":\"".to_owned()),
        1 => Just(",\"mac\":\"0\",\"payload\":{}}\n{\"v\":1".to_owned()),
        1 => (any::<char>(), 200usize..90_000).prop_map(|(c, n)| c.to_string().repeat(n)),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // What isn't finite becomes null here: JSON has no such number.
        any::<f64>().prop_map(Value::from),
        Just(json!(-0.0)),
        Just(json!(9_007_199_254_740_993_u64)),
        Just(json!(1e300)),
        Just(serde_json::from_str("10000000000000000000000000000000000000000").unwrap()),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number(),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 60, 8, |item| {
        prop_oneof![
            proptest::collection::vec(item.clone(), 0..8).prop_map(Value::Array),
            proptest::collection::vec((text(), item), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn f041_f042_hostile_values_are_written_and_verify(
        name in text(),
        args in value(),
        output in prop_oneof![value().prop_map(Ok), text().prop_map(Err)],
    ) {
        let audit = full();
        call(&audit, name, Arc::new(args), output);
        is_whole(&audit)?;
    }

    #[test]
    fn f041_what_is_small_is_kept_to_the_last_digit(number in number()) {
        let audit = full();
        call(&audit, "tool".into(), Arc::new(json!({"n": number})), Ok(number.clone()));
        let expected = format!("\"output\":{number}}}}}");
        let line = audit.lines().remove(3);
        prop_assert!(line.ends_with(&expected), "{} in {}", expected, line);
    }
}

#[test]
fn f043_values_too_deep_or_too_large_are_told_by_length_and_hash() {
    let mut deep = json!({});
    for _ in 0..100_000 {
        // `json!` would copy what is inside, level by level.
        deep = Value::Object([("a".to_owned(), deep)].into_iter().collect());
    }
    let deep = Arc::new(deep);
    // Dropping it would recurse as deep.
    std::mem::forget(deep.clone());
    let audit = full();
    call(
        &audit,
        "tool".into(),
        deep,
        Ok(json!("x".repeat(10_000_000))),
    );
    is_whole(&audit).unwrap();
    let rows = audit.rows();
    let (called, gave) = (
        rows[1].payload.as_ref().unwrap(),
        rows[2].payload.as_ref().unwrap(),
    );
    assert_eq!(called["bytes"], 600_002);
    assert_eq!(called["input"]["cut_bytes"], 600_002);
    assert_eq!(gave["output"]["cut_bytes"], 10_000_002);
}

#[test]
fn f043_a_payload_keeps_63_levels_of_a_value_and_no_more() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    for (levels, kept) in [(63, true), (64, false)] {
        let audit = full();
        call(
            &audit,
            "tool".into(),
            Arc::new(json!({})),
            Ok(nested(levels)),
        );
        is_whole(&audit).unwrap();
        let output = audit.rows()[2].payload.as_ref().unwrap()["output"].clone();
        assert_eq!(output == nested(levels), kept, "{output}");
        assert_eq!(output["cut_bytes"] == 2 * levels + 1, !kept);
    }
}

#[test]
fn f042_a_model_s_long_tool_name_is_cut_and_told_by_its_hash() {
    let audit = full();
    call(
        &audit,
        "é".repeat(10_000),
        Arc::new(json!({})),
        Ok(json!(1)),
    );
    is_whole(&audit).unwrap();
    let name = &audit.rows()[1].name;
    assert_eq!(name.len(), 256);
    assert!(name.starts_with("ééé") && name.contains("…#"), "{name}");
}

/// A value whose JSON is 100,000 levels deep.
struct Well;

impl Data for Well {
    fn to_value(&self) -> Result<Value> {
        Ok((0..100_000).fold(json!(0), |inner, _| Value::Array(vec![inner])))
    }

    fn from_value(_: Value) -> Result<Self> {
        Ok(Self)
    }

    fn json_bytes(&self) -> Result<u64> {
        Ok(200_001)
    }
}

#[test]
fn f043_a_value_too_deep_that_crosses_an_edge_is_told_by_length_and_hash() {
    async fn dig(cx: RunContext, (): ()) -> Result<u64> {
        let step = Effect::new(EffectKind::Step, "dig");
        cx.perform(step, Well, |_, _| async { Ok(7) }).await
    }
    let audit = full();
    let loom = Loom::builder().install(audit.clone()).build();
    futures::executor::block_on(loom.session("alice").run(&dig, ())).unwrap();
    is_whole(&audit).unwrap();
    let payload = audit.rows().remove(1).payload.unwrap();
    assert_eq!(payload["in"], 200_001);
    assert_eq!(payload["input"]["cut_bytes"], 200_001);
}

/// A gate and an approver of many words.
struct Talker;

impl Gate for Talker {
    fn name(&self) -> &'static str {
        "x\",\"mac\":\"\u{0}\u{202e}\n"
    }

    async fn check(&self, _view: &EffectView, _effect: &Effect) -> loom_core::Verdict {
        loom_core::Verdict::Ask("\u{1}".repeat(100_000))
    }
}

impl Approver for Talker {
    async fn approve(&self, _: &EffectView, _: &Effect, _: &Question) -> Approval {
        Approval::Refused("\u{2}".repeat(1_000_000))
    }
}

#[test]
fn f042_f043_what_is_asked_and_answered_may_be_any_text_of_any_length() {
    let audit = full();
    let loom = Loom::builder().gate(Talker).approver(Talker);
    let session = loom.install(audit.clone()).build().session("alice");
    let same = |text: String| async move { Ok::<_, Error>(text) };
    futures::executor::block_on(session.run(&same, "pay")).unwrap_err();
    is_whole(&audit).unwrap();
    let refused = audit.rows().remove(2).payload.unwrap();
    assert_eq!(refused["question"], Talker.name());
    assert_eq!(refused["body"]["cut_bytes"], 600_002);
    assert_eq!(refused["reason"]["cut_bytes"], 6_000_002);
}

/// The row of what panicked says so: in the core's words or in the log's, whoever caught it.
fn is_unreadable(audit: &Audit) -> bool {
    let payload = audit.rows().remove(1).payload.unwrap();
    let why = payload["input"]["unreadable"].as_str().unwrap();
    why.starts_with("it panicked while it was ")
}

/// A value whose type panics when it is looked at.
struct Grenade;

impl Data for Grenade {
    fn to_value(&self) -> Result<Value> {
        panic!("never look at me")
    }

    fn from_value(_: Value) -> Result<Self> {
        Ok(Self)
    }
}

#[test]
fn a_value_that_panics_when_it_is_read_does_not_cost_its_row() {
    async fn throw(cx: RunContext, (): ()) -> Result<u64> {
        let step = Effect::new(EffectKind::Step, "throw");
        cx.perform(step, Grenade, |_, _| async { Ok(7) }).await
    }
    let audit = full();
    let loom = Loom::builder().install(audit.clone()).build();
    futures::executor::block_on(loom.session("alice").run(&throw, ())).unwrap();
    is_whole(&audit).unwrap();
    assert!(is_unreadable(&audit), "{:?}", audit.rows()[1]);
}

/// What panics once more when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and never forget me")
    }
}

/// A value whose type panics with a bomb when it is looked at.
struct BoobyTrap;

impl Data for BoobyTrap {
    fn to_value(&self) -> Result<Value> {
        std::panic::panic_any(Bomb)
    }

    fn from_value(_: Value) -> Result<Self> {
        Ok(Self)
    }
}

#[test]
fn a_panic_that_panics_when_it_is_dropped_does_not_cost_its_row() {
    async fn throw(cx: RunContext, (): ()) -> Result<u64> {
        let step = Effect::new(EffectKind::Step, "throw");
        let trap = |_, _| async { Ok(7) };
        cx.perform(step, BoobyTrap, trap).await
    }
    let audit = full();
    let loom = Loom::builder().install(audit.clone()).build();
    futures::executor::block_on(loom.session("alice").run(&throw, ())).unwrap();
    is_whole(&audit).unwrap();
    assert_eq!(loom.observer_faults(), 0);
    assert!(is_unreadable(&audit), "{:?}", audit.rows()[1]);
}
