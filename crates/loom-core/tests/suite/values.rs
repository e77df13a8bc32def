//! A value is what JSON brings back, or it is refused where it is written, by its place.

use std::collections::BTreeMap;

use futures::executor::block_on;
use loom_core::{Data, ErrorKind, Look, Loom, MemoryJournal, Result, RunContext};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Number, Value, json};

use crate::recorded::{recorded_by, tree};

/// Every form a value may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Form {
    Unit,
    Flag(bool),
    Small(i8),
    Signed(i64),
    Unsigned(u64),
    Real(f64),
    Letter(char),
    Text(String),
    Nothing(()),
    Maybe(Option<Box<Form>>),
    Many(Vec<Form>),
    Pair(Box<Form>, Box<Form>),
    Named { some: Box<Form>, other: Option<u16> },
    Keyed(BTreeMap<String, Form>),
    Counted(BTreeMap<i32, Form>),
    Told(BTreeMap<char, bool>),
    Held(Held),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
    new: New,
    none: Empty,
    #[serde(flatten)]
    rest: BTreeMap<String, Number>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct New(Vec<u8>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Empty;

fn forms() -> impl Strategy<Value = Form> {
    let leaf = prop_oneof![
        Just(Form::Unit),
        Just(Form::Nothing(())),
        Just(Form::Maybe(None)),
        any::<bool>().prop_map(Form::Flag),
        any::<i8>().prop_map(Form::Small),
        any::<i64>().prop_map(Form::Signed),
        any::<u64>().prop_map(Form::Unsigned),
        (proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::SUBNORMAL)
            .prop_map(Form::Real),
        any::<char>().prop_map(Form::Letter),
        any::<String>().prop_map(Form::Text),
        prop::collection::btree_map(any::<char>(), any::<bool>(), 0..4).prop_map(Form::Told),
        (
            any::<Option<u8>>(),
            any::<Vec<u8>>(),
            prop::collection::btree_map("[x-z]{1,3}", any::<i64>().prop_map(Number::from), 0..3)
        )
            .prop_map(|(left_out, new, rest)| {
                Form::Held(Held {
                    left_out,
                    new: New(new),
                    none: Empty,
                    rest,
                })
            }),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let some = || inner.clone().prop_map(Box::new);
        prop_oneof![
            some().prop_map(|it| Form::Maybe(Some(it))),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Form::Many),
            (some(), some()).prop_map(|(a, b)| Form::Pair(a, b)),
            (some(), any::<Option<u16>>()).prop_map(|(some, other)| Form::Named { some, other }),
            prop::collection::btree_map(any::<String>(), inner.clone(), 0..4).prop_map(Form::Keyed),
            prop::collection::btree_map(any::<i32>(), inner.clone(), 0..4).prop_map(Form::Counted),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_is_as_long_as_its_json_and_comes_back(form in forms()) {
        let json = serde_json::to_string(&form).unwrap();
        prop_assert_eq!(Data::json_bytes(&form).unwrap(), json.len() as u64);
        let value = form.to_value().unwrap();
        prop_assert_eq!(Data::json_bytes(&value).unwrap(), value.to_string().len() as u64);
        prop_assert_eq!(Form::from_value(value).unwrap(), form);
    }
}

#[derive(Serialize, Deserialize)]
struct Report {
    totals: Vec<Total>,
    size: Option<Option<u8>>,
    by_name: BTreeMap<String, Total>,
    kind: Rating,
}

#[derive(Clone, Serialize, Deserialize)]
struct Total {
    rate: f64,
}

#[derive(Serialize, Deserialize)]
enum Rating {
    None,
    One(f32),
    Two(f64, f64),
    Named { stars: f64 },
}

fn report() -> Report {
    Report {
        totals: vec![Total { rate: 0.5 }; 4],
        size: None,
        by_name: BTreeMap::new(),
        kind: Rating::None,
    }
}

/// What is said of a value, after the words that are always the same.
fn said<T: Data>(value: &T) -> String {
    let error = value.to_value().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let counted = Data::json_bytes(value).unwrap_err();
    let looked = Look::look(value).unwrap_err();
    assert_eq!([counted.message(), looked.message()], [error.message(); 2]);
    let said = error
        .message()
        .strip_prefix("can't write the value as JSON: ");
    said.unwrap().to_owned()
}

#[test]
fn a_number_that_json_cant_hold_is_named_by_its_place() {
    let mut it = report();
    it.totals[3].rate = f64::NAN;
    assert_eq!(said(&it), "JSON can't hold NaN, at `totals[3].rate`");
    it = report();
    it.by_name.insert(
        "per cent".into(),
        Total {
            rate: f64::INFINITY,
        },
    );
    assert_eq!(
        said(&it),
        r#"JSON can't hold inf, at `by_name["per cent"].rate`"#
    );
    it = report();
    it.kind = Rating::One(f32::NEG_INFINITY);
    assert_eq!(said(&it), "JSON can't hold -inf, at `kind.One`");
    it.kind = Rating::Two(0.0, f64::NAN);
    assert_eq!(said(&it), "JSON can't hold NaN, at `kind.Two[1]`");
    it.kind = Rating::Named { stars: f64::NAN };
    assert_eq!(said(&it), "JSON can't hold NaN, at `kind.Named.stars`");
    assert_eq!(said(&f32::NAN), "JSON can't hold NaN");
    assert_eq!(said(&Some(1.0 / 0.0)), "JSON can't hold inf");
}

#[test]
fn a_some_that_comes_back_as_none_is_named_by_its_place() {
    let mut it = report();
    it.size = Some(None);
    assert_eq!(
        said(&it),
        "a `Some` of what JSON writes as null is read back as `None`, at `size`"
    );
    assert_eq!(
        said(&Some(())),
        "a `Some` of what JSON writes as null is read back as `None`"
    );
    assert_eq!(
        said(&Some(Empty)),
        "a `Some` of what JSON writes as null is read back as `None`"
    );
    let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
    let raw_null = Some(raw("null"));
    assert_eq!(
        said(&raw_null),
        "a `Some` of what JSON writes as null is read back as `None`"
    );
    assert_eq!(Some(Some(3)).to_value().unwrap(), 3);
    assert_eq!(vec![None, Some(1)].to_value().unwrap(), json!([null, 1]));
}

#[test]
fn keys_that_arent_text_are_invalid_and_their_map_is_named() {
    let keyed = BTreeMap::from([("inner", BTreeMap::from([((1, 2), 3)]))]);
    let keyed = keyed.into_iter().map(|(k, v)| (k.to_owned(), v));
    let keyed: BTreeMap<String, BTreeMap<(i32, i32), i32>> = keyed.collect();
    assert_eq!(
        said(&keyed),
        r#"key must be a string, at `["inner"][[1,2]]`"#
    );
}

#[test]
fn raw_json_numbers_and_fields_with_a_writer_of_their_own_are_written_as_ever() {
    fn exact<S: Serializer>(rate: &f64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(rate)
    }
    fn read<'de, D: serde::Deserializer<'de>>(it: D) -> std::result::Result<f64, D::Error> {
        let text = String::deserialize(it)?;
        text.parse().map_err(serde::de::Error::custom)
    }
    #[derive(Serialize, Deserialize)]
    struct Own {
        #[serde(serialize_with = "exact", deserialize_with = "read")]
        rate: f64,
        raw: Option<Box<RawValue>>,
        number: Number,
    }
    let raw = RawValue::from_string(r#"{"a" : [1, "\u00e9"]}"#.to_owned()).unwrap();
    let own = Own {
        rate: f64::NAN,
        raw: Some(raw),
        number: 7.into(),
    };
    let json = serde_json::to_string(&own).unwrap();
    assert_eq!(Data::json_bytes(&own).unwrap(), json.len() as u64);
    let value = own.to_value().unwrap();
    assert_eq!(
        value,
        json!({"rate": "NaN", "raw": {"a": [1, "é"]}, "number": 7})
    );
    assert!(Own::from_value(value).unwrap().rate.is_nan());
}

#[derive(Serialize, Deserialize)]
enum Deep {
    End,
    Not { inner: Box<Deep> },
}

#[test]
fn a_value_is_nested_at_most_128_levels() {
    let nest = |levels| (0..levels).fold(Value::Null, |it, _| json!([it]));
    assert_eq!(Data::json_bytes(&nest(128)).unwrap(), 4 + 2 * 128);
    assert_eq!(said(&nest(129)), "it is nested deeper than 128 levels");
    // JSON writes a variant's fields as an object in an object.
    let deep = |levels| {
        (0..levels).fold(Deep::End, |inner, _| Deep::Not {
            inner: Box::new(inner),
        })
    };
    assert!(Data::json_bytes(&deep(64)).is_ok());
    assert_eq!(said(&deep(65)), "it is nested deeper than 128 levels");
}

#[test]
fn c05_c06_a_step_whose_output_json_cant_bring_back_fails_where_it_is_recorded() {
    async fn infinite(_: ()) -> Result<Option<f64>> {
        Ok(Some(1.0 / 0.0))
    }
    async fn rate(_: ()) -> Result<f64> {
        Ok(f64::NAN)
    }
    async fn size(_: ()) -> Result<Option<Option<u8>>> {
        Ok(Some(None))
    }
    async fn all(cx: RunContext, step: u8) -> Result<String> {
        Ok(match step {
            0 => format!("{:?}", cx.step("infinite", &infinite, ()).await?),
            1 => format!("{:?}", cx.step("rate", &rate, ()).await?),
            _ => format!("{:?}", cx.step("size", &size, ()).await?),
        })
    }
    let expected = [
        ("infinite", "JSON can't hold inf", "Some(inf)"),
        ("rate", "JSON can't hold NaN", "NaN"),
        (
            "size",
            "a `Some` of what JSON writes as null is read back as `None`",
            "Some(None)",
        ),
    ];
    for (step, (name, why, shown)) in (0u8..).zip(expected) {
        let journal = MemoryJournal::default();
        let (recorder, session) = recorded_by(Loom::builder().journal(journal));
        let error = block_on(session.run(&all, step)).unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert!(error.message().ends_with(why), "{error}");
        assert_eq!(
            tree(&recorder)[1],
            format!("  loom.workflow.step {name} ✗ failed")
        );
        // Without a journal nobody needs it as JSON.
        let unrecorded = Loom::builder().build().session("alice");
        assert_eq!(block_on(unrecorded.run(&all, step)).unwrap().output, shown);
    }
}
