//! Public items as lines of text.

use quote::ToTokens;

use super::load::{Crate, attributes, definition, is_public};
use super::reach::{PublicPath, Reach, conditions};

pub(super) fn lines(krate: &Crate, reach: &Reach) -> Vec<String> {
    let mut lines = reach.lines.clone();
    for ((module, name), paths) in &reach.items {
        let Some((first, others)) = paths.split_first() else {
            continue;
        };
        for item in krate.modules.get(module).into_iter().flatten() {
            if definition(item).is_some_and(|(defined, _)| defined == *name) {
                lines.extend(item_lines(item, first));
            }
        }
        for other in others {
            lines.push(format!(
                "{}pub use {} = {}",
                other.conditions, other.path, first.path
            ));
        }
    }
    lines.extend(
        krate
            .modules
            .values()
            .flatten()
            .filter_map(|item| exported_macro(krate, item)),
    );
    lines
}

/// A `#[macro_export]` macro is public at the root wherever it stands.
fn exported_macro(krate: &Crate, item: &syn::Item) -> Option<String> {
    let syn::Item::Macro(it) = item else {
        return None;
    };
    let is_exported = it
        .attrs
        .iter()
        .any(|attribute| attribute.path().is_ident("macro_export"));
    let name = it.ident.as_ref().filter(|_| is_exported)?;
    Some(format!(
        "{}pub macro {}::{name}!",
        conditions(&it.attrs),
        krate.name
    ))
}

fn item_lines(item: &syn::Item, public: &PublicPath) -> Vec<String> {
    let path = &public.path;
    let before = format!("{}{}", public.conditions, conditions(attributes(item)));
    let own: Vec<String> = match item {
        syn::Item::Const(it) => vec![format!("pub const {path}: {}", type_text(&it.ty))],
        syn::Item::Static(it) => vec![format!("pub static {path}: {}", type_text(&it.ty))],
        syn::Item::Fn(it) => vec![function(&it.sig, path)],
        syn::Item::Type(it) => vec![type_alias(it, path)],
        syn::Item::Struct(it) => structure(it, path),
        syn::Item::Enum(it) => enumeration(it, path),
        syn::Item::Trait(it) => interface(it, path),
        _ => Vec::new(),
    };
    own.into_iter()
        .map(|line| format!("{before}{line}"))
        .chain(derived(item, path))
        .collect()
}

