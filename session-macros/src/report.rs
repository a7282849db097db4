//! A panic of a macro is a mistake of this crate: it becomes an error that says so, beside what the user wrote.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proc_macro2::{Span, TokenStream};
use syn::Error;

/// What `expand` gives, or if it panics `given_back` and an error that asks for a report.
pub(crate) fn or_report(given_back: TokenStream, expand: impl FnOnce() -> TokenStream) -> TokenStream {
    catch_unwind(AssertUnwindSafe(expand)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        let message = format!(
            "this is a mistake of session-macros, not yours: {text}\n= help: please report it with these lines, at \
             https://github.com/session-runtime/session-runtime/issues",
        );
        given_back.into_iter().chain(Error::new(Span::call_site(), message).into_compile_error()).collect()
    })
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn a_panic_becomes_an_error_beside_what_was_given() {
        let item = quote!(
            fn callback() {}
        );
        let output = or_report(item.clone(), || panic!("no {}", "tokens")).to_string();
        assert!(output.starts_with(&item.to_string()), "{output}");
        assert!(output.contains("compile_error") && output.contains("no tokens") && output.contains("report"), "{output}");
    }

    #[test]
    fn without_a_panic_the_expansion_is_all() {
        assert_eq!(or_report(quote!(item), || quote!(expanded)).to_string(), "expanded");
    }
}
