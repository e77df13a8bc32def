//! Attacks by gates and approvers that panic, hang or grant what doesn't fit, and on patterns.

use std::future::pending;
use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use loomflow::{
    Approval, Approver, Decision, Effect, EffectView, Error, ErrorKind, Gate, Permissions,
    Question, Result, Rule, RunContext, RunErrorKind, Tool, Verdict,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support_b::{Bomb, add_one, guarded, nested, on_tokio, plain, rig};

#[test]
fn a_payload_whose_destructor_panics_is_an_ordinary_panic_of_a_step() {
    async fn bomb(_: u64) -> Result<u64> {
        panic_any(Bomb)
    }
    async fn body(cx: RunContext, n: u64) -> Result<u64> {
        let failed = cx.step("bomb", &bomb, n).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Panicked);
        cx.step("after", &add_one, n).await
    }
    let rig = plain();
    assert_eq!(
        block_on(async {
            rig.loom
                .session("alice")
                .run(&body, 1u64)
                .await
                .unwrap()
                .output
        }),
        2
    );
    assert_eq!(
        rig.endings(),
        ["body completed", "body/bomb failed", "body/after completed"]
    );
    rig.assert_whole();
}

struct Bombing;

impl Gate for Bombing {
    fn name(&self) -> &'static str {
        "bombing"
    }
    fn concerns(&self, effect: &Effect) -> bool {
        effect.name().as_str() == "one"
    }
    async fn check(&self, _view: &EffectView, _effect: &Effect) -> Verdict {
        panic_any(Bomb)
    }
}

#[test]
fn a_payload_whose_destructor_panics_is_an_ordinary_panic_of_a_gate() {
    let rig = rig(|it| it.gate(Bombing));
    let ended = block_on(async {
        rig.loom
            .session("alice")
            .run(&nested, 1u64)
            .await
            .unwrap_err()
    });
    assert_eq!(ended.kind(), RunErrorKind::Denied);
    assert_eq!(rig.endings(), ["nested denied", "nested/one denied"]);
    rig.assert_whole();
}

/// A gate that misbehaves in one of its methods.
struct Bad(&'static str, Arc<Mutex<Vec<EffectView>>>);

impl Gate for Bad {
    fn name(&self) -> &'static str {
        "bad"
    }
    fn concerns(&self, effect: &Effect) -> bool {
        let concerns = effect.name().as_str() == "one";
        assert!(!(concerns && self.0 == "concerns"));
        concerns
    }
    fn check(&self, view: &EffectView, _effect: &Effect) -> impl Future<Output = Verdict> + Send {
        assert_ne!(self.0, "check");
        self.1.lock().unwrap().push(view.clone());
        async move {
            match self.0 {
                "hang" => pending().await,
                "body" => panic!("not today"),
                "late" => {
                    tokio::time::sleep(Duration::from_secs(6)).await;
                    Verdict::Allow
                }
                _ => Verdict::Allow,
            }
        }
    }
    fn limit(&self) -> Option<Duration> {
        assert_ne!(self.0, "limit");
        Some(Duration::from_secs(5))
    }
}