/// `pub fn PATH(..) -> ..`, without attributes and body.
pub(super) fn function(signature: &syn::Signature, path: &str) -> String {
    let mut sig = signature.clone();
    for input in &mut sig.inputs {
        match input {
            syn::FnArg::Receiver(it) => {
                it.attrs.clear();
                // `mut self` says something to the body alone; the `mut` of `&mut self` is kept elsewhere.
                it.mutability = None;
            }
            syn::FnArg::Typed(it) => {
                it.attrs.clear();
                if let syn::Pat::Ident(name) = &mut *it.pat {
                    name.mutability = None;
                }
            }
        }
    }
    let name = format!("fn {}", sig.ident);
    one_line(&syn::parse_quote!(pub #sig {})).replacen(&name, &format!("fn {path}"), 1)
}

fn type_alias(it: &syn::ItemType, path: &str) -> String {
    let item = syn::ItemType {
        attrs: Vec::new(),
        ..it.clone()
    };
    one_line(&syn::Item::Type(item)).replacen(
        &format!("type {}", it.ident),
        &format!("type {path}"),
        1,
    )
}

fn structure(it: &syn::ItemStruct, path: &str) -> Vec<String> {
    let header = syn::ItemStruct {
        attrs: Vec::new(),
        fields: syn::Fields::Unit,
        semi_token: Some(Default::default()),
        ..it.clone()
    };
    let header = one_line(&syn::Item::Struct(header));
    let header = header.replacen(
        &format!("struct {}", it.ident),
        &format!("struct {path}"),
        1,
    );
    let mut lines = vec![format!("{}{header}", open_ended(&it.attrs))];
    for (index, field) in it
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| is_public(&field.vis))
    {
        let name = field
            .ident
            .as_ref()
            .map_or(index.to_string(), ToString::to_string);
        lines.push(format!(
            "{}pub field {path}::{name}: {}",
            conditions(&field.attrs),
            type_text(&field.ty)
        ));
    }
    lines
}

fn enumeration(it: &syn::ItemEnum, path: &str) -> Vec<String> {
    let header = syn::ItemEnum {
        attrs: Vec::new(),
        variants: Default::default(),
        ..it.clone()
    };
    let header = one_line(&syn::Item::Enum(header));
    let header = header.replacen(&format!("enum {}", it.ident), &format!("enum {path}"), 1);
    let mut lines = vec![format!("{}{header}", open_ended(&it.attrs))];
    for variant in &it.variants {
        let before = format!(
            "{}{}",
            conditions(&variant.attrs),
            open_ended(&variant.attrs)
        );
        lines.push(format!(
            "{before}pub variant {path}::{}{}",
            variant.ident,
            variant_fields(&variant.fields)
        ));
    }
    lines
}

fn variant_fields(fields: &syn::Fields) -> String {
    let types = fields.iter().map(|field| match &field.ident {
        Some(name) => format!("{name}: {}", type_text(&field.ty)),
        None => type_text(&field.ty),
    });
    let types = types.collect::<Vec<_>>().join(", ");
    match fields {
        syn::Fields::Unit => String::new(),
        syn::Fields::Unnamed(_) => format!("({types})"),
        syn::Fields::Named(_) => format!(" {{ {types} }}"),
    }
}

/// A trait and its items; ` { .. }` marks a function that an implementer may leave out.
fn interface(it: &syn::ItemTrait, path: &str) -> Vec<String> {
    let header = syn::ItemTrait {
        attrs: Vec::new(),
        items: Vec::new(),
        ..it.clone()
    };
    let header = one_line(&syn::Item::Trait(header));
    let mut lines =
        vec![header.replacen(&format!("trait {}", it.ident), &format!("trait {path}"), 1)];
    for item in &it.items {
        match item {
            syn::TraitItem::Fn(it) => {
                let provided = if it.default.is_some() { " { .. }" } else { "" };
                let line = function(&it.sig, &format!("{path}::{}", it.sig.ident));
                lines.push(format!("{}{line}{provided}", conditions(&it.attrs)));
            }
            syn::TraitItem::Type(it) => {
                let plain = syn::TraitItemType {
                    attrs: Vec::new(),
                    ..it.clone()
                };
                let line = spaced(&plain.to_token_stream().to_string());
                lines.push(format!(
                    "pub {}",
                    line.replacen("type ", &format!("type {path}::"), 1)
                ));
            }
            syn::TraitItem::Const(it) => {
                lines.push(format!(
                    "pub const {path}::{}: {}",
                    it.ident,
                    type_text(&it.ty)
                ));
            }
            _ => {}
        }
    }
    lines
}

/// The derived traits, on one line: a type with six of them is still one type.
fn derived(item: &syn::Item, path: &str) -> Option<String> {
    let mut names = Vec::new();
    for attribute in attributes(item)
        .iter()
        .filter(|it| it.path().is_ident("derive"))
    {
        // A derive that isn't a list of paths is the compiler's to refuse.
        let _ = attribute.parse_nested_meta(|meta| {
            names.extend(meta.path.segments.last().map(|last| last.ident.to_string()));
            Ok(())
        });
    }
    names.sort();
    if names.is_empty() {
        None
    } else {
        Some(format!("impl {} for {path} (derived)", names.join(" + ")))
    }
}

fn open_ended(attributes: &[syn::Attribute]) -> &'static str {
    if attributes
        .iter()
        .any(|it| it.path().is_ident("non_exhaustive"))
    {
        "#[non_exhaustive] "
    } else {
        ""
    }
}

pub(super) fn type_text(ty: &syn::Type) -> String {
    let line = one_line(&syn::parse_quote!(type T = #ty;));
    line.strip_prefix("type T = ").unwrap_or(&line).into()
}

/// An item on one line, without its empty body or closing semicolon.
pub(super) fn one_line(item: &syn::Item) -> String {
    let text = spaced(&prettyplease::unparse(&syn::parse_quote!(#item)));
    let text = text.strip_suffix("{}").unwrap_or(&text).trim_end();
    text.trim_end_matches([';', ',']).into()
}

/// Undoes the line breaks of a formatter: single spaces, no comma before a closing bracket.
fn spaced(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text
        .replace(", )", ")")
        .replace(", >", ">")
        .replace(", ]", "]");
    let text = text
        .replace("( ", "(")
        .replace("< ", "<")
        .replace(" ;", ";")
        .replace(" :", ":")
        .replace(" ,", ",");
    text.trim_end_matches(';').into()
}
