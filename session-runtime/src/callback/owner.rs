//! `owner`: whose a session is, computed from its data.

use crate::callback::signature::{Never, Nothing};
use crate::owner::{OwnerBytes, OwnerId, OwnerOf};

/// What can be an `owner`: a function or closure `(data: &T) -> Option<O>`, pure and sync, where `O` is an integer, `&str`, `String`,
/// `[u8; 16]`, or a type of yours that implements [`OwnerId`]. What it returns may borrow from the data. The `Kind` is inferred.
///
/// A closure names its argument's type: `|visit: &Visit| visit.user`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an `owner` of sessions whose data is `{T}`",
    label = "not a function of the documented form",
    note = "an `owner` is `fn(data: &{T}) -> Option<O>`, where `O` is an integer, `&str`, `String`, `[u8; 16]` or a type that implements `OwnerId`; pure and sync",
    note = "pass the function itself, `f` and not `f(..)`; put `#[session_owner]` on it to see what is wrong with it"
)]
pub trait IntoOwner<T, Kind> {
    #[doc(hidden)]
    fn into_owner(self) -> OwnerOf<T>;
}

/// The kind of a function.
pub struct Function(());

// What the compiler would add of it names what no user can.
#[diagnostic::do_not_recommend]
impl<T, F> IntoOwner<T, Function> for F
where
    F: for<'a> OwnerFn<'a, T> + Send + Sync + 'static,
    T: 'static,
{
    fn into_owner(self) -> OwnerOf<T> {
        OwnerOf::new(move |data| owner_key(self(data)))
    }
}

// Of no type. Beside it the compiler does not take the kind above for the right one, and so does not name it.
#[diagnostic::do_not_recommend]
impl<T, F: Never> IntoOwner<T, Nothing> for F {
    fn into_owner(self) -> OwnerOf<T> {
        unreachable!("of no type")
    }
}

/// A function whose answer may borrow from its argument.
pub trait OwnerFn<'a, T: 'a>: Fn(&'a T) -> Option<<Self as OwnerFn<'a, T>>::Owner> {
    /// Whose the session is.
    type Owner: OwnerId;
}

impl<'a, T: 'a, F, O> OwnerFn<'a, T> for F
where
    F: Fn(&'a T) -> Option<O>,
    O: OwnerId,
{
    type Owner = O;
}

/// What an attribute registers; `owner` calls [`owner_key`] with what the function returns.
pub fn registered_owner<T: 'static>(owner: fn(&T) -> Option<OwnerBytes>) -> OwnerOf<T> {
    OwnerOf::new(owner)
}

/// The key of the owner that a function returned.
pub fn owner_key<O: OwnerId>(owner: Option<O>) -> Option<OwnerBytes> {
    owner.map(|owner| OwnerBytes::of(&owner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::RegisteredOwner;
    use crate::session_owner;

    struct Data {
        user: Option<u64>,
        name: Option<String>,
    }

    #[session_owner(Data)]
    fn registered(data: &Data) -> Option<u64> {
        data.user
    }

    fn of<Kind>(owner: impl IntoOwner<Data, Kind>, data: &Data) -> Option<OwnerBytes> {
        owner.into_owner().of(data)
    }

    fn by_name(data: &Data) -> Option<&str> {
        data.name.as_deref()
    }

    #[test]
    fn nobody_and_somebody_are_told_apart() {
        let guest = Data { user: None, name: None };
        let ada = Data { user: Some(7), name: Some("ada".to_owned()) };
        assert_eq!(Data::register::<()>().of(&guest), None);
        assert_eq!(Data::register::<()>().of(&ada), Some(OwnerBytes::of(&7_u8)));
        assert_eq!(of(registered, &ada), Some(OwnerBytes::of(&7_u64)));
    }

    #[test]
    fn an_owner_may_borrow_from_the_data() {
        let ada = Data { user: None, name: Some("ada".to_owned()) };
        assert_eq!(of(by_name, &ada), Some(OwnerBytes::of("ada")));
        assert_eq!(of(|data: &Data| data.name.clone(), &ada), Some(OwnerBytes::of(&"ada".to_owned())));
    }
}
