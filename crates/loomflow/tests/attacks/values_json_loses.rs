//! Attacks by values that a journal can't keep: JSON loses them, or they panic when they are written.

use std::collections::{BTreeMap, HashMap};

use loomflow::{Error, ErrorKind, RunContext, step};

use crate::support_a::{Hostile, check_record, fallback, over_journal, paths, run_id};

#[tokio::test(start_paused = true)]
async fn what_json_cant_bring_back_is_refused_by_the_step_that_returned_it() {
    type Nested = (u8, Option<Option<u8>>);
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    enum Odd {
        Nan(f64),
        Nested(Vec<HashMap<String, Nested>>),
        Single(f32),
        Boxed(Option<Box<Option<()>>>),
        Unit(Option<()>),
    }
    let odd = [
        Odd::Nan(f64::NAN),
        Odd::Nan(f64::NEG_INFINITY),
        Odd::Nested(vec![HashMap::from([("x".to_owned(), (1, Some(None)))])]),
        Odd::Single(f32::INFINITY),
        Odd::Boxed(Some(Box::new(None))),
        Odd::Unit(Some(())),
    ];
    for value in odd {
        let ok = value.clone();
        let make = move |_: u64| {
            let value = value.clone();
            async move { Ok::<_, Error>(value) }
        };
        let body = step(move |cx: RunContext, n: u64| {
            let make = make.clone();
            async move {
                let made = cx.step("make", &make, n).await?;
                let _: bool = cx.ask("sure", "?").await?;
                Ok::<_, Error>(made)
            }
        })
        .named("body");
        let (session, recorder) = over_journal(&Hostile::honest());
        let ended = session.run(&body, 1u64).await.unwrap_err();
        check_record(&recorder.events());
        assert_eq!(ended.error().kind(), ErrorKind::Invalid, "{ok:?}: {ended}");
        assert_eq!(ended.path(), Some("body/make"), "{ok:?}");
    }
    // These look odd and come back.
    let fine: (BTreeMap<u8, i128>, Option<u8>, char) = (BTreeMap::from([(3, -1)]), None, '\u{0}');
    let told = fine.clone();
    let body = step(move |cx: RunContext, n: u64| {
        let fine = fine.clone();
        let make = move |_: u64| {
            let fine = fine.clone();
            async move { Ok::<_, Error>(fine) }
        };
        async move {
            let made = cx.step("make", &make, n).await?;
            let _: bool = cx.ask("sure", "?").await?;
            Ok::<_, Error>(made)
        }
    })
    .named("body");
    let (session, _) = over_journal(&Hostile::honest());
    let paused = session.run(&body, 1u64).await.unwrap_err();
    session
        .answer(&run_id(&paused), &paths(&paused)[0], true)
        .await
        .unwrap();
    assert_eq!(
        session
            .resume(&run_id(&paused), &body)
            .await
            .unwrap()
            .output,
        told
    );
}

#[tokio::test(start_paused = true)]
async fn a_value_whose_serialize_panics_fails_its_own_step_only() {
    #[derive(Clone, Debug)]
    struct Bomb;
    impl serde::Serialize for Bomb {
        fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            panic!("a bomb");
        }
    }
    impl<'de> serde::Deserialize<'de> for Bomb {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> std::result::Result<Self, D::Error> {
            Ok(Bomb)
        }
    }
    let body = step(|cx: RunContext, n: u64| async move {
        let make = |_: u64| async { Ok::<_, Error>(Bomb) };
        let bomb = cx.step("bomb", &make, n).await.unwrap_err();
        assert_eq!(bomb.kind(), ErrorKind::Panicked, "{bomb}");
        cx.step("spare", &fallback, n).await
    })
    .named("body");
    let (session, recorder) = over_journal(&Hostile::honest());
    assert_eq!(session.run(&body, 1u64).await.unwrap().output, 999);
    check_record(&recorder.events());
}
