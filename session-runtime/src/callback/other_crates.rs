//! Whether a data type that is called as one of the standard library's is one of them, or one of this crate that has the same name.
//!
//! `Named::<Vec<u8>>::IS_OWN` is the type's own constant for what is known here, else the trait's. For a type of another crate the attribute's
//! impl is for a type of the expansion's own ([`Choose`]), and so is legal; what is said of it is said by the traits that ask.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant, SystemTime};

use crate::callback::signature::Nothing;

/// Stands for a type, by its name.
pub struct Named<T: ?Sized>(PhantomData<fn() -> *const T>);

/// The trait below, without its name.
pub mod own {
    pub use super::Own as _;
}

/// A type that is not known here.
pub trait Own {
    /// It may be registered for.
    const IS_OWN: bool = true;
}

impl<T: ?Sized> Own for Named<T> {}

macro_rules! of_other_crates {
    ($([$($generics:tt)*] $Type:ty;)*) => {$(
        impl<$($generics)*> Named<$Type> {
            /// It is of another crate.
            pub const IS_OWN: bool = false;
        }
    )*};
}

of_other_crates! {
    [] bool; [] char; [] str; [] f32; [] f64;
    [] u8; [] u16; [] u32; [] u64; [] u128; [] usize;
    [] i8; [] i16; [] i32; [] i64; [] i128; [] isize;
    [] String; [] Duration; [] Instant; [] SystemTime; [] PathBuf;
    [T: ?Sized] Arc<T>; [T: ?Sized] Rc<T>; [T: ?Sized] Mutex<T>; [T: ?Sized] RwLock<T>;
    [T] Option<T>; [T, E] Result<T, E>;
    [T] Vec<T>; [T] VecDeque<T>; [T, S] HashSet<T, S>; [T] BTreeSet<T>; [K, V, S] HashMap<K, V, S>; [K, V] BTreeMap<K, V>;
}

/// Which type an attribute's impl is for.
pub struct Which<const IS_OWN: bool>;

/// `Data` where that is of this crate, else `Instead`.
pub trait Choose<Data: ?Sized, Instead> {
    /// The type of the impl.
    type Chosen: ?Sized;
}

impl<Data: ?Sized, Instead> Choose<Data, Instead> for Which<true> {
    type Chosen = Data;
}

impl<Data: ?Sized, Instead> Choose<Data, Instead> for Which<false> {
    type Chosen = Instead;
}

/// The data of a session, as the type that it is called by.
pub trait As<Data: ?Sized> {
    /// The same.
    fn data(&self) -> &Data;
}

impl<T: ?Sized> As<T> for T {
    fn data(&self) -> &T {
        self
    }
}

macro_rules! registers {
    ($($Role:ident $note:literal)*) => {$(
        /// Whether a data type may be registered for.
        #[diagnostic::on_unimplemented(
            message = "a callback is registered for a data type of this crate, and `{T}` is of another one",
            label = "of another crate",
            note = "wrap it, `struct Data({T});`, and register for that",
            note = $note
        )]
        pub trait $Role<T: ?Sized, const IS_OWN: bool> {
            #[doc(hidden)]
            type Passed<F>;

            #[doc(hidden)]
            fn pass<F>(callback: F) -> Self::Passed<F>;
        }

        #[diagnostic::do_not_recommend]
        impl<Callback, T: ?Sized> $Role<T, true> for Callback {
            type Passed<F> = F;

            fn pass<F>(callback: F) -> F {
                callback
            }
        }

        #[diagnostic::do_not_recommend]
        impl<Callback> $Role<Nothing, false> for Callback {
            type Passed<F> = F;

            fn pass<F>(callback: F) -> F {
                callback
            }
        }
    )*};
}

registers! {
    RegistersSessionId "or leave the type out here and pass the function by name: `session!(<{T}>, session_id_callback = ..)`"
    RegistersGenerate "or leave the type out here and pass the function by name: `session!(<{T}>, generate_session_id_callback = ..)`"
    RegistersMiddleware "or leave the type out here and pass the function by name: `session!(<{T}>, middleware = ..)`"
    RegistersOwner "or leave the type out here and pass the function by name: `session!(<{T}>, owner = ..)`"
}
