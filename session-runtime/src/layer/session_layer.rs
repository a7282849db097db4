//! The layer, as a router is given it.

use std::fmt;
use std::sync::Arc;

use crate::callback::Middleware;
use crate::session::Sessions;
use crate::session::driver::Setup;

/// What a layer was set up with.
pub(crate) struct Config<T> {
    pub(crate) setup: Arc<Setup<T>>,
    pub(crate) middleware: Middleware<T>,
}

/// Gives the routes that it is around sessions with data of type `T`.
///
/// [`session!`](crate::session!) makes one in a line; [`builder`](Self::builder) from values that are known only when the program
/// runs. Its clones share the store. Several layers of different data types, with different cookie names, may be around one route.
#[must_use = "a session layer does nothing until it is given to `Router::layer`"]
pub struct SessionLayer<T>(Arc<Config<T>>);

impl<T: Clone + Send + Sync + 'static> SessionLayer<T> {
    pub(crate) fn new(config: Config<T>) -> Self {
        Self(Arc::new(config))
    }

    /// The sessions of the layer by their owners, also outside of a request.
    #[must_use]
    pub fn sessions(&self) -> Sessions<T> {
        Sessions::of(Arc::clone(&self.0.setup))
    }

    pub(crate) const fn config(&self) -> &Arc<Config<T>> {
        &self.0
    }
}

impl<T> Clone for SessionLayer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for SessionLayer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").field("cookie", &self.0.setup.cookie.name()).finish_non_exhaustive()
    }
}
