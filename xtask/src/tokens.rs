//! Rust source as one flat run of tokens, so that code inside macro calls is seen too.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::failure::{Failure, Outcome};

/// One token and the line it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

pub(crate) fn parse(path: &str, source: &str) -> Outcome<Vec<Token>> {
    let stream: TokenStream = source
        .parse()
        .map_err(|error| Failure::new(format!("{path}: cannot be read as Rust: {error}")))?;
    Ok(flat(stream))
}

/// Every token of the stream; a group gives its brackets and what is between them.
pub(crate) fn flat(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    push_all(stream, &mut tokens);
    tokens
}

fn push_all(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                tokens.push(Token {
                    text: open.into(),
                    line: group.span_open().start().line,
                });
                push_all(group.stream(), tokens);
                tokens.push(Token {
                    text: close.into(),
                    line: group.span_close().start().line,
                });
            }
            TokenTree::Ident(it) => tokens.push(Token {
                line: it.span().start().line,
                text: it.to_string(),
            }),
            TokenTree::Punct(it) => tokens.push(Token {
                line: it.span().start().line,
                text: it.to_string(),
            }),
            TokenTree::Literal(it) => tokens.push(Token {
                line: it.span().start().line,
                text: it.to_string(),
            }),
        }
    }
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}