#[test]
fn a_gate_that_panics_hangs_or_is_late_anywhere_denies() {
    for how in ["concerns", "check", "body", "hang", "late", "limit"] {
        guarded(move || {
            let views = Arc::default();
            let gate = Bad(how, Arc::clone(&views));
            let rig = rig(|it| it.gate(gate));
            let ended = on_tokio(async { rig.loom.session("alice").run(&nested, 1u64).await });
            let ended = ended.map(|it| it.output).map_err(|it| it.kind());
            assert_eq!(ended, Err(RunErrorKind::Denied), "{how}");
            assert_eq!(
                rig.endings(),
                ["nested denied", "nested/one denied"],
                "{how}"
            );
            for view in views.lock().unwrap().iter() {
                assert_eq!(
                    (view.path().as_str(), view.user().unwrap().as_str()),
                    ("nested/one", "alice")
                );
            }
            rig.assert_whole();
        });
    }
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Pay {
    cents: u32,
}

fn paying(paid: &Arc<AtomicUsize>) -> Tool {
    let paid = paid.clone();
    let pay = move |it: Pay| {
        paid.fetch_add(it.cents as usize, SeqCst);
        async move { Ok::<_, Error>(it.cents) }
    };
    Tool::new("pay", "Pays.", pay).destructive()
}

/// An approver that does one of several bad things.
struct Desk(&'static str, AtomicUsize);

impl Approver for Desk {
    async fn approve(
        &self,
        _view: &EffectView,
        _effect: &Effect,
        _question: &Question,
    ) -> Approval {
        let nth = self.1.fetch_add(1, SeqCst);
        match self.0 {
            "panics" => panic_any(Bomb),
            "unfit" => Approval::GrantedWith(json!({"cents": "many"})),
            "null" => Approval::GrantedWith(Value::Null),
            "unfit, then fit" if nth == 0 => Approval::GrantedWith(json!({"cents": -1})),
            _ => Approval::GrantedWith(json!({"cents": 7})),
        }
    }
}

#[test]
fn an_approver_that_panics_or_never_grants_what_fits_lets_nothing_happen() {
    for (how, paid_in_all) in [
        ("panics", 0),
        ("unfit", 0),
        ("null", 0),
        ("unfit, then fit", 7),
    ] {
        guarded(move || {
            let paid = Arc::default();
            let tool = paying(&paid);
            let rig = rig(|it| it.approver(Desk(how, AtomicUsize::new(0))));
            let body = move |cx: RunContext, cents: u64| {
                let tool = tool.clone();
                async move {
                    Ok::<_, Error>(
                        tool.call(&cx, "c1", json!({"cents": cents}))
                            .await?
                            .into_text(),
                    )
                }
            };
            let ended = block_on(async { rig.loom.session("alice").run(&body, 500u64).await });
            assert_eq!(ended.is_ok(), paid_in_all > 0, "{how}: {ended:?}");
            assert_eq!(paid.load(SeqCst), paid_in_all, "{how}");
            rig.assert_whole();
        });
    }
}

#[derive(Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema matters: anything is taken")]
struct Take {
    #[serde(default)]
    n: Value,
    #[serde(default)]
    text: String,
}

#[test]
fn a_pattern_means_the_number_however_it_is_written() {
    let cases = [
        ("100", "100.0", true),
        ("1e2", "100", true),
        ("100", "1E+2", true),
        ("-0", "0", true),
        ("0", "-0.0", true),
        ("0.1", "0.10", true),
        ("9007199254740993", "9007199254740993", true),
        ("9007199254740993", "9007199254740992", false),
        ("18446744073709551615", "18446744073709551615", true),
        ("18446744073709551615", "18446744073709551614", false),
        ("1e999999999999", "100", false),
        ("1e99999999999999999999999999", "0", false),
        ("0e99999999999999999999999999", "0", true),
        ("-1", "1", false),
        ("1*", "100", true),
        ("*", "1", true),
        ("", "0", false),
        ("nan", "0", false),
        ("100", "\"100\"", true),
        ("null", "null", true),
        ("true", "true", true),
        (".5", "0.5", false),
    ];
    guarded(move || {
        for (pattern, argument, fits) in cases {
            let permissions = Permissions::new()
                .rule(Rule::new(Decision::Deny).argument("/n", pattern))
                .rule(Rule::new(Decision::Allow));
            let rig = rig(|it| it.permissions(permissions));
            let argument: Value = serde_json::from_str(argument).unwrap();
            let arguments = json!({"n": argument});
            let body = move |cx: RunContext, _: ()| {
                let arguments = arguments.clone();
                let tool = Tool::new("take", "Takes.", |_: Take| async { Ok::<_, Error>(1u64) });
                async move { Ok::<_, Error>(tool.call(&cx, "c", arguments).await?.into_text()) }
            };
            let ended = block_on(async { rig.loom.session("alice").run(&body, ()).await });
            assert!(
                fits || ended.is_ok(),
                "{pattern} {argument} {:?}",
                ended.err()
            );
            let denied = ended
                .as_ref()
                .is_err_and(|it| it.kind() == RunErrorKind::Denied);
            assert_eq!(denied, fits, "{pattern} {argument} {:?}", ended.err());
            rig.assert_whole();
        }
    });
}

#[test]
fn a_pattern_of_many_stars_is_decided_promptly_and_denies_what_it_fits() {
    guarded(|| {
        let stars = "*a".repeat(200) + "*b";
        let permissions =
            Permissions::new().rule(Rule::new(Decision::Deny).argument("text", stars));
        let rig = rig(|it| it.permissions(permissions));
        let body = move |cx: RunContext, text: String| {
            let tool = Tool::new("take", "Takes.", |_: Take| async { Ok::<_, Error>(1u64) });
            async move {
                Ok::<_, Error>(
                    tool.call(&cx, "c", json!({"text": text}))
                        .await?
                        .into_text(),
                )
            }
        };
        let session = rig.loom.session("alice");
        let ended = block_on(async { session.run(&body, "a".repeat(20_000)).await });
        assert_eq!(
            ended.map(|it| it.output).map_err(|it| it.to_string()),
            Ok("1".to_owned())
        );
        let ended = block_on(async { session.run(&body, "a\n".repeat(20_000) + "b").await });
        assert_eq!(ended.unwrap_err().kind(), RunErrorKind::Denied);
        rig.assert_whole();
    });
}
