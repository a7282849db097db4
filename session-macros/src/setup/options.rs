//! The options of `session!`. To add one, add a line here and a method of the same name to the runtime's builder.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// An option.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What it is, in a line, for completion in an editor.
    doc: &'static str,
}

/// What an option takes.
#[derive(Debug)]
pub(super) enum Kind {
    /// The data type's value.
    Data,
    /// A function; one that is registered for the data type where it is not given.
    Callback,
    /// Any expression.
    Value,
    /// A constant.
    Constant { is: Constant, check: Option<Check> },
}

/// What a constant is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Constant {
    Duration,
    Text,
    Flag,
    /// A number of at least 1.
    Count,
    /// A variant of the runtime's enum `of`, written as a bare word.
    Word {
        of: &'static str,
        words: &'static [&'static str],
    },
}

/// The runtime's function that checks a constant.
#[derive(Debug)]
pub(super) enum Check {
    /// Takes the option's name and the value.
    Named(&'static str),
    /// Takes the value and those of these other options.
    Beside(&'static str, &'static [&'static str]),
}

const DURATION: Kind = Kind::Constant { is: Constant::Duration, check: Some(Check::Named("assert_not_zero")) };
const FLAG: Kind = Kind::Constant { is: Constant::Flag, check: None };
const SAME_SITE: Constant = Constant::Word { of: "SameSite", words: &["Strict", "Lax", "None"] };
const ON_STORE_ERROR: Constant = Constant::Word { of: "OnStoreError", words: &["Fail", "Anonymous"] };
const WHEN_FULL: Constant = Constant::Word { of: "WhenFull", words: &["EndOldest", "Refuse"] };
const COUNT: Kind = Kind::Constant { is: Constant::Count, check: Some(Check::Named("assert_positive")) };
const ON_UNDECODABLE: Constant = Constant::Word { of: "OnUndecodable", words: &["Fail", "Discard"] };

const fn word(is: Constant) -> Kind {
    Kind::Constant { is, check: None }
}

const fn text(check: &'static str, beside: &'static [&'static str]) -> Kind {
    Kind::Constant { is: Constant::Text, check: Some(Check::Beside(check, beside)) }
}

const fn checked_flag(check: &'static str, beside: &'static [&'static str]) -> Kind {
    Kind::Constant { is: Constant::Flag, check: Some(Check::Beside(check, beside)) }
}

const fn choice(name: &'static str, kind: Kind, doc: &'static str) -> Choice {
    Choice { name, kind, doc }
}

pub(super) const OPTIONS: &[Choice] = &[
    choice("default_data", Kind::Data, "The data of a new session; `T::default()` unless given."),
    choice("session_id_callback", Kind::Callback, "How the session id is found in a request; from the cookie unless given."),
    choice("generate_session_id_callback", Kind::Callback, "How a new session id is made; 100 random characters unless given."),
    choice("middleware", Kind::Callback, "What drives the session; a session for every visitor unless given."),
    choice("owner", Kind::Callback, "Whose a session is, computed from its data; nobody's unless given."),
    choice("owner_limit", COUNT, "How many sessions an owner may have at the same time; as many as are begun unless given."),
    choice("when_full", word(WHEN_FULL), "What a login gets whose user has `owner_limit` sessions; `EndOldest` unless given."),
    choice("login_path", text("assert_login_path", &[]), "Where a browser without a login is sent, such as `/login`."),
    choice("session_expire", DURATION, "How long a session lives since it was last used; `24h` unless given."),
    choice("absolute_expire", DURATION, "How long a session lives since it was created; as long as it is used, unless given."),
    choice("store", Kind::Value, "Where sessions are kept; in memory unless given."),
    choice("cookie_name", text("assert_cookie_name", &[]), "The cookie's name; `SESSION_ID` unless given."),
    choice(
        "namespace",
        text("assert_namespace", &[]),
        "What keeps its sessions apart from those of other layers in one store; defaults to the cookie's name.",
    ),
    choice("same_site", word(SAME_SITE), "The cookie's `SameSite`: `Strict`, `Lax` or `None`; `Lax` unless given."),
    choice(
        "secure",
        checked_flag("assert_secure", &["cookie_name", "same_site", "partitioned"]),
        "Whether the cookie is sent over https only; `true` unless given, but for localhost in a debug build.",
    ),
    choice("path", text("assert_path", &["cookie_name"]), "The cookie's `Path`; `/` unless given."),
    choice("domain", text("assert_domain", &["cookie_name"]), "The cookie's `Domain`; this host alone unless given."),
    choice("persistent", FLAG, "Whether the cookie outlives the browser; `false` unless given."),
    choice("partitioned", FLAG, "Whether the cookie is kept apart for each top-level site; `false` unless given."),
    choice("store_timeout", DURATION, "How long a store call may take; `2s` unless given."),
    choice("on_store_error", word(ON_STORE_ERROR), "What a request gets when the store fails; `Fail` unless given."),
    choice(
        "on_undecodable",
        word(ON_UNDECODABLE),
        "What a request gets when its session's data cannot be read; defaults to `Fail`.",
    ),
    choice("error_response", Kind::Value, "Your own answer of a `SessionError`: a function of it to a response."),
];

/// The option of this name.
pub(super) fn find(name: &str) -> Option<&'static Choice> {
    OPTIONS.iter().find(|choice| choice.name == name)
}

impl Choice {
    pub(super) const fn is_duration(&self) -> bool {
        matches!(self.kind, Kind::Constant { is: Constant::Duration, .. })
    }

    pub(super) const fn is_flag(&self) -> bool {
        matches!(self.kind, Kind::Constant { is: Constant::Flag, .. })
    }

    /// What the option takes, for errors.
    pub(super) fn takes(&self) -> String {
        match &self.kind {
            Kind::Data => "a value of the data type".to_owned(),
            Kind::Callback => "a function".to_owned(),
            Kind::Value if self.name == "store" => "a store such as `MemoryStore::new()`".to_owned(),
            Kind::Value => "a function of a `SessionError` to a response".to_owned(),
            Kind::Constant { is, .. } => is.takes(),
        }
    }

    /// The option with a value, for errors.
    pub(super) fn example(&self) -> String {
        let value = match &self.kind {
            Kind::Data | Kind::Callback | Kind::Value => "..",
            Kind::Constant { is: Constant::Duration, .. } => "30m",
            Kind::Constant { is: Constant::Text, .. } => "\"..\"",
            Kind::Constant { is: Constant::Flag, .. } => "true",
            Kind::Constant { is: Constant::Count, .. } => "5",
            Kind::Constant { is: Constant::Word { words, .. }, .. } => words.first().copied().unwrap_or(".."),
        };
        format!("{} = {value}", self.name)
    }
}

impl Constant {
    fn takes(self) -> String {
        match self {
            Self::Duration => "a duration such as `24h`, `30m`, `90s` or `7d`, or a number of seconds".to_owned(),
            Self::Text => "a text such as `\"..\"`".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Count => "a number of at least 1, such as `5`".to_owned(),
            Self::Word { words, .. } => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                match words.split_last() {
                    Some((last, others)) => format!("{} or {last}", others.join(", ")),
                    None => String::new(),
                }
            }
        }
    }
}

/// A struct with a field for each option: an editor completes the options by it, and the compiler answers with it when one is
/// given twice.
pub(crate) fn options() -> TokenStream {
    let names: Vec<_> = OPTIONS.iter().map(|choice| Ident::new(choice.name, Span::call_site())).collect();
    let docs = OPTIONS.iter().map(|choice| choice.doc);
    quote! {
        /// The options of `session!`, by name.
        #[doc(hidden)]
        pub struct Options {
            #(#[doc = #docs] pub #names: (),)*
        }

        impl Options {
            /// No option is given.
            pub const NONE: Self = Self { #(#names: (),)* };
        }
    }
}
