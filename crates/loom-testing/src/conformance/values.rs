//! Keys are kept apart, and values come back to the byte.

use loom_core::{Journal, Record, Released, Result, RunStatus, SlotKey, SlotKind};
use serde_json::{Value, json};

use super::{begin, head, put, record, records, run, same};

const KINDS: [SlotKind; 7] = [
    SlotKind::Run,
    SlotKind::Definition,
    SlotKind::Intent,
    SlotKind::Output,
    SlotKind::Question,
    SlotKind::Answer,
    SlotKind::Timer,
];

/// Paths that a careless store takes for one another, or can't store.
const PATHS: [&str; 14] = [
    "",
    "a",
    "A",
    "a ",
    "a/b",
    "a%2Fb",
    "a%",
    "a_",
    "a#2",
    "'a\"; --",
    "\u{e9}",
    "e\u{301}",
    "turn:1/tool:search[\u{1f9f6}]",
    "NULL",
];

pub(super) async fn every_slot_is_kept_apart<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let mut written = Vec::new();
    for kind in KINDS {
        for path in PATHS {
            let value = json!(format!("{} at {path:?}", kind.as_str()));
            written.push(record(kind, path, value));
        }
        let long = "segment/".repeat(256);
        written.push(record(kind, &long, json!(kind.as_str())));
    }
    written.sort_by(|left, right| left.key.cmp(&right.key));
    let begun = head(&run, 1, RunStatus::Open);
    let lease = begin(journal, &run, begun, written.clone()).await?;
    for record in &written {
        let found = journal.read(&run, &record.key).await?;
        let what = format!("the record {:?}", record.key);
        same(&what, found, Some((*record.value).clone()))?;
    }
    let missing = SlotKey::new(SlotKind::Output, "missing");
    let found = journal.read(&run, &missing).await?;
    same("a record that was never written", found, None)?;
    let found = journal.read(&super::run("unknown")?, &missing).await?;
    same("a record of an unknown run", found, None)?;
    journal.release(&lease, Released::Dropped);
    same("the records", records(journal, &run).await?, written)
}

pub(super) async fn values_come_back<J: Journal>(journal: &J) -> Result<()> {
    let run = run("r")?;
    let values: Vec<Record> = values()
        .into_iter()
        .enumerate()
        .map(|(i, value)| record(SlotKind::Output, &format!("value_{i:02}"), value))
        .collect();
    let head = head(&run, 1, RunStatus::Open);
    put(journal, head, &run, values.clone(), Released::Dropped).await?;
    for written in &values {
        let found = journal.read(&run, &written.key).await?;
        let found = found.map(|value| value.to_string());
        let expected = Some(written.value.to_string());
        same("the text of a value that is read", found, expected)?;
    }
    let text = |it: Record| it.value.to_string();
    let found: Vec<String> = records(journal, &run)
        .await?
        .into_iter()
        .map(text)
        .collect();
    let expected: Vec<String> = values.into_iter().map(text).collect();
    same("the texts of the values of a claim", found, expected)
}

fn values() -> Vec<Value> {
    let mut deep = json!(1);
    for _ in 0..60 {
        deep = json!({"down": [deep]});
    }
    let all_chars: String = (0..0x250u32).filter_map(char::from_u32).collect();
    vec![
        json!(null),
        json!(false),
        json!(0),
        json!(-0.0),
        json!(0.0),
        json!(1),
        json!(1.0),
        json!(u64::MAX),
        json!(i64::MIN),
        json!((1u64 << 53) + 1),
        json!(0.1),
        json!(0.1 + 0.2),
        json!(f64::MAX),
        json!(f64::MIN_POSITIVE),
        json!(5e-324),
        json!(1e21),
        json!(""),
        json!("null"),
        json!(all_chars),
        json!("\u{2028}\u{2029}\u{feff}\u{fffd}\u{ffff}\u{10ffff}\u{1f469}\u{200d}\u{1f680}"),
        json!("\u{e9} e\u{301} \\u0041 \\\" </script>"),
        json!("x".repeat(1 << 20)),
        json!([]),
        json!({}),
        json!({"": {"": []}, "b": 1, "B": 2, "a": null, "\u{0}": "\u{0}"}),
        json!([[], {}, null, [null]]),
        deep,
    ]
}
