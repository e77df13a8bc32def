//! What another crate can name, and under which path.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;

use super::load::{Crate, ModulePath, attributes, definition, is_public};
use super::path::{Import, Named, Place, imports};

/// A path another crate can write, with the conditions (`#[cfg(..)]`) met on the way to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PublicPath {
    pub(super) path: String,
    pub(super) conditions: String,
}

#[derive(Default)]
pub(super) struct Reach {
    /// The paths of each reachable item.
    pub(super) items: BTreeMap<Place, Vec<PublicPath>>,
    /// Lines for modules and for re-exports of what other crates own.
    pub(super) lines: Vec<String>,
    walked: BTreeSet<(ModulePath, String)>,
}

impl Reach {
    pub(super) fn of(krate: &Crate) -> Self {
        let mut reach = Self::default();
        let root = PublicPath {
            path: krate.name.clone(),
            conditions: String::new(),
        };
        reach.walk(krate, &ModulePath::new(), &root);
        // Fewest segments first: the shortest path is the one a user is meant to write.
        for paths in reach.items.values_mut() {
            paths.sort_by_key(|it| (it.path.matches("::").count(), it.clone()));
            paths.dedup();
        }
        reach
    }

    /// The path an item is listed under.
    pub(super) fn principal(&self, place: &Place) -> Option<&PublicPath> {
        self.items.get(place).and_then(|paths| paths.first())
    }

    fn walk(&mut self, krate: &Crate, module: &ModulePath, public: &PublicPath) {
        if !self.walked.insert((module.clone(), public.path.clone())) {
            return;
        }
        for item in krate.modules.get(module).into_iter().flatten() {
            let conditions = format!("{}{}", public.conditions, conditions(attributes(item)));
            let under = |name: &str| PublicPath {
                path: format!("{}::{name}", public.path),
                conditions: conditions.clone(),
            };
            match item {
                syn::Item::Mod(it) if is_public(&it.vis) => {
                    let mut child = module.clone();
                    child.push(it.ident.to_string());
                    self.module(krate, &child, &under(&it.ident.to_string()));
                }
                syn::Item::Use(it) if is_public(&it.vis) => {
                    for import in imports(it) {
                        let name = import.name.as_deref().unwrap_or("*");
                        self.import(krate, module, &import, &under(name), public);
                    }
                }
                item => {
                    if let Some((name, visibility)) = definition(item)
                        && is_public(visibility)
                    {
                        // The item's own conditions are printed with the item.
                        let path = PublicPath {
                            conditions: public.conditions.clone(),
                            ..under(&name)
                        };
                        self.items
                            .entry((module.clone(), name))
                            .or_default()
                            .push(path);
                    }
                }
            }
        }
    }

    fn module(&mut self, krate: &Crate, module: &ModulePath, public: &PublicPath) {
        self.lines
            .push(format!("{}pub mod {}", public.conditions, public.path));
        self.walk(krate, module, public);
    }

    fn import(
        &mut self,
        krate: &Crate,
        module: &ModulePath,
        import: &Import,
        public: &PublicPath,
        above: &PublicPath,
    ) {
        let found = krate.named(module, &import.path);
        if found.is_empty() {
            let star = if import.name.is_none() { "::*" } else { "" };
            let target = import.path.join("::");
            self.lines.push(format!(
                "{}pub use {} = {target}{star}",
                public.conditions, public.path
            ));
        }
        for named in found {
            match named {
                Named::Item(place) => self.items.entry(place).or_default().push(public.clone()),
                Named::Module(path) if import.name.is_none() => {
                    let here = PublicPath {
                        conditions: public.conditions.clone(),
                        ..above.clone()
                    };
                    self.walk(krate, &path, &here);
                }
                // `pub use` of a private module's name is refused by the compiler; of a function beside it, it isn't.
                Named::Module(path) if !is_public_module(krate, &path) => {}
                Named::Module(path) => self.module(krate, &path, public),
            }
        }
    }
}

fn is_public_module(krate: &Crate, path: &ModulePath) -> bool {
    let Some((name, parent)) = path.split_last() else {
        return true;
    };
    krate
        .modules
        .get(parent)
        .into_iter()
        .flatten()
        .any(|item| match item {
            syn::Item::Mod(it) => it.ident == name && is_public(&it.vis),
            _ => false,
        })
}

/// `#[cfg(..)]` and `#[doc(hidden)]`, as they stand, each followed by a space.
pub(super) fn conditions(attributes: &[syn::Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        let meta = attribute
            .meta
            .to_token_stream()
            .to_string()
            .replace(" (", "(");
        if attribute.path().is_ident("cfg") || meta == "doc(hidden)" {
            text.push_str(&format!("#[{meta}] "));
        }
    }
    text
}
