//! A small crate in a folder of its own, and the lines it gives.

use super::*;

/// The listing of a crate made of these files.
fn listed(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        crate::workspace::write(&folder.path().join(name), text).unwrap();
    }
    let text = listing("tiny", &folder.path().join("lib.rs")).unwrap();
    text.lines().map(String::from).collect()
}

#[test]
fn public_items_are_listed_and_private_ones_are_not() {
    let lines = listed(&[(
        "lib.rs",
        "pub const LIMIT: u32 = 8;
         pub(crate) const HIDDEN: u32 = 9;
         const OWN: u32 = 9;
         pub type Short = std::result::Result<u8, String>;
         pub async fn run<I: Send>(cx: &str, mut input: I) -> Result<I, String> where I: Sync { Ok(input) }
         #[cfg(test)] mod tests { pub fn never() {} }
         #[cfg(feature = \"audit\")] pub fn audited() {}
         #[doc(hidden)] pub fn quiet() {}
         #[macro_export] macro_rules! weave { () => {} }",
    )]);
    assert_eq!(
        lines,
        [
            "#[cfg(feature = \"audit\")] pub fn tiny::audited()",
            "#[doc(hidden)] pub fn tiny::quiet()",
            "pub async fn tiny::run<I: Send>(cx: &str, input: I) -> Result<I, String> where I: Sync",
            "pub const tiny::LIMIT: u32",
            "pub macro tiny::weave!",
            "pub type tiny::Short = std::result::Result<u8, String>",
        ]
    );
}

#[test]
fn structs_and_enums_show_their_public_parts() {
    let lines = listed(&[(
        "lib.rs",
        "#[non_exhaustive] #[derive(Clone, Debug)] pub struct Outcome<O> where O: Send { pub output: O, secret: u8 }
         pub struct Id(pub String, u8);
         /// Doc.
         #[non_exhaustive] pub enum Ending { Completed, Cancelled { why: Why }, Failed(String, u8) }
         pub union Bits { a: u8 }",
    )]);
    assert_eq!(
        lines,
        [
            "#[non_exhaustive] pub enum tiny::Ending",
            "#[non_exhaustive] pub struct tiny::Outcome<O> where O: Send",
            "impl Clone + Debug for tiny::Outcome (derived)",
            "pub field tiny::Id::0: String",
            "pub field tiny::Outcome::output: O",
            "pub struct tiny::Id",
            "pub variant tiny::Ending::Cancelled { why: Why }",
            "pub variant tiny::Ending::Completed",
            "pub variant tiny::Ending::Failed(String, u8)",
        ]
    );
}

#[test]
fn a_trait_shows_its_items_and_what_may_be_left_out() {
    let lines = listed(&[(
        "lib.rs",
        "pub trait Runnable<I>: Send + Sync + 'static {
             type Out: Send + 'static;
             const NAME: &'static str;
             fn run(&self, cx: &Context, input: I)
                 -> impl Future<Output = Result<Self::Out, AVeryLongErrorName<WithArguments, AndMoreArguments>>> + Send;
             fn info(&self) -> Info { Info }
         }",
    )]);
    assert_eq!(
        lines,
        [
            "pub const tiny::Runnable::NAME: &'static str",
            "pub fn tiny::Runnable::info(&self) -> Info { .. }",
            "pub fn tiny::Runnable::run(&self, cx: &Context, input: I) -> impl Future<Output = Result<Self::Out, \
             AVeryLongErrorName<WithArguments, AndMoreArguments>>> + Send",
            "pub trait tiny::Runnable<I>: Send + Sync + 'static",
            "pub type tiny::Runnable::Out: Send + 'static",
        ]
    );
}

#[test]
fn a_re_export_gives_a_private_modules_item_its_public_path() {
    let lines = listed(&[
        (
            "lib.rs",
            "mod door; mod each; pub use door::{Effect as Act, inner::*}; pub use each::each; pub mod open;",
        ),
        (
            "door.rs",
            "pub mod inner; pub struct Effect; pub struct Unseen; impl Effect { pub fn new() -> Self { Self } }",
        ),
        (
            "door/inner.rs",
            "pub fn deep() {} pub(crate) fn shallow() {} use super::Effect as E; impl E { pub fn far(self) {} }",
        ),
        ("each.rs", "pub fn each() {}"),
        ("open.rs", "pub use crate::door::Effect; pub fn shut() {}"),
    ]);
    assert_eq!(
        lines,
        [
            "pub fn tiny::Act::far(self)",
            "pub fn tiny::Act::new() -> Self",
            "pub fn tiny::deep()",
            "pub fn tiny::each()",
            "pub fn tiny::open::shut()",
            "pub mod tiny::open",
            "pub struct tiny::Act",
            "pub use tiny::open::Effect = tiny::Act",
        ]
    );
}

