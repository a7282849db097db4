//! The expansion of the macros: a crate with 100 annotated functions and 100 `session!`, beside the same crate without the macros.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::Package;
use crate::section::progress;
use crate::statistics::{Spread, paired};
use crate::table::Table;

const COUNT: usize = 100;

pub fn measure(folder: &Path, checks: usize) -> Result<String, String> {
    let dependencies = "session-runtime = { path = \"SESSION_RUNTIME\" }";
    let with = Package::new(folder, "macros", dependencies, &source(true))?;
    let without = Package::new(folder, "no-macros", dependencies, &source(false))?;
    let mut times = [Vec::new(), Vec::new()];
    for package in [&with, &without] {
        progress("build", format_args!("{}, its dependencies", package.name));
        package.timed(&["check"])?;
    }
    for check in 0..checks {
        progress("build", format_args!("macros, {} of {checks}", check + 1));
        for (package, times) in [&with, &without].into_iter().zip(&mut times) {
            touch(&package.folder.join("src/main.rs"), check)?;
            times.push(package.timed(&["check"])?.as_secs_f64() * 1e3);
        }
    }
    let [with, without] = &times;
    let spread = |times: &[f64]| Spread::of(times.iter().copied()).text(0);
    let mut table = Table::new(["a crate with", "cargo check of it alone, ms"]);
    table.row([format!("{COUNT} annotated functions and {COUNT} `session!`"), spread(with)]);
    table.row(["the same functions, and as many builders".to_owned(), spread(without)]);
    table.row(["the difference".to_owned(), paired(with, without, |with, without| with - without).text(0)]);
    Ok(format!(
        "The crate itself is checked anew, its dependencies are not; {checks} times in turn: median and quartiles. Checking includes the \
         traits that the expansion asks for, which is more than the expansion.\n\n{table}"
    ))
}

/// Changes the file, so that cargo checks its crate again.
fn touch(file: &Path, check: usize) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    fs::write(file, format!("{text}// {check}\n")).map_err(|error| error.to_string())
}

fn source(macros: bool) -> String {
    let mut text = String::from("#![allow(dead_code)]\n");
    for number in 0..COUNT {
        let attribute = if macros { format!("#[session_runtime::session_id_callback(Visit{number})]\n") } else { String::new() };
        let _ = write!(
            text,
            "\n#[derive(Clone, Default)]\nstruct Visit{number} {{\n    pages: u32,\n}}\n\n{attribute}\
             fn find{number}(request: &axum::http::request::Parts) -> Option<&str> {{\n    \
             request.headers.get(\"x-session-{number}\").and_then(|value| value.to_str().ok())\n}}\n"
        );
    }
    text.push_str("\nfn main() {\n    let app: axum::Router = axum::Router::new();\n");
    for number in 0..COUNT {
        let layer = if macros {
            format!("session_runtime::session!(<Visit{number}>, session_expire = 30m)")
        } else {
            format!(
                "session_runtime::SessionLayer::<Visit{number}>::builder().session_id_callback(find{number})\
                 .session_expire(1800).build().unwrap()"
            )
        };
        let _ = writeln!(text, "    let _layer = {layer};");
    }
    text.push_str("    drop(app);\n}\n");
    text
}
