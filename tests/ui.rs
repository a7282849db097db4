//! What the macros accept and refuse: one file per mistake with the compiler's message beside it, and the forms that compile.
//!
//! To renew the messages: `TRYBUILD=overwrite cargo test --test ui`, then read each as a newcomer would. To run some of them:
//! `cargo test --test ui -- every trybuild=session_middleware`.

#[test]
fn every_mistake_has_its_message_and_every_documented_form_compiles() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui-tests/**/fail/*.rs");
    cases.pass("ui-tests/**/pass/*.rs");
}
