//! Cookies: what their options may be, what a request brings, and what a response sends.

pub(crate) mod check;
pub(crate) mod header;
mod same_site;
mod template;

pub(crate) use header::{Values, cookie_headers, is_in, unquoted, values};
pub use same_site::SameSite;
pub(crate) use template::{CookieOptions, CookieTemplate};
