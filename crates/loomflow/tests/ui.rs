//! Programs that must not compile, and what the compiler says of them in our words.
//!
//! Only the lines that are ours are compared: the texts of `#[diagnostic::on_unimplemented]`. The
//! rest of what rustc prints (its lists of other implementations, its layout, its line numbers in
//! our sources) changes with every release and with every edit. So this is no `trybuild`, which
//! compares whole texts, but one `cargo check` over all files of `tests/ui/`, each a program of
//! its own in one made-up package.

#![expect(
    clippy::unwrap_used,
    reason = "what a test sets up with works, or the test fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const STEP: &str = "note: a step is a `Runnable` (Agent, Workflow, ..), an `async fn(_) -> Result<_, _>`, or an `async fn(RunContext, _) -> Result<_, _>`";
const CAUSES: &str = "note: usual causes: the function isn't `async` (`blocking(f)` makes a step of one); it gives no `Result`; it takes two values (take a tuple); its future isn't `Send` (an `Rc` or a lock guard lives across an `.await`); `step_fn(f)` around it shows which";
const EDGE: &str = "label: what crosses an edge must be recordable: serde's `Serialize` and `Deserialize`, `Send`, `Sync`, `'static`";
const DERIVE: &str = "note: add `#[derive(serde::Serialize, serde::Deserialize)]`, or keep the value inside one step";

/// What is said of each program: an error, what stands under the marked code, and notes.
const SAID: &[(&str, &[&str])] = &[
    (
        "wrong_step",
        &[
            "error: a step that takes `Vec<String>` can't follow a step that gives `String`",
            "label: this step takes `Vec<String>`, the step before it gives `String`",
            "note: put a step or `.map(|it| ..)` between them",
        ],
    ),
    (
        "branch_of_another_input",
        &[
            "error: a step that takes `u64` can't follow a step that gives `String`",
            "label: this step takes `u64`, the step before it gives `String`",
            "note: put a step or `.map(|it| ..)` between them",
        ],
    ),
    (
        "output_is_no_data",
        &[
            "error: `Ticket` can't cross an edge between two steps",
            EDGE,
            DERIVE,
        ],
    ),
    (
        "output_of_a_run_is_no_data",
        &[
            "error: `Ticket` can't cross an edge between two steps",
            EDGE,
            DERIVE,
        ],
    ),
    (
        "future_is_not_send",
        &[
            "error: `fn(u64) -> impl Future<Output = Result<String, loomflow::Error>> {load}` is not a step that takes `_`",
            "label: not a step that takes `_`",
            STEP,
            CAUSES,
        ],
    ),
    (
        // The exact reason, as `CAUSES` promises: rustc's own words, but ours made it say them.
        "step_fn_says_what_is_not_send",
        &[
            "error: future cannot be sent between threads safely",
            "label: has type `Rc<u64>` which is not `Send`",
        ],
    ),
    (
        "synchronous_function",
        &[
            "error: `fn(u64) -> Result<String, loomflow::Error> {load}` is not a step that takes `_`",
            "label: not a step that takes `_`",
            STEP,
            CAUSES,
        ],
    ),
    (
        "without_a_result",
        &[
            "error: `fn(u64) -> impl Future<Output = String> {load}` is not a step that takes `_`",
            "label: not a step that takes `_`",
            STEP,
            CAUSES,
        ],
    ),
    (
        "nothing_is_used",
        &[
            "note: a run does nothing until it is awaited",
            "note: a stream does nothing until it is polled",
            "note: a wrapped step does nothing until it is put where a step goes",
            "note: a chain is made into a workflow by `.build()`",
            "note: a loom is wired by `.build()`",
        ],
    ),
    (
        "two_values",
        &[
            "error: `fn(u64, String) -> impl Future<Output = Result<String, loomflow::Error>> {load}` is not a step that takes `_`",
            STEP,
            CAUSES,
        ],
    ),
    (
        "no_observer",
        &[
            "error: `Watch` isn't an observer",
            "note: implement `Observer`: `fn on_event(&self, event: &Event<'_>)`",
        ],
    ),
    (
        "observer_acts",
        &[
            "error: no method named `note` found for reference `&EffectView` in the current scope",
            "error: no method named `handle` found for reference `&EffectView` in the current scope",
        ],
    ),
    (
        "no_gate",
        &[
            "error: `Decide` isn't a gate",
            "note: implement `Gate`: `fn name(&self) -> &str` and `async fn check(&self, view: &EffectView, effect: &Effect) -> Verdict`",
        ],
    ),
    (
        "no_approver",
        &[
            "error: `Desk` isn't an approver",
            "note: implement `Approver`: `async fn approve(&self, view: &EffectView, effect: &Effect, question: &Question) -> Approval`",
        ],
    ),
    (
        "no_journal",
        &[
            "error: `Keep` isn't a journal",
            "note: implement `Journal`: `claim`, `renew`, `write`, `release`, `answer`, `read`, `runs`, `request_cancel` and `forget`",
        ],
    ),
];

