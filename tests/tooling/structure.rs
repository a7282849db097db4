//! The structure of the two crates: what a file imports stands below it.
//!
//! A file imports another one if a `use` or a path in it leads to something that the other one defines. What a `mod.rs` or a `lib.rs` only hands
//! on is nothing that it imports. Tests inside of files are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// What stands in `session-runtime/src`, from the bottom up.
const FLOORS: &[&[&str]] = &[
    &["inline_vec", "locks", "log", "maybe_ready", "random", "to_its_end", "transport", "word"],
    &["error"],
    &["config"],
    &["id"],
    &["owner"],
    &["cookie"],
    &["request"],
    &["store"],
    &["session"],
    &["standard"],
    &["callback"],
    &["layer"],
    &["setup"],
    &["testing"],
];

/// The same in `session-runtime/src/session`.
const FLOORS_OF_A_REQUEST: &[&[&str]] =
    &[&["core"], &["departure", "retries"], &["driver"], &["lifetime", "owners"], &["mod"], &["data"], &["owner"]];

/// A file, by its path from `src` without the ending.
type Name = String;

#[derive(Default)]
struct File {
    /// What it hands on: the name, and where that comes from; `*` for all of a module.
    hands_on: Vec<(String, Vec<String>)>,
    /// The paths that it imports from its own crate.
    imports: Vec<Vec<String>>,
}

struct Crate {
    files: BTreeMap<Vec<String>, File>,
}

impl Crate {
    fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in rust_files(src) {
            let text = fs::read_to_string(&path).unwrap();
            let module = module(path.strip_prefix(src).unwrap());
            let mut file = File::default();
            Reader { module: &module, file: &mut file }.visit_file(&syn::parse_file(&text).unwrap());
            files.insert(module, file);
        }
        // Those that are compiled for the tests only.
        files.retain(|module: &Vec<String>, _| module.last().is_none_or(|name| name != "tests"));
        Self { files }
    }

    /// The file that defines what `path` names.
    fn definition(&self, path: &[String]) -> Option<Vec<String>> {
        self.resolve(path, 0)
    }

    fn resolve(&self, path: &[String], depth: usize) -> Option<Vec<String>> {
        if depth > 8 {
            return None;
        }
        let mut at = Vec::new();
        for (place, name) in path.iter().enumerate() {
            let mut inner = at.clone();
            inner.push(name.clone());
            if self.files.contains_key(&inner) {
                at = inner;
                continue;
            }
            let file = &self.files[&at];
            let rest = &path[place + 1..];
            let by_name = file.hands_on.iter().filter(|(handed, _)| handed == name).map(|(_, from)| from.clone());
            let by_star = file
                .hands_on
                .iter()
                .filter(|(handed, _)| handed == "*")
                .map(|(_, from)| [&from[..], std::slice::from_ref(name)].concat());
            return match by_name.chain(by_star).next() {
                Some(from) => self.resolve(&[&from[..], rest].concat(), depth + 1),
                None => Some(at),
            };
        }
        Some(at)
    }

    /// What each file imports.
    fn imports(&self) -> BTreeMap<Name, BTreeSet<Name>> {
        let imports_of = |(module, file): (&Vec<String>, &File)| {
            let imports = file.imports.iter().filter_map(|path| self.definition(path)).filter(|to| to != module);
            (name(module), imports.map(|to| name(&to)).collect())
        };
        self.files.iter().map(imports_of).collect()
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let inner = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    inner.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// `a/b.rs` and `a/b/mod.rs` are the module `a::b`.
fn module(file: &Path) -> Vec<String> {
    let mut names: Vec<String> = file.with_extension("").iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    if names.last().is_some_and(|last| last == "mod" || last == "lib") {
        names.pop();
    }
    names
}

fn name(module: &[String]) -> Name {
    if module.is_empty() { "lib".to_owned() } else { module.join("/") }
}

/// Reads a file but for its tests.
struct Reader<'a> {
    module: &'a [String],
    file: &'a mut File,
}

impl Reader<'_> {
    /// The path from the root of the crate, if it leads to something of the crate.
    fn whole(&self, path: &[String]) -> Option<Vec<String>> {
        let mut at = self.module.to_vec();
        let mut names = path.iter().peekable();
        match names.next()?.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop();
                while names.next_if(|name| *name == "super").is_some() {
                    at.pop();
                }
            }
            // A module inside of this one.
            first => at.push(first.to_owned()),
        }
        at.extend(names.cloned());
        Some(at)
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        for (name, path) in leaves {
            let Some(path) = self.whole(&path) else { continue };
            if matches!(item.vis, Visibility::Inherited) {
                self.file.imports.push(path);
            } else {
                self.file.hands_on.push((name, path));
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1
            && let Some(path) = self.whole(&names)
        {
            self.file.imports.push(path);
        }
        visit::visit_path(self, path);
    }
}

