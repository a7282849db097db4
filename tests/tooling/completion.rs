//! In an editor the macros do not stand in the way: rust-analyzer completes inside of `session!` and of annotated functions, also
//! where the input is typed half.
//!
//! Runs where rust-analyzer is installed: the one that `RUST_ANALYZER` names, or else the one on the `PATH`.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::editor::{self, Editor};

/// What stands before the line that is typed.
const BEFORE: &str = "
use axum::{extract::Request, http::request::Parts, middleware::Next, response::Response};
use session_runtime::{Session, SessionLayer, SessionRequestExt, store::MemoryStore};
use session_runtime::{generate_session_id, session, session_id_callback, session_middleware, standard};

pub struct Visit { pub pages: u32 }
impl Clone for Visit { fn clone(&self) -> Self { Visit { pages: self.pages } } }
impl Visit { pub fn fresh() -> Self { Visit { pages: 0 } } }

pub const VISIT_COOKIE: &str = \"visit\";
pub fn find_visit(_request: &Parts) -> Option<&str> { None }
";

/// One for all the tests: the others wait.
static EDITOR: LazyLock<Option<Mutex<Editor>>> = LazyLock::new(|| {
    let Some(program) = editor::installed() else {
        // Not by `println!`, which is not shown where the test passes.
        let _ = writeln!(io::stdout(), "not tested: no rust-analyzer runs here (set RUST_ANALYZER to the path of one)");
        return None;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("completion");
    Some(Mutex::new(Editor::open(&program, &folder)))
});

fn editor() -> Option<MutexGuard<'static, Editor>> {
    EDITOR.as_ref().map(|editor| editor.lock().unwrap_or_else(PoisonError::into_inner))
}

/// At the `|` in each of `lines` all of `expected` is offered.
#[track_caller]
fn assert_offers(lines: &[&str], expected: &[&str]) {
    let Some(mut editor) = editor() else { return };
    for line in lines {
        let offered = editor.completions(&format!("{BEFORE}{line}\n"));
        let missing: Vec<_> = expected.iter().filter(|name| !offered.iter().any(|label| label == *name)).collect();
        assert!(missing.is_empty(), "`{line}` does not offer {missing:?}, but {offered:?}");
    }
}

