//! A dag: a node takes what other nodes give and begins as soon as all of it is there. The handles
//! are typed, so a node that takes the wrong thing doesn't compile, and a cycle can't be written.
//!
//! ```text
//! cargo run --example dag [-- TEXT]
//! ```

use loomflow::{Dag, Loom, Result, Workflow};

async fn sentences(text: String) -> Result<Vec<String>> {
    let parts = text.split(['.', '!', '?']).map(str::trim);
    Ok(parts
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect())
}

async fn words(text: String) -> Result<usize> {
    Ok(text.split_whitespace().count())
}

async fn headline(sentences: Vec<String>) -> Result<String> {
    let shortest = sentences.into_iter().min_by_key(String::len);
    Ok(shortest.unwrap_or_else(|| "nothing said".to_owned()))
}

async fn pace((sentences, words): (Vec<String>, usize)) -> Result<usize> {
    Ok(words / sentences.len().max(1))
}

async fn report((headline, pace): (String, usize)) -> Result<String> {
    Ok(format!("{headline}: {pace} words a sentence"))
}

/// The dag. `sentences` and `words` run beside each other, and so do `headline` and `pace`;
/// `headline` doesn't wait for `words`.
fn review() -> Result<Workflow<String, String>> {
    let (mut dag, text) = Dag::<String>::new("review");
    // At most two bodies at a time; a node that is ready waits for a place.
    dag.concurrency_max(2);
    let sentences = dag.node("sentences", text, sentences);
    let words = dag.node("words", text, words);
    let headline = dag.node("headline", sentences, headline);
    let pace = dag.node("pace", (sentences, words), pace);
    let report = dag.node("report", (headline, pace), report);
    dag.output(report)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let text = std::env::args().nth(1).unwrap_or_else(|| {
        "Warp threads are held tight. The weft goes over and under them. It holds!".to_owned()
    });
    let review = review()?;
    let outcome = Loom::builder()
        .build()
        .session("alice")
        .run(&review, text)
        .await?;
    println!("{}", outcome.output);
    println!();
    // Paste it where Mermaid is drawn.
    print!("{}", review.drawing().mermaid());
    Ok(())
}