#[test]
fn a_program_that_is_wrong_does_not_compile_and_is_told_why_in_our_words() {
    let said = checked();
    let programs: Vec<&str> = said.keys().map(String::as_str).collect();
    let expected: BTreeMap<_, _> = SAID.iter().copied().collect();
    assert_eq!(programs, expected.keys().copied().collect::<Vec<_>>());
    for (program, lines) in expected {
        for line in lines {
            let said = &said[program];
            assert!(said.contains(*line), "{program}: {line}\nbut: {said:#?}");
        }
    }
}

/// What the compiler says of each program in `tests/ui/`: nothing of one that compiles.
fn checked() -> BTreeMap<String, BTreeSet<String>> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui");
    let programs = package.join("src/bin");
    // Made anew, so that a program that was removed isn't checked any more.
    let _ = fs::remove_dir_all(package.join("src"));
    fs::create_dir_all(&programs).unwrap();
    let mut said = BTreeMap::new();
    for source in fs::read_dir(sources).unwrap() {
        let source = source.unwrap().path();
        fs::copy(&source, programs.join(source.file_name().unwrap())).unwrap();
        let name = source.file_stem().unwrap().to_string_lossy().into_owned();
        said.insert(name, BTreeSet::new());
    }
    write_manifest(&package);
    for message in check(&package) {
        if message["reason"] == "compiler-message" {
            let name = message["target"]["name"].as_str().unwrap();
            collect(&message["message"], said.get_mut(name).unwrap());
        }
    }
    said
}

/// The package stands outside of the workspace, with the same versions of everything.
fn write_manifest(package: &Path) {
    let loomflow = env!("CARGO_MANIFEST_DIR");
    let manifest = format!(
        "[package]\nname = \"ui\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nloomflow = {{ path = {loomflow:?} }}\n\n[workspace]\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    let lock = Path::new(loomflow).join("../../Cargo.lock");
    fs::copy(lock, package.join("Cargo.lock")).unwrap();
}

/// What `cargo check` reports, one message a line.
fn check(package: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--bins", "--keep-going", "--quiet"])
        .arg("--message-format=json")
        .arg("--target-dir")
        .arg(package.join("target"))
        .current_dir(package)
        // Lints and flags of whoever runs the tests are none of the programs'.
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let reports = String::from_utf8(output.stdout).unwrap();
    let problems = String::from_utf8_lossy(&output.stderr);
    let finished = reports.lines().any(|it| it.contains("build-finished"));
    assert!(finished, "cargo couldn't check anything: {problems}");
    let messages = reports.lines().map(serde_json::from_str);
    messages.collect::<Result<_, _>>().unwrap()
}

/// The lines of an error: what it is, what it marks, what it notes.
fn collect(message: &Value, lines: &mut BTreeSet<String>) {
    let level = message["level"].as_str().unwrap();
    lines.insert(format!("{level}: {}", message["message"].as_str().unwrap()));
    for span in message["spans"].as_array().unwrap() {
        if let Some(label) = span["label"].as_str() {
            lines.insert(format!("label: {label}"));
        }
    }
    for child in message["children"].as_array().unwrap() {
        collect(child, lines);
    }
}
