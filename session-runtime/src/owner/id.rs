//! What can be an owner.

/// What tells the owner of a session from all others: an integer, a text, 16 bytes such as those of a UUID, or a type of your own that
/// is made of these.
///
/// It has to be the same for all sessions of one owner, now and in later releases of the program, and different for different owners.
/// Integers of different types with the same value are the same owner, and so are a `String` and a `&str` with the same text.
///
/// ```
/// use session_runtime::{OwnerBytes, OwnerId};
///
/// /// A user of one of several tenants.
/// struct User { tenant: String, number: u64 }
///
/// impl OwnerId for User {
///     fn write(&self, owner: &mut OwnerBytes) {
///         self.tenant.write(owner);
///         self.number.write(owner);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what the owner of a session is known by",
    label = "expected an integer, `&str`, `String`, `[u8; 16]`, or a type of yours that implements `OwnerId`"
)]
pub trait OwnerId {
    /// Writes what tells this owner from all others, by the `write` of the parts that it is made of.
    fn write(&self, owner: &mut OwnerBytes);
}

/// What an [`OwnerId`] writes itself to.
#[derive(Default, PartialEq, Eq)]
pub struct OwnerBytes(Vec<u8>);

impl OwnerBytes {
    /// What `owner` writes.
    pub(crate) fn of(owner: &(impl OwnerId + ?Sized)) -> Self {
        let mut bytes = Self::default();
        owner.write(&mut bytes);
        bytes
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// A part of an owner. Its kind and its length come first: else two parts could be read as two others.
    fn push(&mut self, kind: u8, part: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.0.extend_from_slice(part);
    }
}

impl std::fmt::Debug for OwnerBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnerBytes(..)")
    }
}

const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const BYTES: u8 = 3;

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl OwnerId for $integer {
            fn write(&self, owner: &mut OwnerBytes) {
                // Their decimal digits: the same for all types of integers.
                owner.push(NUMBER, self.to_string().as_bytes());
            }
        }
    )*};
}

integers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

impl OwnerId for str {
    fn write(&self, owner: &mut OwnerBytes) {
        owner.push(TEXT, self.as_bytes());
    }
}

impl OwnerId for String {
    fn write(&self, owner: &mut OwnerBytes) {
        self.as_str().write(owner);
    }
}

impl OwnerId for [u8; 16] {
    fn write(&self, owner: &mut OwnerBytes) {
        owner.push(BYTES, self);
    }
}

impl<O: OwnerId + ?Sized> OwnerId for &O {
    fn write(&self, owner: &mut OwnerBytes) {
        (**self).write(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(owner: impl OwnerId) -> Vec<u8> {
        OwnerBytes::of(&owner).0
    }

    struct Pair(&'static str, &'static str);

    impl OwnerId for Pair {
        fn write(&self, owner: &mut OwnerBytes) {
            self.0.write(owner);
            self.1.write(owner);
        }
    }

    #[test]
    fn the_same_owner_writes_the_same_whatever_the_type() {
        assert_eq!(bytes(7_u8), bytes(7_i128));
        assert_eq!(bytes(7_u8), bytes(7_usize));
        assert_eq!(bytes("ada"), bytes(String::from("ada")));
        let borrowed = String::from("ada");
        assert_eq!(bytes("ada"), bytes(borrowed.as_str()));
    }

    #[test]
    fn different_owners_write_different_bytes() {
        let all = [
            bytes(7),
            bytes(-7),
            bytes(70),
            bytes("7"),
            bytes(""),
            bytes(*b"7777777777777777"),
            bytes("7777777777777777"),
            bytes(Pair("a", "bc")),
            bytes(Pair("ab", "c")),
            bytes(Pair("abc", "")),
            bytes("abc"),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[..place].iter().all(|other| other != one), "{place}");
        }
    }
}
