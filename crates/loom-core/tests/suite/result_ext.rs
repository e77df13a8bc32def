//! `ResultExt` says of a foreign error what it is, and relabels nothing but plain failures.

use std::error::Error as _;

use futures::executor::block_on;
use loom_core::{Error, ErrorKind, Result, ResultExt, RunContext};

use crate::recorded::recorded;
use crate::steps::fail;

fn number(text: &str) -> Result<u64, std::num::ParseIntError> {
    text.parse()
}

#[test]
fn what_succeeds_stays_as_it_is() {
    assert_eq!(number("7").context("reading").unwrap(), 7);
    assert_eq!(number("7").invalid().unwrap(), 7);
    assert_eq!(number("7").upstream().unwrap(), 7);
}

#[test]
fn a_foreign_error_becomes_the_source_of_one_of_its_kind() {
    let table = [
        (number("x").context("reading"), ErrorKind::Failed, true),
        (
            number("x").invalid().context("reading"),
            ErrorKind::Invalid,
            false,
        ),
        (
            number("x").upstream().context("reading"),
            ErrorKind::Upstream,
            true,
        ),
        (
            number("x").context("reading").invalid(),
            ErrorKind::Invalid,
            false,
        ),
        (
            number("x").invalid().upstream().context("reading"),
            ErrorKind::Upstream,
            true,
        ),
        (
            number("x").upstream().invalid().context("reading"),
            ErrorKind::Invalid,
            false,
        ),
    ];
    for (result, kind, retryable) in table {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable));
        assert_eq!(error.message(), "reading: invalid digit found in string");
        let source = error.source().unwrap();
        assert!(source.downcast_ref::<std::num::ParseIntError>().is_some());
    }
}

#[test]
fn contexts_stand_before_each_other_and_the_path_before_all() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        let inner = cx.step("inner", &fail, text).await;
        inner.context("paying").context("refunding")
    }
    let (_, session) = recorded();
    let error = block_on(session.run(&root, "go")).unwrap_err();
    assert_eq!(error.to_string(), "root/inner: refunding: paying: broken");
    assert_eq!(error.path(), Some("root/inner"));
}

#[test]
fn an_error_of_ours_inside_a_box_stays_ours() {
    let boxed: loom_core::BoxError = Box::new(Error::new(ErrorKind::Denied, "no"));
    let error = Err::<(), _>(boxed).context("asking").unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Denied, "asking: no")
    );
}

#[test]
fn only_a_plain_failure_is_relabelled_and_only_some_kinds_are_ever_retried() {
    let table = [
        (ErrorKind::Failed, true, true),
        (ErrorKind::Upstream, true, true),
        (ErrorKind::Timeout, true, true),
        (ErrorKind::Invalid, true, false),
        (ErrorKind::Denied, false, false),
        (ErrorKind::Panicked, false, false),
        (ErrorKind::LimitReached, false, false),
        (ErrorKind::Stopped, false, false),
    ];
    for (kind, relabelled, retried) in table {
        let of = |label, otherwise| if relabelled { label } else { otherwise };
        let upstream = Err::<(), _>(Error::new(kind, "x")).upstream().unwrap_err();
        assert_eq!(upstream.kind(), of(ErrorKind::Upstream, kind));
        assert_eq!(upstream.is_retryable(), relabelled, "{kind:?}");
        let invalid = Err::<(), _>(Error::new(kind, "x")).invalid().unwrap_err();
        assert_eq!(invalid.kind(), of(ErrorKind::Invalid, kind));
        assert!(!invalid.is_retryable(), "{kind:?}");
        let told = Error::new(kind, "x").retryable(true);
        assert_eq!(told.is_retryable(), retried, "{kind:?}");
        assert!(!told.retryable(false).is_retryable(), "{kind:?}");
    }
}
