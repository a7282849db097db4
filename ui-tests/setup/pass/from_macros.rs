//! What a macro of the user's hands over.
#![deny(warnings)]

use session_runtime::store::MemoryStore;
use session_runtime::{SameSite, SessionLayer, session};

#[derive(Clone, Default)]
struct Visit;

macro_rules! by_expression {
    ($data:ty $(, $name:ident = $value:expr)*) => {
        session!(<$data> $(, $name = $value)*)
    };
}

macro_rules! by_kind {
    ($data:ident, $name:literal, $site:path, $limit:literal, $word:ident) => {
        session!($data, cookie_name = $name, same_site = $site, session_expire = $limit, on_store_error = $word)
    };
}

macro_rules! by_tokens {
    ($($tokens:tt)*) => {
        session!($($tokens)*)
    };
}

fn main() {
    let _: [SessionLayer<Visit>; 6] = [
        by_expression!(Visit),
        by_expression!(Visit, same_site = Strict, secure = true, session_expire = 1h, cookie_name = "visit"),
        by_expression!(Visit, same_site = if cfg!(unix) { Lax } else { Strict }, session_expire = 1h + 30m),
        by_expression!(Visit, default_data = Visit, store = MemoryStore::new(), on_undecodable = Discard),
        by_kind!(Visit, "visit", SameSite::Lax, 30m, Anonymous),
        by_tokens!(<Visit>, same_site = None, secure = true, absolute_expire = 7d,),
    ];
}
