//! Who a session belongs to.

mod callback;
mod handle;
mod id;
mod key;
mod registered;

pub use callback::OwnerOf;
pub use handle::{InvalidHandle, SessionHandle};
pub use id::{OwnerBytes, OwnerId};
pub use key::Owner;
pub use registered::{OwnerOfUnknownType, RegisteredOwner, owned};