/// At the `|` in this input of `session!` all of `expected` is offered.
#[track_caller]
fn assert_session_offers(inputs: &[&str], expected: &[&str]) {
    let lines: Vec<_> = inputs
        .iter()
        .map(|input| format!("fn layer(my_store: MemoryStore<Visit>) -> SessionLayer<Visit> {{ session!({input}) }}"))
        .collect();
    assert_offers(&lines.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn the_options_are_offered_wherever_one_may_stand() {
    let inputs = [
        "<Visit>, sess|",
        "<Visit>, |",
        "Visit, sess|",
        "<Visit>, sess|, secure = true",
        "<Visit>, sess| secure = true",
        "<Visit>, | secure = true",
        "<Visit>, secure = true, sess|",
        "<Visit>,\n    secure = true,\n    |\n    path = \"/\",\n",
    ];
    assert_session_offers(
        &inputs,
        &["session_expire", "session_id_callback", "cookie_name", "on_store_error", "on_undecodable", "namespace"],
    );
}

#[test]
fn the_words_that_an_option_takes_are_offered() {
    assert_session_offers(&["<Visit>, same_site = |", "<Visit>, same_site = L|, secure = true"], &["Strict", "Lax", "None"]);
    assert_session_offers(&["<Visit>, on_store_error = |", "<Visit>, on_store_error = An|"], &["Fail", "Anonymous"]);
    assert_session_offers(&["<Visit>, on_undecodable = |", "<Visit>, on_undecodable = Di|"], &["Fail", "Discard"]);
    assert_session_offers(&["<Visit>, when_full = |", "<Visit>, when_full = Re|"], &["EndOldest", "Refuse"]);
}

#[test]
fn a_value_is_completed_as_an_expression_is_anywhere() {
    assert_session_offers(&["<Visit>, default_data = Vis|", "<Visit>, default_data = |"], &["Visit", "VISIT_COOKIE"]);
    assert_session_offers(&["<Visit>, default_data = Visit::|", "<Visit>, default_data = Visit::fr|"], &["fresh"]);
    assert_session_offers(&["<Visit>, default_data = Visit { pa| }"], &["pages"]);
    assert_session_offers(&["<Visit>, session_id_callback = find|"], &["find_visit"]);
    assert_session_offers(&["<Visit>, middleware = standard::la|"], &["lazy_session_middleware"]);
    assert_session_offers(&["<Visit>, cookie_name = VIS|"], &["VISIT_COOKIE"]);
    assert_session_offers(&["<Visit>, secure = true, store = my|"], &["my_store"]);
    assert_session_offers(&["<Visit>, store = MemoryStore::|"], &["new"]);
}

#[test]
fn the_data_type_is_offered() {
    assert_session_offers(&["<Vis|>", "<|>", "Vis|", "|", "<Vis|", "<Vis|>, secure = true"], &["Visit"]);
    let attributes = [
        "#[session_id_callback(Vis|)] fn find(request: &mut Parts) {}",
        "#[session_id_callback(|)] fn find(request: &mut Parts) {}",
        "#[generate_session_id(Visit, Vis|)] fn generate() -> String {}",
    ];
    assert_offers(&attributes, &["Visit"]);
}

#[test]
fn the_body_of_an_annotated_function_is_completed() {
    let heads = [
        "#[session_id_callback] fn find(request: &mut Parts) { request.| }",
        "#[session_id_callback(Visit)] fn find(request: &mut Parts) { request.set_s| }",
        "#[session_id_callback(Visit)] async fn find(request: &Parts) -> Option<&str> { request.coo| }",
        "fn outer() { #[session_id_callback] fn find(request: &mut Parts) { request.| } }",
    ];
    assert_offers(&heads, &["headers", "set_session_id", "cookie"]);
    let middleware =
        "#[session_middleware(Visit)] async fn run(session_system: Session<Visit>, request: Request, next: Next) -> Response";
    assert_offers(&[&format!("{middleware} {{ session_system.| }}")], &["create_session", "update_session"]);
    assert_offers(&[&format!("{middleware} {{ let response = next.r| }}")], &["run"]);
    assert_offers(&["#[generate_session_id(Visit)] fn generate() -> String { standard::ge| }"], &["generate_session_id"]);
}

#[test]
fn the_body_of_a_function_that_is_no_callback_is_completed_all_the_same() {
    let heads = [
        "#[session_id_callback(Visit)] fn find(request: &mut Parts, second: u8) { request.| }",
        "#[session_id_callback] unsafe fn find<T>(request: &mut Parts) -> ! { request.| }",
        "#[session_id_callback] #[generate_session_id] fn find(request: &mut Parts) { request.| }",
        "#[session_id_callback(5, crate =)] fn find(request: &mut Parts) { request.| }",
        "impl Visit { #[session_id_callback] fn find(request: &mut Parts) { request.| } }",
    ];
    assert_offers(&heads, &["headers", "set_session_id"]);
}

#[test]
fn a_half_typed_annotated_function_is_completed() {
    let types = [
        "#[session_id_callback(Visit)] fn find(request: &mut Par|) {}",
        "#[session_id_callback(Visit)] fn find(request: &mut Par|)",
        "#[session_id_callback] fn find(request: &mut Par|",
        "#[session_id_callback] fn find(|",
    ];
    assert_offers(&types, &["Parts"]);
    assert_offers(&["#[session_middleware(Visit)] async fn run(session_system: Session<Vis|>)"], &["Visit"]);
    assert_offers(&["#[session_middleware(Visit)] async fn run(_: Session<Visit>, request: Request) -> Res|"], &["Response"]);
    assert_offers(&["#[session_id_callback] fn find(request: &mut Parts) { if request.|\n\nfn other() {}"], &["headers"]);
}

#[test]
fn an_option_shows_its_documentation() {
    let Some(mut editor) = editor() else { return };
    for (option, shown) in
        [("session_ex|pire = 24h", "idle limit"), ("same|_site = Lax", "SameSite"), ("def|ault_data = Visit::fresh()", "data")]
    {
        let hover = editor.hover(&format!("{BEFORE}fn layer() {{ session!(<Visit>, {option}); }}\n"));
        assert!(hover.contains(shown), "{option}: {hover}");
    }
}

#[test]
fn what_is_right_is_no_error_in_the_editor() {
    let Some(mut editor) = editor() else { return };
    let right = "
fn layer() -> SessionLayer<Visit> {
    session!(<Visit>, default_data = Visit::fresh(), session_expire = 24h, same_site = Lax, secure = true, cookie_name = VISIT_COOKIE)
}

#[session_id_callback(Visit)]
fn find(request: &Parts) -> Option<&str> { request.cookie(\"visit\") }

#[session_middleware(Visit)]
async fn run(_: Session<Visit>, request: Request, next: Next) -> Response { next.run(request).await }
";
    let errors = editor.errors(&format!("{BEFORE}{right}"));
    assert!(errors.is_empty(), "{errors:?}");
}
