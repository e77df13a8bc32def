//! A crate's modules, read from its files.

use std::collections::BTreeMap;
use std::path::Path;

use quote::ToTokens;

use super::expand::expanded;
use crate::failure::{Failure, Outcome};
use crate::workspace::read;

/// Names from the crate's root down to a module; the root is empty.
pub(super) type ModulePath = Vec<String>;

pub(super) struct Crate {
    pub(super) name: String,
    /// The items of each module; a module's own `mod` item stands among its parent's.
    pub(super) modules: BTreeMap<ModulePath, Vec<syn::Item>>,
}

impl Crate {
    pub(super) fn load(name: &str, source: &Path) -> Outcome<Self> {
        let mut krate = Self {
            name: name.into(),
            modules: BTreeMap::new(),
        };
        let folder = source.parent().unwrap_or(source);
        let items = parsed(source)?;
        krate.add(ModulePath::new(), items, folder)?;
        Ok(krate)
    }

    /// Adds a module and all below it; `folder` is where its child modules' files are.
    fn add(&mut self, path: ModulePath, items: Vec<syn::Item>, folder: &Path) -> Outcome {
        let items: Vec<syn::Item> = expanded(items)
            .into_iter()
            .filter(|item| !is_for_tests(attributes(item)))
            .collect();
        for item in &items {
            let syn::Item::Mod(module) = item else {
                continue;
            };
            let name = module.ident.to_string();
            let mut child = path.clone();
            child.push(name.clone());
            let inner = match &module.content {
                Some((_, items)) => items.clone(),
                None => parsed(&folder.join(format!("{name}.rs")))?,
            };
            self.add(child, inner, &folder.join(name))?;
        }
        self.modules.insert(path, items);
        Ok(())
    }
}

fn parsed(file: &Path) -> Outcome<Vec<syn::Item>> {
    let text = read(file)?;
    let parsed = syn::parse_file(&text).map_err(|error| {
        let line = error.span().start().line;
        Failure::new(format!(
            "{}:{line}: cannot be read as Rust: {error}",
            file.display()
        ))
    })?;
    Ok(parsed.items)
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|it| {
        it.path().is_ident("cfg") && it.meta.to_token_stream().to_string() == "cfg (test)"
    })
}

/// The attributes of an item of any kind that has a name or an impl.
pub(super) fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(it) => &it.attrs,
        syn::Item::Enum(it) => &it.attrs,
        syn::Item::Fn(it) => &it.attrs,
        syn::Item::Impl(it) => &it.attrs,
        syn::Item::Macro(it) => &it.attrs,
        syn::Item::Mod(it) => &it.attrs,
        syn::Item::Static(it) => &it.attrs,
        syn::Item::Struct(it) => &it.attrs,
        syn::Item::Trait(it) => &it.attrs,
        syn::Item::Type(it) => &it.attrs,
        syn::Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// The name and visibility of an item that defines something; modules, imports and impls define nothing here.
pub(super) fn definition(item: &syn::Item) -> Option<(String, &syn::Visibility)> {
    let (name, visibility) = match item {
        syn::Item::Const(it) => (&it.ident, &it.vis),
        syn::Item::Enum(it) => (&it.ident, &it.vis),
        syn::Item::Fn(it) => (&it.sig.ident, &it.vis),
        syn::Item::Static(it) => (&it.ident, &it.vis),
        syn::Item::Struct(it) => (&it.ident, &it.vis),
        syn::Item::Trait(it) => (&it.ident, &it.vis),
        syn::Item::Type(it) => (&it.ident, &it.vis),
        _ => return None,
    };
    Some((name.to_string(), visibility))
}

pub(super) fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}
