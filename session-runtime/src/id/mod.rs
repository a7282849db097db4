//! The session id, how a new one is made, and the name that it goes by in a store.

mod generator;
mod into_session_id;
mod key;
mod session_id;
mod shared;

pub use generator::GenerateCallback;
pub(crate) use generator::{Ask, Generated, RunGenerate, random_id};
pub use into_session_id::IntoSessionId;
pub use key::{HashSecret, Key, Namespace};
pub use session_id::{InvalidSessionId, SessionId};
pub(crate) use session_id::{MIN_ENTROPY_BITS, is_cookie_octet};
pub(crate) use shared::SharedId;
