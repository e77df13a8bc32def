//! What is implemented for public types, and what public traits are implemented for.

use super::load::{Crate, ModulePath, is_public};
use super::path::{Named, Place};
use super::print::{function, one_line, type_text};
use super::reach::{Reach, conditions};

pub(super) fn lines(krate: &Crate, reach: &Reach) -> Vec<String> {
    let mut lines = Vec::new();
    for (module, items) in &krate.modules {
        for item in items {
            let syn::Item::Impl(it) = item else { continue };
            let scope = Scope {
                krate,
                reach,
                module,
            };
            match &it.trait_ {
                None => lines.extend(scope.inherent(it)),
                Some((path, _)) => lines.extend(scope.implementation(it, path)),
            }
        }
    }
    lines
}

/// Where an impl stands, which decides what its paths mean.
struct Scope<'a> {
    krate: &'a Crate,
    reach: &'a Reach,
    module: &'a ModulePath,
}

/// What a path means to another crate.
enum Seen {
    /// An item of this crate that others can name so.
    Public(syn::Path),
    /// An item of this crate that they can't name.
    Private,
    /// Something of another crate, a type parameter, or no path at all.
    Elsewhere,
}

impl Scope<'_> {
    fn inherent(&self, it: &syn::ItemImpl) -> Vec<String> {
        let syn::Type::Path(ty) = &*it.self_ty else {
            return Vec::new();
        };
        let Seen::Public(path) = self.seen(&ty.path) else {
            return Vec::new();
        };
        let above = type_text(&type_of(&path));
        let bounds = bounds(&it.generics);
        let mut lines = Vec::new();
        for item in &it.items {
            let (attributes, line) = match item {
                syn::ImplItem::Fn(it) if is_public(&it.vis) => (
                    &it.attrs,
                    function(&it.sig, &format!("{above}::{}", it.sig.ident)),
                ),
                syn::ImplItem::Const(it) if is_public(&it.vis) => (
                    &it.attrs,
                    format!("pub const {above}::{}: {}", it.ident, type_text(&it.ty)),
                ),
                _ => continue,
            };
            let before = format!("{}{}", conditions(&it.attrs), conditions(attributes));
            lines.push(format!("{before}{line}{bounds}"));
        }
        lines
    }

    /// Listed when the type is public, or the trait is and the type is anybody's; never for a private trait.
    fn implementation(&self, it: &syn::ItemImpl, interface: &syn::Path) -> Option<String> {
        let ty = match &*it.self_ty {
            syn::Type::Path(ty) if ty.qself.is_none() => self.seen(&ty.path),
            _ => Seen::Elsewhere,
        };
        let (interface, self_ty) = match (self.seen(interface), ty) {
            (Seen::Private, _) | (_, Seen::Private) | (Seen::Elsewhere, Seen::Elsewhere) => {
                return None;
            }
            (Seen::Public(interface), Seen::Public(path)) => (interface, type_of(&path)),
            (Seen::Elsewhere, Seen::Public(path)) => (interface.clone(), type_of(&path)),
            (Seen::Public(interface), Seen::Elsewhere) => (interface, (*it.self_ty).clone()),
        };
        let header = syn::ItemImpl {
            attrs: Vec::new(),
            trait_: it.trait_.as_ref().map(|(_, keyword)| (interface, *keyword)),
            self_ty: Box::new(self_ty),
            items: Vec::new(),
            ..it.clone()
        };
        let types = it.items.iter().filter_map(|item| match item {
            syn::ImplItem::Type(it) => Some(format!("type {} = {}", it.ident, type_text(&it.ty))),
            _ => None,
        });
        let types = types.collect::<Vec<_>>().join("; ");
        let types = if types.is_empty() {
            types
        } else {
            format!(" {{ {types} }}")
        };
        Some(format!(
            "{}{}{types}",
            conditions(&it.attrs),
            one_line(&syn::Item::Impl(header))
        ))
    }

    fn seen(&self, path: &syn::Path) -> Seen {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        let places = self
            .krate
            .named(self.module, &names)
            .into_iter()
            .filter_map(|named| match named {
                Named::Item(place) => Some(place),
                Named::Module(_) => None,
            });
        let places: Vec<Place> = places.collect();
        if places.is_empty() {
            return Seen::Elsewhere;
        }
        let public = places.iter().find_map(|place| self.reach.principal(place));
        public
            .and_then(|public| renamed(path, &public.path))
            .map_or(Seen::Private, Seen::Public)
    }
}

fn type_of(path: &syn::Path) -> syn::Type {
    syn::parse_quote!(#path)
}

/// The public path with the generic arguments of the one that was written.
fn renamed(written: &syn::Path, public: &str) -> Option<syn::Path> {
    let mut path: syn::Path = syn::parse_str(public).ok()?;
    let arguments = written.segments.last()?.arguments.clone();
    path.segments.last_mut()?.arguments = arguments;
    Some(path)
}

/// What an impl asks of its parameters, which its functions inherit.
fn bounds(generics: &syn::Generics) -> String {
    let has_bounds = generics
        .type_params()
        .any(|parameter| !parameter.bounds.is_empty());
    if !has_bounds && generics.where_clause.is_none() {
        return String::new();
    }
    let (parameters, _, conditions) = generics.split_for_impl();
    let header = one_line(&syn::parse_quote!(impl #parameters T #conditions {}));
    format!(" (in {})", header.replacen(" T", "", 1))
}
