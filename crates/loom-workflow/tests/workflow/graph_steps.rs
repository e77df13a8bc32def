//! Steps for graphs: text and numbers that say where they have been, after a while.

use std::time::Duration;

use loom_core::{Error, Result, Step};
use loom_workflow::Joined;
use tokio::time::sleep;

/// Adds its name to the text, after this many milliseconds.
pub(crate) fn slow(name: &'static str, ms: u64) -> Step<String, String> {
    Step::new(move |text: String| async move {
        sleep(Duration::from_millis(ms)).await;
        Ok::<_, Error>(format!("{text} {name}"))
    })
}

/// Adds its name to the text.
pub(crate) fn say(name: &'static str) -> Step<String, String> {
    Step::new(move |text: String| async move { Ok::<_, Error>(format!("{text} {name}")) })
}

/// Lists what it is given, each with its source.
pub(crate) async fn list(all: Joined<String>) -> Result<String> {
    let items = all.iter().map(|it| format!("{}: {}", it.source, it.value));
    Ok(format!("[{}]", items.collect::<Vec<_>>().join(", ")))
}

/// Counts how often a word is in the text.
pub(crate) fn count(text: &str, word: &str) -> usize {
    text.split([' ', ',', ':', '[', ']'])
        .filter(|it| *it == word)
        .count()
}
