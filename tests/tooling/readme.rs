//! What the README shows can be copied into a new crate that has the README's own `[dependencies]`, and its links work where crates.io shows it.
//!
//! That its snippets compile is a doctest of `session-runtime`, which has more dependencies than a reader.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{ItemFn, UseTree};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The fenced blocks whose language begins so.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let fenced = text.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    fenced.filter(|(of, _)| of.starts_with(language)).map(|(_, block)| block.to_owned()).collect()
}

/// The names that paths begin with, and those that the snippet itself brings in.
#[derive(Default)]
struct Names {
    used: BTreeSet<String>,
    brought_in: BTreeSet<String>,
}

impl Names {
    fn import(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.import(&path.tree),
            UseTree::Name(name) => drop(self.brought_in.insert(name.ident.to_string())),
            UseTree::Rename(name) => drop(self.brought_in.insert(name.rename.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree)),
            UseTree::Glob(_) => {}
        }
    }

    fn import_from(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => drop(self.used.insert(path.ident.to_string())),
            UseTree::Group(group) => return group.items.iter().for_each(|tree| self.import_from(tree)),
            UseTree::Name(_) | UseTree::Rename(_) | UseTree::Glob(_) => {}
        }
        self.import(tree);
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import_from(&item.tree);
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.brought_in.insert(item.sig.ident.to_string());
        visit::visit_item_fn(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let first = path.segments[0].ident.to_string();
        // What begins with a capital is a type, an enum or a parameter.
        if path.segments.len() > 1 && first.starts_with(char::is_lowercase) {
            self.used.insert(first);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, of: &'ast syn::Macro) {
        self.visit_path(&of.path);
        // `session!(<T>, middleware = standard::lazy_session_middleware)`: what looks like a path in it.
        let tokens: Vec<_> = of.tokens.to_string().split_whitespace().map(str::to_owned).collect();
        for (at, pair) in tokens.windows(2).enumerate() {
            let begins = at == 0 || tokens[at - 1] != "::";
            if begins && pair[1] == "::" && pair[0].starts_with(|first: char| first.is_ascii_lowercase()) {
                self.used.insert(pair[0].clone());
            }
        }
    }
}

/// The crates that a snippet takes something from.
fn crates(snippet: &str) -> BTreeSet<String> {
    // Statements stand in a `main` of the reader's.
    let file = syn::parse_file(snippet).or_else(|_| syn::parse_file(&format!("fn main() {{ {snippet} }}"))).unwrap();
    let mut names = Names::default();
    names.visit_file(&file);
    let of_the_language = ["std", "core", "alloc", "crate", "self", "super"].map(str::to_owned);
    let used = names.used.into_iter();
    used.filter(|name| !names.brought_in.contains(name) && !of_the_language.contains(name)).collect()
}

/// What the README's `[dependencies]` name, as in a path.
fn dependencies() -> BTreeSet<String> {
    let [manifest] = &blocks("toml")[..] else { panic!("one block of dependencies") };
    let lines = manifest.strip_prefix("[dependencies]\n").expect("it says where they go").lines();
    lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_")).collect()
}

#[test]
fn the_readmes_snippets_take_what_its_dependencies_name_and_nothing_else() {
    let (named, snippets) = (dependencies(), blocks("rust"));
    assert!(snippets.len() > 3, "{snippets:?}");
    let mut taken = BTreeSet::new();
    for snippet in &snippets {
        let crates = crates(snippet);
        assert!(crates.is_subset(&named), "{crates:?} are not all in the [dependencies], {named:?}:\n{snippet}");
        taken.extend(crates);
    }
    assert_eq!(taken, named, "a dependency that no snippet takes");
}

/// rustdoc hides such a line. A forge and crates.io show it.
#[test]
fn the_readmes_snippets_have_no_hidden_lines() {
    for snippet in blocks("rust") {
        assert!(!snippet.lines().map(str::trim_start).any(|line| line == "#" || line.starts_with("# ")), "{snippet}");
    }
}

/// The versions are those that the tests run with.
#[test]
fn the_readmes_dependencies_are_those_of_the_tests() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for line in blocks("toml")[0].lines().filter(|line| line.contains(" = ")) {
        let (name, rest) = line.split_once(" = ").unwrap();
        let version = rest.split('"').nth(1).unwrap();
        // `"1"`, or `{ version = "1", .. }`; of the library itself, that of the workspace.
        let wanted = if name == "session-runtime" { "version = \"" } else { &format!("\n{name} = ") };
        let found = manifest.split_once(wanted).unwrap_or_else(|| panic!("{name}")).1.trim_start_matches(['{', ' ', '"']);
        let found = found.strip_prefix("version = \"").unwrap_or(found);
        assert!(found.starts_with(version), "{name} is {version} in the README, and {} here", found.split('"').next().unwrap());
    }
}

fn is_module(module: &str) -> bool {
    let src = root().join("session-runtime/src");
    let mut file = src.join("lib.rs");
    let mut within = String::new();
    module.split('/').all(|name| {
        let text = fs::read_to_string(&file).unwrap();
        // A module in its file, or in one of its own.
        let found = text.contains(&format!("{within}pub mod {name} {{")) || text.contains(&format!("pub mod {name};"));
        let own = [src.join(format!("{name}.rs")), src.join(name).join("mod.rs")].into_iter().find(|path| path.exists());
        match own {
            Some(own) => file = own,
            None => within = "    ".to_owned(),
        }
        found
    })
}

/// A link that begins at the repository's root leads nowhere on crates.io.
#[test]
fn the_readmes_links_lead_somewhere_from_any_page() {
    const DOCS: &str = "https://docs.rs/session-runtime/latest/session_runtime/";
    const REPOSITORY: &str = "https://github.com/session-runtime/session-runtime/";
    let text = readme();
    let links: Vec<_> = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        if let Some(module) = link.strip_prefix(DOCS) {
            assert!(is_module(module.trim_end_matches('/')), "{link} is not a module");
        } else if let Some(rest) = link.strip_prefix(REPOSITORY) {
            // What is a folder is a `tree` there.
            let path = rest.strip_prefix("blob/main/").or_else(|| rest.strip_prefix("tree/main/"));
            let path = root().join(path.unwrap_or_else(|| panic!("{link} names no branch")));
            assert!(path.exists() && path.is_dir() == rest.starts_with("tree"), "{link} does not lead to what is there");
        } else {
            assert!(link.starts_with("https://") && !Path::new(link).exists(), "{link} leads nowhere from crates.io");
        }
    }
}

#[test]
fn every_option_has_its_row_in_the_readme_and_its_paragraph_in_the_docs() {
    let options = fs::read_to_string(root().join("session-macros/src/setup/options.rs")).unwrap();
    let table = options.split_once("const OPTIONS").expect("the table of options").1.split_once("];").unwrap().0;
    let names: Vec<_> = table.split("choice(").skip(1).map(|choice| choice.split('"').nth(1).unwrap()).collect();
    assert!(names.len() > 20, "{names:?}");
    let (readme, page) = (readme(), fs::read_to_string(root().join("session-runtime/docs/session.md")).unwrap());
    for name in names {
        let is_in_its_first_cell =
            |row: &str| row.starts_with("| `") && row.split(" | ").next().is_some_and(|cell| cell.contains(&format!("`{name}`")));
        assert!(readme.lines().any(is_in_its_first_cell), "`{name}` has no row in the README");
        assert!(page.contains(&format!("- **`{name}`**")), "`{name}` has no paragraph in session.md");
    }
}
