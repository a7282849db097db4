//! The bounds of the data type, `Clone + Send + Sync + 'static`, asked for once.
//!
//! `(&&&&&data).__asked()` takes the first of the traits here whose implementation fits, from `&&&&Data<T>` to `Data<T>`: the one for types
//! that are all they must be, or else the one for types that miss a bound. (The method takes `&self`, hence one `&` more.)
//!
//! What is missing is then asked of the standard library's own trait, so that the compiler says what it says everywhere, and offers its
//! fixes: `Clone` by its method, `Send`, `Sync` and `Sized` by a cast to a trait object. What comes of it is of no known type, so that
//! nothing is found wrong after it: not by `Router::layer` either.

use std::marker::PhantomData;

use crate::layer::{Given, SessionLayer, SessionLayerBuilder};
use crate::setup::data::Data;

/// A builder for `T`, and what makes it a layer; the two do not ask for the bounds of `T` once more.
pub struct Start<T> {
    /// The data type, whose registered callbacks are looked up.
    pub data: Data<T>,
    /// Takes the options.
    pub builder: SessionLayerBuilder<T>,
    /// Makes the layer of options that were checked when the program was compiled.
    pub finish: fn(SessionLayerBuilder<T, Given<T>>) -> SessionLayer<T>,
}

/// What is asked of the data type: that `C` is `Clone`, and that a pointer to `T` is one to `As`.
pub struct Asked<S, C, T: ?Sized, As: ?Sized> {
    /// The start of the set-up.
    pub start: S,
    /// Is never read through.
    pub pointer: *const T,
    asks: PhantomData<fn(C, *const As)>,
}

impl<S, C, T: ?Sized, As: ?Sized> Asked<S, C, T, As> {
    /// Asks: the arguments are what is asked for.
    #[expect(clippy::unused_self, reason = "its type is what is asked for")]
    pub fn __ask(&self, _clone: fn(&C) -> C, _pointer: *const As) {}
}

/// `T` is all that session data must be.
///
/// The traits below are for types that are not: none of their methods can be called, since what they ask for does not hold.
pub trait DataIsWhole<T> {
    /// Starts the set-up.
    fn __asked(&self) -> Asked<Start<T>, (), (), ()>;
}

impl<T: Clone + Send + Sync + 'static> DataIsWhole<T> for &&&&Data<T> {
    fn __asked(&self) -> Asked<Start<T>, (), (), ()> {
        let start = Start { data: Data::NEW, builder: SessionLayer::builder(), finish: SessionLayerBuilder::build_checked };
        Asked { start, pointer: std::ptr::null(), asks: PhantomData }
    }
}

/// `T` is not `Sync`.
pub trait DataMustBeSync<T> {
    /// Asks for the bound.
    fn __asked<S>(&self) -> Asked<S, (), T, dyn Sync>;
}

impl<T: Clone + Send> DataMustBeSync<T> for &&&Data<T> {
    fn __asked<S>(&self) -> Asked<S, (), T, dyn Sync> {
        unreachable!("data that is not `Sync` does not compile")
    }
}

/// `T` is not `Send`.
pub trait DataMustBeSend<T> {
    /// Asks for the bound.
    fn __asked<S>(&self) -> Asked<S, (), T, dyn Send>;
}

impl<T: Clone> DataMustBeSend<T> for &&Data<T> {
    fn __asked<S>(&self) -> Asked<S, (), T, dyn Send> {
        unreachable!("data that is not `Send` does not compile")
    }
}

/// `T` is not `Clone`.
pub trait DataMustBeClone<T> {
    /// Asks for the bound.
    fn __asked<S>(&self) -> Asked<S, T, (), ()>;
}

impl<T> DataMustBeClone<T> for &Data<T> {
    fn __asked<S>(&self) -> Asked<S, T, (), ()> {
        unreachable!("data that is not `Clone` does not compile")
    }
}

/// `T` is not `Sized`.
pub trait DataMustBeSized<T: ?Sized> {
    /// Asks for the bound.
    fn __asked<S>(&self) -> Asked<S, (), T, dyn Send>;
}

impl<T: ?Sized> DataMustBeSized<T> for Data<T> {
    fn __asked<S>(&self) -> Asked<S, (), T, dyn Send> {
        unreachable!("data that is not `Sized` does not compile")
    }
}
