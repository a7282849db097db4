//! The bounds of the data type, `Clone + Send + Sync + 'static`, asked for once.
//!
//! `(&&&&data).start()` takes the first of the traits here whose implementation fits, from `&&&Data<T>` to `Data<T>`: the one for
//! types that are all they must be, or else the one that asks for the bound that is missing. (The method takes `&self`, hence one
//! `&` more.)

use crate::layer::{Given, SessionLayer, SessionLayerBuilder};
use crate::setup::data::Data;

/// A builder for `T`, and what makes it a layer; the two do not ask for the bounds of `T` once more.
pub struct Start<T> {
    /// Takes the options.
    pub builder: SessionLayerBuilder<T>,
    /// Makes the layer of options that were checked when the program was compiled.
    pub finish: fn(SessionLayerBuilder<T, Given<T>>) -> SessionLayer<T>,
}

/// `T` is all that session data must be.
///
/// The three traits below are for types that are not. Each asks for a bound that is known not to hold, so that the compiler says
/// in one error what is missing and why; none of their methods can be called.
pub trait DataIsWhole<T> {
    /// Starts the set-up.
    fn start(&self) -> Start<T>;
}

impl<T: Clone + Send + Sync + 'static> DataIsWhole<T> for &&&Data<T> {
    fn start(&self) -> Start<T> {
        Start { builder: SessionLayer::builder(), finish: SessionLayerBuilder::build_checked }
    }
}

/// `T` is not `Sync`.
pub trait DataMustBeSync<T> {
    /// Asks for the bound.
    fn start(&self) -> Start<T>
    where
        T: Sync;
}

impl<T: Clone + Send> DataMustBeSync<T> for &&Data<T> {
    fn start(&self) -> Start<T>
    where
        T: Sync,
    {
        unreachable!("data that is not `Sync` does not compile")
    }
}

/// `T` is not `Send`.
pub trait DataMustBeSend<T> {
    /// Asks for the bound.
    fn start(&self) -> Start<T>
    where
        T: Send;
}

impl<T: Clone> DataMustBeSend<T> for &Data<T> {
    fn start(&self) -> Start<T>
    where
        T: Send,
    {
        unreachable!("data that is not `Send` does not compile")
    }
}

/// `T` is not `Clone`.
pub trait DataMustBeClone<T> {
    /// Asks for the bound.
    fn start(&self) -> Start<T>
    where
        T: Clone;
}

impl<T> DataMustBeClone<T> for Data<T> {
    fn start(&self) -> Start<T>
    where
        T: Clone,
    {
        unreachable!("data that is not `Clone` does not compile")
    }
}
