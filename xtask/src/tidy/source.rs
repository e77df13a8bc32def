//! What Rust files must keep to: length, a first line that says what the file is, no skipped test, no hidden input.

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Problem;
use crate::tokens::{self, Token};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Programs may read their environment anywhere; a library only where its caller sees it in the name.
const MAY_READ_ENVIRONMENT: &[&str] = &["examples/", "xtask/", "crates/loom-cli/"];

pub(super) fn is_ours(path: &str) -> bool {
    path.ends_with(".rs")
        && ["crates/", "examples/", "xtask/"]
            .iter()
            .any(|folder| path.starts_with(folder))
}

pub(super) fn problems(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        let what =
            format!("the file has {lines} lines, more than {FILE_LINES_MAX}; one file, one idea");
        problems.push(Problem::new(path, FILE_LINES_MAX + 1, what));
    }
    // What a compile-fail test shows a reader is its first lines, and their numbers stand in the expected message.
    if !text.starts_with("//!") && !path.contains("/tests/ui/") {
        problems.push(Problem::new(
            path,
            1,
            "the first line isn't `//!`; say what the file is for",
        ));
    }
    match (tokens::parse(path, text), syn::parse_file(text)) {
        (Ok(tokens), Ok(file)) => {
            problems.extend(ignored_tests(path, &tokens));
            let mut visitor = Visitor {
                path,
                functions: Vec::new(),
                problems: &mut problems,
            };
            visitor.visit_file(&file);
        }
        (Err(failure), _) => problems.push(Problem::new(path, 1, failure.to_string())),
        (_, Err(error)) => {
            problems.push(Problem::new(
                path,
                error.span().start().line,
                format!("cannot be read as Rust: {error}"),
            ));
        }
    }
    problems
}

/// Looks at tokens, so that a test inside a macro call such as `proptest!` is seen too.
fn ignored_tests(path: &str, tokens: &[Token]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let rest = || tokens[at..].iter().map(|it| it.text.as_str());
        if token.text != "#" || rest().nth(1) != Some("[") {
            continue;
        }
        let ignores = match rest().nth(2) {
            Some("ignore") => true,
            Some("cfg_attr") => rest()
                .take_while(|text| *text != "]")
                .any(|text| text == "ignore"),
            _ => false,
        };
        if ignores {
            problems.push(Problem::new(
                path,
                token.line,
                "an ignored test skips silently; run it or remove it",
            ));
        }
    }
    problems
}

struct Visitor<'a> {
    path: &'a str,
    /// The names of the functions around the place that is looked at, outermost first.
    functions: Vec<String>,
    problems: &'a mut Vec<Problem>,
}

impl Visitor<'_> {
    fn tell(&mut self, line: usize, what: impl Into<String>) {
        self.problems.push(Problem::new(self.path, line, what));
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let lines = block.span().end().line - first + 1;
        if lines > FUNCTION_LINES_MAX {
            let what = format!(
                "`{}` has {lines} lines, more than {FUNCTION_LINES_MAX}",
                signature.ident
            );
            self.tell(first, what);
        }
    }

    fn is_program(&self) -> bool {
        MAY_READ_ENVIRONMENT
            .iter()
            .any(|folder| self.path.starts_with(folder))
    }

    fn environment(&mut self, line: usize) {
        let may = self.is_program() || self.functions.iter().any(|name| name.ends_with("from_env"));
        if !may {
            self.tell(
                line,
                "the environment is read outside a function whose name ends in `from_env`",
            );
        }
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item_fn(&mut self, it: &'ast syn::ItemFn) {
        self.function(&it.sig, &it.block);
        self.functions.push(it.sig.ident.to_string());
        visit::visit_item_fn(self, it);
        self.functions.pop();
    }

    fn visit_impl_item_fn(&mut self, it: &'ast syn::ImplItemFn) {
        self.function(&it.sig, &it.block);
        self.functions.push(it.sig.ident.to_string());
        visit::visit_impl_item_fn(self, it);
        self.functions.pop();
    }

    fn visit_trait_item_fn(&mut self, it: &'ast syn::TraitItemFn) {
        if let Some(block) = &it.default {
            self.function(&it.sig, block);
        }
        self.functions.push(it.sig.ident.to_string());
        visit::visit_trait_item_fn(self, it);
        self.functions.pop();
    }

    fn visit_path(&mut self, it: &'ast syn::Path) {
        let names: Vec<String> = it
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if let [.., module, function] = names.as_slice()
            && module == "env"
            && reads_environment(function)
        {
            self.environment(it.span().start().line);
        }
        visit::visit_path(self, it);
    }

    /// A macro's arguments are tokens to the parser: `println!("{}", env::var(..))` is found here.
    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        for line in environment_in(it.tokens.clone()) {
            self.environment(line);
        }
        visit::visit_macro(self, it);
    }

    /// An imported `var` could be called by its bare name, where nobody would see what it reads.
    fn visit_use_path(&mut self, it: &'ast syn::UsePath) {
        let line = it.span().start().line;
        if it.ident == "env" && imports_reader(&it.tree) {
            self.environment(line);
        }
        if renames_env(it) && !self.is_program() {
            self.tell(
                line,
                "`env` is renamed, which hides who reads the environment",
            );
        }
        visit::visit_use_path(self, it);
    }
}

fn imports_reader(tree: &syn::UseTree) -> bool {
    match tree {
        syn::UseTree::Name(name) => reads_environment(&name.ident.to_string()),
        syn::UseTree::Rename(rename) => reads_environment(&rename.ident.to_string()),
        syn::UseTree::Group(group) => group.items.iter().any(imports_reader),
        syn::UseTree::Glob(_) => true,
        syn::UseTree::Path(_) => false,
    }
}

/// `std::env as e`, `std::{env as e}` or `env::{self as e}`; the path itself is the part before the rename.
fn renames_env(path: &syn::UsePath) -> bool {
    let renamed = if path.ident == "env" { "self" } else { "env" };
    let is_renamed =
        |tree: &syn::UseTree| matches!(tree, syn::UseTree::Rename(it) if it.ident == renamed);
    match &*path.tree {
        syn::UseTree::Group(group) => group.items.iter().any(is_renamed),
        tree => is_renamed(tree),
    }
}

fn reads_environment(function: &str) -> bool {
    matches!(function, "var" | "var_os" | "vars" | "vars_os")
}

fn environment_in(stream: TokenStream) -> Vec<usize> {
    let tokens = tokens::flat(stream);
    let found = tokens.windows(4).filter(|four| {
        let [module, first, second, function] = four else {
            return false;
        };
        module.text == "env"
            && first.text == ":"
            && second.text == ":"
            && reads_environment(&function.text)
    });
    found.map(|four| four[0].line).collect()
}

#[cfg(test)]
mod tests;
