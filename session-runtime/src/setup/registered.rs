//! The callbacks where none is given by name: those that an attribute registered for the data type, if any.
//!
//! `Data::<Visit>::__owner()` is the type's own function where its bound holds, else the trait's. (A path costs the compiler less than a
//! method, which it looks for by each way of borrowing.)

use crate::callback::Middleware;
use crate::callback::expansion::{RegisteredGenerate, RegisteredMiddleware, RegisteredOwner, RegisteredSessionId};
use crate::id::GenerateCallback;
use crate::owner::OwnerOf;
use crate::request::SessionIdCallback;
use crate::setup::data::Data;

impl<T: RegisteredSessionId> Data<T> {
    /// The `session_id_callback` that is registered.
    #[must_use]
    pub fn __session_id_callback() -> Option<SessionIdCallback> {
        Some(T::register::<()>())
    }
}

impl<T: RegisteredGenerate> Data<T> {
    /// The `generate_session_id_callback` that is registered.
    #[must_use]
    pub fn __generate_session_id_callback() -> Option<GenerateCallback> {
        Some(T::register::<()>())
    }
}

impl<T: RegisteredMiddleware> Data<T> {
    /// The `middleware` that is registered.
    #[must_use]
    pub fn __middleware() -> Option<Middleware<T>> {
        Some(T::register::<()>())
    }
}

impl<T: RegisteredOwner> Data<T> {
    /// The `owner` that is registered.
    #[must_use]
    pub fn __owner() -> Option<OwnerOf<T>> {
        Some(T::register::<()>())
    }
}

/// Nothing is registered: the builder has the standard callbacks already, by which a session is nobody's. What there would be is of the
/// type that the builder takes: of a data type that is not `Sized` there is none.
pub trait Standard {
    /// Leaves `standard::fetch_session_id`.
    #[must_use]
    fn __session_id_callback<C>() -> Option<C> {
        None
    }

    /// Leaves `standard::generate_session_id`.
    #[must_use]
    fn __generate_session_id_callback<C>() -> Option<C> {
        None
    }

    /// Leaves `standard::session_middleware`.
    #[must_use]
    fn __middleware<C>() -> Option<C> {
        None
    }

    /// Leaves nobody.
    #[must_use]
    fn __owner<C>() -> Option<C> {
        None
    }
}

impl<T: ?Sized> Standard for Data<T> {}

#[cfg(test)]
#[expect(clippy::unnecessary_wraps, reason = "the form of an owner function")]
mod tests {
    use crate::owner::OwnerBytes;
    use crate::{SessionLayer, session, session_owner};

    #[derive(Clone, Default)]
    struct Visit;

    #[derive(Clone, Default)]
    struct Plain;

    #[session_owner(Visit)]
    fn registered(_: &Visit) -> Option<&str> {
        Some("registered")
    }

    fn named<T>(_: &T) -> Option<&str> {
        Some("named")
    }

    fn owner<T: Clone + Default + Send + Sync + 'static>(layer: &SessionLayer<T>) -> Option<OwnerBytes> {
        layer.config().setup.owner.as_ref().and_then(|owner| owner.of(&T::default()))
    }

    fn generic<T: Clone + Default + Send + Sync + 'static>() -> SessionLayer<T> {
        session!(<T>)
    }

    #[test]
    fn the_owner_is_the_one_by_name_then_the_registered_one_then_nobody() {
        assert_eq!(owner(&session!(<Visit>, owner = named)), Some(OwnerBytes::of("named")));
        assert_eq!(owner(&session!(<Visit>)), Some(OwnerBytes::of("registered")));
        assert_eq!(owner(&session!(<Plain>)), None);
        assert_eq!(owner(&session!(<Plain>, owner = named)), Some(OwnerBytes::of("named")));
    }

    #[test]
    fn in_a_generic_function_no_registration_is_seen() {
        assert_eq!(owner(&generic::<Visit>()), None);
    }

    #[test]
    fn the_options_of_owners_reach_the_layer() {
        let layer = session!(<Visit>, owner_limit = 5, when_full = Refuse, login_path = "/login");
        let setup = &layer.config().setup;
        let limit = crate::store::OwnerLimit::new(std::num::NonZeroU32::new(5).unwrap(), crate::WhenFull::Refuse);
        assert_eq!((setup.owner_limit, setup.login_path.as_deref()), (Some(limit), Some("/login")));
    }

    #[test]
    fn a_wrong_option_of_owners_is_refused_when_the_layer_is_built() {
        for (builder, option) in [
            (SessionLayer::<Visit>::builder().owner_limit(0), "owner_limit"),
            (SessionLayer::builder().owner(named::<Visit>).when_full(crate::WhenFull::Refuse), "when_full"),
            (SessionLayer::builder().login_path("login"), "login_path"),
            (SessionLayer::builder().login_path("//example.com"), "login_path"),
            (SessionLayer::builder().login_path("/\\example.com"), "login_path"),
            (SessionLayer::builder().login_path("/log in"), "login_path"),
            (SessionLayer::builder().login_path("/login#form"), "login_path"),
            (SessionLayer::builder().login_path(""), "login_path"),
        ] {
            assert_eq!(builder.build().unwrap_err().option(), option);
        }
        assert!(SessionLayer::<Visit>::builder().owner(named::<Visit>).owner_limit(1).login_path("/").build().is_ok());
    }
}
