//! What the macros refuse: one file per mistake with the compiler's message beside it. (What they accept is built by `tests/crates/forms`.)
//!
//! To renew the messages: `TRYBUILD=overwrite cargo test --test tooling ui`, then read each as a newcomer would. To run some of them:
//! `cargo test --test tooling -- every_mistake trybuild=session_middleware`.

use std::fs;
use std::path::PathBuf;

/// Cargo checks all of them in one go, since none is to run.
#[test]
fn every_mistake_has_its_message() {
    trybuild::TestCases::new().compile_fail("ui-tests/**/fail/*.rs");
}

/// They are built and run as what they are: crates.
#[test]
fn every_form_that_compiles_is_a_test_of_the_package_forms() {
    let manifest = fs::read_to_string(root().join("tests/crates/forms/Cargo.toml")).expect("a manifest");
    let forms: Vec<_> = files().into_iter().filter(|path| path.parent().is_some_and(|folder| folder.ends_with("pass"))).collect();
    assert!(!forms.is_empty());
    for form in forms {
        let path = form.strip_prefix(root()).expect("a path below the root").display().to_string();
        assert!(manifest.contains(&format!("path = \"../../../{path}\"\nharness = false\n")), "{path} is not tested");
    }
}

/// The compiler quotes the standard library where the component rust-src is installed, and a dependency as its version has it.
#[test]
fn no_expected_message_depends_on_what_else_is_installed() {
    for path in files().iter().filter(|path| path.extension().is_some_and(|extension| extension == "stderr")) {
        let message = fs::read_to_string(path).expect("a text");
        assert!(!message.contains("$RUST") && !message.contains("$CARGO"), "{} quotes other code", path.display());
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All of `ui-tests`.
fn files() -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![root().join("ui-tests")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

#[test]
fn the_readme_shows_an_error_as_the_compiler_writes_it() {
    let root = root();
    let mistake = "ui-tests/attributes/session_id_callback/fail/argument_by_value";
    let message = fs::read_to_string(root.join(mistake).with_extension("stderr")).expect("a message");
    let shown = message.replace(&format!("{mistake}.rs"), "src/main.rs");
    assert!(fs::read_to_string(root.join("README.md")).expect("a text").contains(shown.trim()), "{shown}");
}