#[test]
fn what_other_crates_own_is_listed_as_a_re_export() {
    let lines = listed(&[(
        "lib.rs",
        "pub use loom_core::{Session, error::Error as Fault}; #[cfg(feature = \"otel\")] pub use loom_otel as otel;
         pub mod prelude { pub use loom_agent::*; }",
    )]);
    assert_eq!(
        lines,
        [
            "#[cfg(feature = \"otel\")] pub use tiny::otel = loom_otel",
            "pub mod tiny::prelude",
            "pub use tiny::Fault = loom_core::error::Error",
            "pub use tiny::Session = loom_core::Session",
            "pub use tiny::prelude::* = loom_agent::*",
        ]
    );
}

#[test]
fn impls_of_public_types_and_traits_are_listed_and_private_ones_are_not() {
    let lines = listed(&[
        ("lib.rs", "mod step; pub use step::{Step, IntoStep}; struct Own; impl Clone for Own {}"),
        (
            "step.rs",
            "pub struct Step<I, O>(I, O);
             pub trait IntoStep<I> {}
             trait Sealed {}
             impl<I: Send, O> Step<I, O> { pub fn name(&self) -> &str { \"\" } fn own(&self) {} pub const MAX: u8 = 1; }
             impl<I, O> std::fmt::Debug for Step<I, O> where I: Send {}
             impl<F, I> IntoStep<I> for F where F: Fn(I) {}
             impl<I, O> Future for Step<I, O> { type Output = O; fn poll() {} }
             impl<I, O> Sealed for Step<I, O> {}",
        ),
    ]);
    assert_eq!(
        lines,
        [
            "impl<F, I> tiny::IntoStep<I> for F where F: Fn(I)",
            "impl<I, O> Future for tiny::Step<I, O> { type Output = O }",
            "impl<I, O> std::fmt::Debug for tiny::Step<I, O> where I: Send",
            "pub const tiny::Step<I, O>::MAX: u8 (in impl<I: Send, O>)",
            "pub fn tiny::Step<I, O>::name(&self) -> &str (in impl<I: Send, O>)",
            "pub struct tiny::Step<I, O>",
            "pub trait tiny::IntoStep<I>",
        ]
    );
}

#[test]
fn items_of_a_simple_macro_are_listed() {
    let lines = listed(&[
        ("lib.rs", "mod ids; pub use ids::{UserId, Odd};"),
        (
            "ids.rs",
            "macro_rules! text_id {
                 ($(#[$doc:meta])* $id:ident, $what:literal) => {
                     $(#[$doc])* #[derive(Clone)] pub struct $id(String);
                     impl $id { pub fn new(id: &str) -> Self { drop($what); Self(id.into()) } }
                 };
             }
             text_id! {
                 /// A user.
                 UserId, \"user id\"
             }
             macro_rules! odd { ($($many:ident),+) => { $(pub struct $many;)+ } }
             odd! { Odd }",
        ),
    ]);
    assert_eq!(
        lines,
        [
            "impl Clone for tiny::UserId (derived)",
            "pub fn tiny::UserId::new(id: &str) -> Self",
            "pub struct tiny::UserId",
            "pub use tiny::Odd = ids::Odd",
        ]
    );
}

#[test]
fn a_re_export_that_leads_in_a_circle_ends() {
    let lines = listed(&[(
        "lib.rs",
        "pub mod a { pub use super::b::X; } pub mod b { pub use super::a::X; }",
    )]);
    assert_eq!(
        lines,
        [
            "pub mod tiny::a",
            "pub mod tiny::b",
            "pub use tiny::a::X = super::b::X",
            "pub use tiny::b::X = super::a::X"
        ]
    );
}

#[test]
fn a_missing_module_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("lib.rs");
    std::fs::write(&root, "mod gone;").unwrap();
    assert!(
        listing("tiny", &root)
            .unwrap_err()
            .to_string()
            .contains("gone.rs")
    );
}

#[test]
fn a_changed_a_missing_and_a_left_over_file_are_told() {
    let files = |files: &[(&str, &str)]| -> Files {
        files
            .iter()
            .map(|(name, text)| (name.to_string(), text.to_string()))
            .collect()
    };
    let committed = files(&[
        ("api/a.txt", "pub fn a::x()\n"),
        ("api/old.txt", ""),
        ("api/same.txt", "pub mod m\n"),
    ]);
    let found = files(&[
        ("api/a.txt", "pub fn a::y()\n"),
        ("api/new.txt", ""),
        ("api/same.txt", "pub mod m\n"),
    ]);
    let differences = differences(&committed, &found);
    assert_eq!(differences.len(), 3);
    assert!(
        differences[0].ends_with("-pub fn a::x()\n+pub fn a::y()\n"),
        "{}",
        differences[0]
    );
    assert_eq!(
        differences[1..],
        [
            "api/new.txt is missing",
            "api/old.txt belongs to no library crate"
        ]
    );
}
