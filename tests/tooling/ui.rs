//! What the macros accept and refuse: one file per mistake with the compiler's message beside it, and the forms that compile.
//!
//! To renew the messages: `TRYBUILD=overwrite cargo test --test tooling ui`, then read each as a newcomer would. To run some of them:
//! `cargo test --test tooling -- every_mistake trybuild=session_middleware`.

use std::fs;
use std::path::PathBuf;

/// Apart from those that compile: cargo checks all of them in one go where none is to run.
#[test]
fn every_mistake_has_its_message() {
    trybuild::TestCases::new().compile_fail("ui-tests/**/fail/*.rs");
}

#[test]
fn every_documented_form_compiles() {
    trybuild::TestCases::new().pass("ui-tests/**/pass/*.rs");
}

/// The compiler quotes the standard library where the component rust-src is installed, and a dependency as its version has it.
#[test]
fn no_expected_message_depends_on_what_else_is_installed() {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("ui-tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "stderr") {
                let message = fs::read_to_string(&path).expect("a text");
                assert!(!message.contains("$RUST") && !message.contains("$CARGO"), "{} quotes other code", path.display());
            }
        }
    }
}

#[test]
fn the_readme_shows_an_error_as_the_compiler_writes_it() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mistake = "ui-tests/attributes/session_id_callback/fail/argument_by_value";
    let message = fs::read_to_string(root.join(mistake).with_extension("stderr")).expect("a message");
    let shown = message.replace(&format!("{mistake}.rs"), "src/main.rs");
    assert!(fs::read_to_string(root.join("README.md")).expect("a text").contains(shown.trim()), "{shown}");
}
