//! Re-exports the session library: users of this crate depend on no other.

pub use session_runtime as session;
