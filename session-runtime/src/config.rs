//! What a layer can be told, and what it does unless it is told otherwise.

use std::time::Duration;

use crate::error::ConfigError;

/// How long a session lives after it was last used: 24 hours, as in the system that this one is a port of.
pub(crate) const SESSION_EXPIRE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long one store call may take.
pub(crate) const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a request gets whose session cannot be read because the store is down or slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStoreError {
    /// 503.
    #[default]
    Fail,
    /// The request goes on as one without a session: it reads the default data, its changes answer 503, it gets no cookie, and
    /// the client keeps the one it has. For pages that are worth showing to a user who looks logged out for that time.
    Anonymous,
}

/// What a request gets whose session is there, but with data that cannot be read as the layer's type: it was written by a program
/// with another type, or by another program altogether.
///
/// Reading leaves the stored data as it is until it expires. A logout by [`Session::destroy`](crate::Session::destroy) ends it, and needs not read it;
/// with `Discard` so do a login and [`SessionData::destroy`](crate::SessionData::destroy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUndecodable {
    /// [`SessionError::Data`](crate::SessionError::Data), which answers 500. The client keeps its session for when the program reads
    /// it again.
    #[default]
    Fail,
    /// The request goes on as one whose session does not exist: a new one gets a new id. For programs that would rather log everybody
    /// out than fail after their data type has changed.
    Discard,
}

/// What becomes of a login if its owner has as many sessions as the option `owner_limit` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// It ends the session whose user proved who they are the longest ago.
    #[default]
    EndOldest,
    /// It is refused: [`SessionError::TooManySessions`](crate::SessionError::TooManySessions), which answers 409. So is a second click on "log in" at the limit,
    /// and a login that is repeated because its answer was lost, until that session has expired.
    Refuse,
}

/// A duration of zero would expire every session at once.
pub(crate) const fn not_zero(option: &'static str, duration: Duration) -> Result<(), ConfigError> {
    if duration.is_zero() { Err(ConfigError::new(option, "is zero: give it a positive duration")) } else { Ok(()) }
}

/// An empty namespace is a value that is missing where it comes from.
pub(crate) const fn not_empty(name: &str) -> Result<(), ConfigError> {
    if name.is_empty() { Err(ConfigError::new("namespace", "is empty")) } else { Ok(()) }
}

/// A limit of zero would allow nothing.
pub(crate) const fn positive(option: &'static str, number: u32) -> Result<(), ConfigError> {
    if number == 0 { Err(ConfigError::new(option, "is zero: it is at least 1")) } else { Ok(()) }
}

/// A path of this site, as a redirect has it: `//host` would lead to another, and what is no visible ASCII character belongs encoded.
pub(crate) const fn login_path(path: &str) -> Result<(), ConfigError> {
    let bytes = path.as_bytes();
    if bytes.is_empty() || bytes[0] != b'/' {
        return Err(ConfigError::new("login_path", "must begin with `/`: it is a path of this site"));
    }
    if bytes.len() > 1 && (bytes[1] == b'/' || bytes[1] == b'\\') {
        return Err(ConfigError::new("login_path", "must not begin with `//` or `/\\`, which name another host"));
    }
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_graphic() {
            return Err(ConfigError::new("login_path", "has a character that a path needs percent-encoded"));
        }
        if bytes[at] == b'#' {
            return Err(ConfigError::new("login_path", "has a fragment, which would hide the page to go back to"));
        }
        at += 1;
    }
    Ok(())
}

/// Whether a path leads to this site alone.
pub(crate) const fn is_local_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        // A browser leaves tabs and line feeds out, and takes a backslash for a slash (WHATWG URL, sections 4.4 and 4.5).
        if bytes[at] <= b' ' || bytes[at] == b'\\' || bytes[at] == 127 {
            return false;
        }
        at += 1;
    }
    matches!(bytes, [b'/', ..]) && !matches!(bytes, [b'/', b'/', ..])
}