fn flatten(tree: &UseTree, above: &mut Vec<String>, leaves: &mut Vec<(String, Vec<String>)>) {
    match tree {
        UseTree::Path(path) => {
            above.push(path.ident.to_string());
            flatten(&path.tree, above, leaves);
            above.pop();
        }
        UseTree::Name(name) if name.ident == "self" => leaves.push((above.last().unwrap().clone(), above.clone())),
        UseTree::Name(name) => leaves.push((name.ident.to_string(), [&above[..], &[name.ident.to_string()]].concat())),
        UseTree::Rename(rename) => leaves.push((rename.rename.to_string(), [&above[..], &[rename.ident.to_string()]].concat())),
        UseTree::Glob(_) => leaves.push(("*".to_owned(), above.clone())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, above, leaves)),
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

/// The circles: files from each of which every other one is reached.
fn circles(imports: &BTreeMap<Name, BTreeSet<Name>>) -> BTreeSet<BTreeSet<Name>> {
    let reached = |from: &Name| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&Name> = imports[from].iter().collect();
        while let Some(name) = next.pop() {
            if reached.insert(name.clone()) {
                next.extend(&imports[name]);
            }
        }
        reached
    };
    let all: BTreeMap<&Name, BTreeSet<Name>> = imports.keys().map(|name| (name, reached(name))).collect();
    let in_circle = all.iter().filter(|(name, reached)| reached.contains(**name));
    in_circle.map(|(name, reached)| reached.iter().filter(|other| all[other].contains(*name)).cloned().collect()).collect()
}

/// The imports that lead to a higher floor, or to another file on the same one.
fn upward(
    imports: &BTreeMap<Name, BTreeSet<Name>>,
    floors: &[&[&str]],
    floor_name: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let floor = |file: &str| {
        let name = floor_name(file)?;
        Some(
            floors
                .iter()
                .position(|floor| floor.contains(&&*name))
                .unwrap_or_else(|| panic!("`{file}` stands on no floor: add it to the list")),
        )
    };
    let mut upward = Vec::new();
    for (from, to) in imports.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to))) {
        if let (Some(here), Some(there)) = (floor(from), floor(to))
            && (there > here || there == here && floor_name(from) != floor_name(to))
        {
            upward.push(format!("{from} -> {to}"));
        }
    }
    upward
}

fn read(name: &str) -> BTreeMap<Name, BTreeSet<Name>> {
    Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src")).imports()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for name in ["session-macros", "session-runtime"] {
        let circles = circles(&read(name));
        assert!(circles.is_empty(), "{name}: {circles:#?}");
    }
}

#[test]
fn no_import_leads_up() {
    let imports = read("session-runtime");
    let top = |file: &str| (file != "lib").then(|| file.split('/').next().unwrap().to_owned());
    let in_session = |file: &str| match file {
        "session" => Some("mod".to_owned()),
        file => Some(file.strip_prefix("session/")?.split('/').next()?.to_owned()),
    };
    let mut upward_imports = upward(&imports, FLOORS, top);
    upward_imports.extend(upward(&imports, FLOORS_OF_A_REQUEST, in_session));
    // The root of the crate hands everything on, and so stands above all.
    upward_imports.extend(imports.iter().filter(|(_, to)| to.contains("lib")).map(|(from, _)| format!("{from} -> lib")));
    assert!(upward_imports.is_empty(), "{upward_imports:#?}");
}

#[test]
fn the_tests_that_stand_beside_a_law_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let design = fs::read_to_string(root.join("DESIGN.md")).unwrap();
    let rows = design.lines().filter(|line| line.starts_with("| **"));
    let mut named = 0;
    for row in rows {
        let tests = row.split(" | ").nth(1).unwrap();
        for (folder, names) in tests.split(';').filter_map(|part| part.split_once(':')) {
            let folder = match folder.trim() {
                "`laws`" => "tests/laws",
                "`engines`" => "tests/engines",
                "kit" => "session-runtime/src/testing/conformance",
                "`tests/tower-sessions`" => "tests/tower-sessions/tests",
                _ => continue,
            };
            for name in names.split(',').map(|name| name.trim().trim_matches(['`', '|', ' '])) {
                let file = root.join(folder).join(name).with_extension("rs");
                assert!(file.exists(), "{} is not there: {row}", file.display());
                named += 1;
            }
        }
    }
    assert!(named > 30, "{named}");
}

#[test]
fn what_is_drawn_is_what_is_imported() {
    let imports = read("session-runtime");
    // By a `use`, by a path, and by a name that the root of the crate hands on.
    for (from, to) in [("session/driver", "session/core"), ("store/sql/mysql", "store/sql/table"), ("session/data", "error")] {
        assert!(imports[from].contains(to), "{from}: {:?}", imports[from]);
    }
    assert!(!imports["session/core"].contains("session/driver"));
    let circle = |pairs: &[(&str, &str)]| {
        let mut imports: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
        for (from, to) in pairs {
            imports.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            imports.entry((*to).to_owned()).or_default();
        }
        circles(&imports)
    };
    assert!(circle(&[("a", "b"), ("b", "c"), ("a", "c")]).is_empty());
    assert_eq!(circle(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]), [["a", "b", "c"].map(str::to_owned).into()].into());
}
