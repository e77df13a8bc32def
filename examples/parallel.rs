//! Steps beside each other: a tuple whose outputs keep their types, a list that a step merges, and
//! branches of which one fails without ending the other.
//!
//! ```text
//! cargo run --example parallel [-- TEXT]
//! ```

use std::collections::BTreeSet;

use loomflow::{Error, Loom, Result, Settled, Settling, Workflow, branch};

async fn words(text: String) -> Result<usize> {
    Ok(text.split_whitespace().count())
}

async fn longest(text: String) -> Result<String> {
    let longest = text.split_whitespace().max_by_key(|it| it.len());
    Ok(longest.unwrap_or_default().to_owned())
}

async fn letters(text: String) -> Result<BTreeSet<char>> {
    Ok(text.chars().filter(|it| it.is_alphabetic()).collect())
}

async fn in_english(text: String) -> Result<bool> {
    Ok(text.split_whitespace().any(|it| it == "the" || it == "a"))
}

async fn in_latin(_: String) -> Result<bool> {
    Err(Error::invalid("nobody here reads Latin"))
}

async fn count(votes: Vec<bool>) -> Result<String> {
    let yes = votes.iter().filter(|it| **it).count();
    Ok(format!("{yes} of {} judges are content", votes.len()))
}

async fn is_a_sentence(text: String) -> Result<bool> {
    Ok(text.ends_with(['.', '!', '?']))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let text = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "the shuttle flies and a loom flows".to_owned());
    let session = Loom::builder().build().session("alice");

    // A tuple gives a tuple: three types in, three types out, checked by the compiler.
    let facts = Workflow::chain("facts")
        .parallel((words, longest, letters))
        .map(|(words, longest, letters)| {
            let letters = letters.len();
            format!("{words} words of {letters} letters, the longest {longest:?}")
        })
        .build();
    println!("{}", session.run(&facts, text.as_str()).await?.output);

    // A list may be as long as wanted; `branch` makes one type of several kinds of steps.
    let judges = vec![branch(in_english), branch(is_a_sentence)];
    let vote = Workflow::chain("vote")
        .parallel_merged(judges, count)
        .build();
    println!("{}", session.run(&vote, text.as_str()).await?.output);

    // Settled, each branch comes to its own end; otherwise the failure would cancel the other.
    let both = Workflow::chain("languages")
        .parallel((in_english, in_latin).settle())
        .build();
    let (english, latin) = session.run(&both, text.as_str()).await?.output;
    println!("English: {english:?}");
    if let Settled::Failed { kind, message } = latin {
        println!("Latin: {kind}, {message}");
    }
    Ok(())
}
