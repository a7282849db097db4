//! What `#[session_owner(T)]` implements for `T`.

use super::callback::OwnerCallback;
use super::id::OwnerId;

/// The data type whose owner is registered: `#[session_owner(T)]` implements it.
#[diagnostic::on_unimplemented(
    message = "no owner is registered for sessions with `{Self}`",
    label = "no `#[session_owner({Self})]`",
    note = "register a function: `#[session_owner({Self})] fn owner(data: &{Self}) -> Option<u64>`"
)]
pub trait RegisteredOwner: Sized {
    /// The owner, as the function returns it, or the same without a borrow.
    type Owner: OwnerId + Send + Sync + 'static;

    /// Who a session with this data belongs to.
    fn owner(&self) -> Option<Self::Owner>;

    /// The function that is registered.
    fn register<Callback>() -> OwnerCallback<Self>;
}
