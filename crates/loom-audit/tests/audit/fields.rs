//! Every field of every entry, edited in every way by somebody who has no key.

use std::fmt;

use loom_audit::{Audit, Expected, Verdict, verify};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::composed::{composed_log, fixed_key};
use crate::resumed::resumed_log;

/// A field's key, and its value as it is spelled.
type Field = (String, String);

/// An object's fields in their order, repeats kept.
#[derive(Clone)]
struct Fields(Vec<Field>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push((key, value.get().to_owned()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Fields {
    fn of(object: &str) -> Self {
        serde_json::from_str(object).unwrap()
    }

    fn spelled(&self) -> String {
        let fields: Vec<String> = self
            .0
            .iter()
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    }
}

/// Other values and other spellings of a value.
fn changed(value: &str) -> Vec<String> {
    let mut others = vec![
        "null".to_owned(),
        "7777".to_owned(),
        "\"\"".to_owned(),
        "true".to_owned(),
        "false".to_owned(),
        "{}".to_owned(),
        format!(" {value}"),
        format!("{value} "),
    ];
    if let Some(text) = value.strip_prefix('"') {
        let (first, rest) = text.split_at(1);
        others.push(format!("\"x{text}"));
        others.push(format!("\"\\u{:04x}{rest}", u32::from(first.as_bytes()[0])));
        others.push(value.to_uppercase());
        others.push(value.replace(['a', '1'], "2"));
        others.push(value.replace("alice", "bob"));
    } else if value.starts_with('{') {
        others.push(value.replacen('{', "{\"extra\":1,", 1));
        others.push(value.replacen(':', ": ", 1));
        others.push(value.replacen('2', "3", 1));
    } else {
        others.push(format!("{value}.0"));
        others.push(format!("0{value}"));
        others.push(format!("{value}e0"));
        others.push(format!("-{value}"));
    }
    others.retain(|other| other != value);
    others
}

/// Each way to edit one line, in words and as the line it makes.
fn edits(line: &str) -> Vec<(String, String)> {
    let fields = Fields::of(line);
    let mut edits = Vec::new();
    let mut edit = |what: String, edit: &dyn Fn(&mut Vec<Field>)| {
        let mut edited = fields.clone();
        edit(&mut edited.0);
        edits.push((what, edited.spelled()));
    };
    for (at, (key, value)) in fields.0.iter().enumerate() {
        for other in changed(value) {
            edit(format!("{key} changed to {other}"), &|it| {
                it[at].1.clone_from(&other);
            });
        }
        edit(format!("{key} renamed"), &|it| it[at].0.push('x'));
        edit(format!("{key} removed"), &|it| {
            it.remove(at);
        });
        edit(format!("{key} doubled"), &|it| {
            it.insert(at, it[at].clone());
        });
        for to in (0..fields.0.len()).filter(|to| *to != at) {
            edit(format!("{key} moved to {to}"), &|it| {
                let field = it.remove(at);
                it.insert(to, field);
            });
        }
    }
    for (at, extra) in (0..=fields.0.len())
        .flat_map(|at| ["extra", "by", "why", "user", "mac"].map(|extra| (at, extra)))
    {
        let added = (extra.to_owned(), "\"mallory\"".to_owned());
        edit(format!("{extra} added at {at}"), &|it| {
            it.insert(at, added.clone());
        });
    }
    edits
}

/// How many edits there are of a log's lines, and those of them that aren't seen, with an anchor
/// and without.
fn unseen(audit: &Audit) -> (usize, Vec<String>) {
    let anchored = [Expected::from(audit.anchor())];
    let mut unseen = Vec::new();
    let mut count = 0;
    let lines = audit.lines();
    for (index, line) in lines.iter().enumerate() {
        for (what, edited) in edits(line) {
            // A last line that is no JSON any more may as well be what a crash left of it.
            let may_be_torn =
                index + 1 == lines.len() && serde_json::from_str::<Value>(&edited).is_err();
            let mut lines = lines.clone();
            lines[index] = edited;
            let log = lines.join("\n") + "\n";
            for anchors in [&anchored[..], &[]] {
                let verdict = verify(log.as_bytes(), &[fixed_key()], anchors).verdict;
                count += 1;
                let is_torn = may_be_torn && anchors.is_empty() && verdict == Verdict::Torn;
                if verdict.exit_code() != 1 && !is_torn {
                    let anchors = anchors.len();
                    unseen.push(format!("line {}: {what}: {verdict} ({anchors})", index + 1));
                }
            }
        }
    }
    (count, unseen)
}

fn check_every_edit_is_seen(audit: &Audit) {
    let (count, missed) = unseen(audit);
    assert_eq!(missed, Vec::<String>::new());
    assert!(count > 1000 * audit.lines().len(), "{count} edits");
}

#[test]
fn f025_f027_every_field_of_every_entry_changed_added_doubled_moved_or_removed_is_seen() {
    check_every_edit_is_seen(&composed_log());
}

#[test]
fn f025_f027_the_same_of_a_run_that_paused_and_was_gone_on_with() {
    check_every_edit_is_seen(&resumed_log().0);
}

#[test]
fn the_header_of_a_row_has_its_fields_in_this_order() {
    let (audit, resumed) = (composed_log(), resumed_log().0);
    let fields_of = |audit: &Audit, index: usize| {
        let keys = Fields::of(&audit.lines()[index])
            .0
            .into_iter()
            .map(|it| it.0);
        keys.collect::<Vec<_>>().join(" ")
    };
    let fields = |index| fields_of(&audit, index);
    let seal = "prev ph mac salt payload";
    assert_eq!(fields(0), format!("v log seq ds ts kind {seal}"));
    assert_eq!(
        fields(1),
        format!("v log seq ds ts kind run user sess actor action name trace span {seal}")
    );
    assert_eq!(
        fields(13),
        format!(
            "v log seq ds ts kind run prun user sess actor action name end trace span pspan {seal}"
        )
    );
    assert_eq!(
        fields_of(&resumed, 13),
        format!(
            "v log seq ds ts kind run user by sess actor action name end replayed trace span pspan {seal}"
        )
    );
}
