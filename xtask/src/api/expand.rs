//! Items that a macro call makes, for macros simple enough to be read here.
//!
//! Understood is a `macro_rules!` of one rule whose pattern is single fragments and, for documentation, repeated
//! attributes. Anything richer gives nothing: the compiler alone could tell.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The fragments of a call by the name they have in the rule.
type Fragments = BTreeMap<String, Vec<TokenTree>>;

/// The items with each understood macro call replaced by what it makes.
pub(super) fn expanded(items: Vec<syn::Item>) -> Vec<syn::Item> {
    let mut rules: BTreeMap<String, TokenStream> = BTreeMap::new();
    let mut all = Vec::new();
    for item in items {
        if let syn::Item::Macro(it) = &item {
            match (&it.ident, it.mac.path.get_ident()) {
                (Some(name), _) => {
                    rules.insert(name.to_string(), it.mac.tokens.clone());
                }
                (None, Some(name)) => {
                    let rule = rules.get(&name.to_string());
                    all.extend(
                        rule.and_then(|rule| made(rule, &it.mac.tokens))
                            .unwrap_or_default(),
                    );
                }
                (None, None) => {}
            }
        }
        all.push(item);
    }
    all
}

fn made(rule: &TokenStream, call: &TokenStream) -> Option<Vec<syn::Item>> {
    let parts: Vec<TokenTree> = rule.clone().into_iter().collect();
    let [
        TokenTree::Group(pattern),
        equals,
        arrow,
        TokenTree::Group(body),
        rest @ ..,
    ] = parts.as_slice()
    else {
        return None;
    };
    let is_one_rule = rest.is_empty() || (rest.len() == 1 && is(&rest[0], ';'));
    if !is(equals, '=') || !is(arrow, '>') || !is_one_rule {
        return None;
    }
    let fragments = matched(&trees(pattern.stream()), &trees(call.clone()))?;
    let file: syn::File = syn::parse2(transcribed(&trees(body.stream()), &fragments)).ok()?;
    Some(file.items)
}

fn matched(mut pattern: &[TokenTree], mut call: &[TokenTree]) -> Option<Fragments> {
    let mut fragments = Fragments::new();
    loop {
        match pattern {
            [] => return call.is_empty().then_some(fragments),
            [dollar, TokenTree::Group(repeated), star, rest @ ..] if is(dollar, '$') => {
                let repeats_attributes = trees(repeated.stream())
                    .first()
                    .is_some_and(|first| is(first, '#'));
                if !repeats_attributes || !is(star, '*') {
                    return None;
                }
                while let [hash, TokenTree::Group(_), after @ ..] = call
                    && is(hash, '#')
                {
                    call = after;
                }
                pattern = rest;
            }
            [
                dollar,
                TokenTree::Ident(name),
                colon,
                TokenTree::Ident(_),
                rest @ ..,
            ] if is(dollar, '$') && is(colon, ':') => {
                let ends = |tree: &TokenTree| {
                    rest.first()
                        .is_some_and(|next| next.to_string() == tree.to_string())
                };
                let length = call.iter().position(ends).unwrap_or(call.len());
                let (fragment, after) = call.split_at(length);
                fragments.insert(name.to_string(), fragment.to_vec());
                (pattern, call) = (rest, after);
            }
            [wanted, rest @ ..] => {
                let (found, after) = call.split_first()?;
                if found.to_string() != wanted.to_string() {
                    return None;
                }
                (pattern, call) = (rest, after);
            }
        }
    }
}

/// The body with its fragments put in; repetitions, which hold documentation, are left out.
fn transcribed(mut body: &[TokenTree], fragments: &Fragments) -> TokenStream {
    let mut made = Vec::new();
    while let Some((first, rest)) = body.split_first() {
        body = rest;
        match (first, rest) {
            (dollar, [TokenTree::Group(_), _, after @ ..]) if is(dollar, '$') => body = after,
            (dollar, [TokenTree::Ident(name), after @ ..]) if is(dollar, '$') => {
                match fragments.get(&name.to_string()) {
                    Some(fragment) => made.extend(fragment.iter().cloned()),
                    // `$crate` is the crate itself.
                    None => made.push(TokenTree::Ident(name.clone())),
                }
                body = after;
            }
            (TokenTree::Group(group), _) => {
                let inner = transcribed(&trees(group.stream()), fragments);
                made.push(TokenTree::Group(Group::new(group.delimiter(), inner)));
            }
            (other, _) => made.push(other.clone()),
        }
    }
    made.into_iter().collect()
}

/// The trees of a stream; an invisible group around a fragment is opened.
fn trees(stream: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for tree in stream {
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                all.extend(trees(group.stream()));
            }
            tree => all.push(tree),
        }
    }
    all
}

fn is(tree: &TokenTree, letter: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == letter)
}
