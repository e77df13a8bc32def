//! What a path written in a module names.

use super::load::{Crate, ModulePath, definition};

/// Re-exports of re-exports are followed this far; a longer chain is a cycle.
const HOPS_MAX: usize = 32;

/// An item where it is defined: its module and its name.
pub(super) type Place = (ModulePath, String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Item(Place),
    Module(ModulePath),
}

/// One name that a `use` brings in; a glob has no name.
pub(super) struct Import {
    pub(super) path: Vec<String>,
    pub(super) name: Option<String>,
}

impl Crate {
    /// All that a path written in `module` names in this crate: a module and a function may share a name. Nothing
    /// where the path leads into another crate, or to something a macro makes.
    pub(super) fn named(&self, module: &ModulePath, path: &[String]) -> Vec<Named> {
        self.named_within(module, path, HOPS_MAX)
    }

    fn named_within(&self, module: &ModulePath, path: &[String], hops: usize) -> Vec<Named> {
        let Some((last, above)) = path.split_last() else {
            return Vec::new();
        };
        let Some(hops) = hops.checked_sub(1) else {
            return Vec::new();
        };
        let mut at = module.clone();
        for name in above {
            match self.module_named(&at, name, hops) {
                Some(next) => at = next,
                None => return Vec::new(),
            }
        }
        self.found(&at, last, hops)
    }

    fn module_named(&self, at: &ModulePath, name: &str, hops: usize) -> Option<ModulePath> {
        let found = match name {
            "crate" => return Some(ModulePath::new()),
            "self" => return Some(at.clone()),
            "super" => return Some(at[..at.len().checked_sub(1)?].to_vec()),
            name => self.child(at, name),
        };
        // A child module wins before imports are looked at: `pub use each::each` must not follow itself.
        found.or_else(|| {
            self.found(at, name, hops)
                .into_iter()
                .find_map(|named| match named {
                    Named::Module(path) => Some(path),
                    Named::Item(_) => None,
                })
        })
    }

    fn child(&self, at: &ModulePath, name: &str) -> Option<ModulePath> {
        let mut child = at.clone();
        child.push(name.into());
        self.modules.contains_key(&child).then_some(child)
    }

    fn found(&self, at: &ModulePath, name: &str, hops: usize) -> Vec<Named> {
        if matches!(name, "crate" | "self" | "super") {
            return self
                .module_named(at, name, hops)
                .map(Named::Module)
                .into_iter()
                .collect();
        }
        let Some(items) = self.modules.get(at) else {
            return Vec::new();
        };
        let mut found: Vec<Named> = self
            .child(at, name)
            .map(Named::Module)
            .into_iter()
            .collect();
        for item in items {
            if definition(item).is_some_and(|(defined, _)| defined == name) {
                found.push(Named::Item((at.clone(), name.into())));
            }
            let syn::Item::Use(it) = item else { continue };
            for import in imports(it) {
                if import.name.as_deref() == Some(name) {
                    found.extend(self.named_within(at, &import.path, hops));
                } else if import.name.is_none() {
                    found.extend(self.through_glob(at, &import.path, name, hops));
                }
            }
        }
        found
    }

    fn through_glob(
        &self,
        at: &ModulePath,
        path: &[String],
        name: &str,
        hops: usize,
    ) -> Vec<Named> {
        let mut longer = path.to_vec();
        longer.push(name.into());
        self.named_within(at, &longer, hops)
    }
}

/// The names one `use` brings in.
pub(super) fn imports(it: &syn::ItemUse) -> Vec<Import> {
    let mut imports = Vec::new();
    collect(&it.tree, &mut Vec::new(), &mut imports);
    imports
}

fn collect(tree: &syn::UseTree, above: &mut Vec<String>, imports: &mut Vec<Import>) {
    match tree {
        syn::UseTree::Path(it) => {
            above.push(it.ident.to_string());
            collect(&it.tree, above, imports);
            above.pop();
        }
        syn::UseTree::Group(it) => it
            .items
            .iter()
            .for_each(|tree| collect(tree, above, imports)),
        syn::UseTree::Glob(_) => imports.push(Import {
            path: above.clone(),
            name: None,
        }),
        syn::UseTree::Name(it) => imports.push(import(above, &it.ident, &it.ident)),
        syn::UseTree::Rename(it) => imports.push(import(above, &it.ident, &it.rename)),
    }
}

/// `use a::b::{self}` brings in `b`.
fn import(above: &[String], ident: &syn::Ident, name: &syn::Ident) -> Import {
    let mut path = above.to_vec();
    if ident != "self" {
        path.push(ident.to_string());
    }
    let name = if name == "self" {
        path.last().cloned()
    } else {
        Some(name.to_string())
    };
    Import { path, name }
}
