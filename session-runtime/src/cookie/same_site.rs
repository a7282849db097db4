//! When a browser sends the cookie.

/// When a browser sends the cookie along with requests that other sites cause (RFC 6265bis, section 5.6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// Never, not even when a user follows a link from another site: the first page looks logged out. It breaks the return from
    /// an OAuth provider.
    Strict,
    /// With top-level navigation by a safe method, such as a link that is followed.
    #[default]
    Lax,
    /// Always; implies `Secure`. For pages that other sites embed.
    None,
}
