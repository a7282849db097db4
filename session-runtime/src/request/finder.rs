//! How the id is found in a request, as a layer runs it: the erased type of the `session_id_callback`s.

use http::request::Parts;

use super::carried::Carried;
use super::carried_id::CarriedId;
use crate::error::SessionError;
use crate::maybe_ready::MaybeReady;

pub type Done<'a> = MaybeReady<'a, Result<(), SessionError>>;

/// How the session id is found in a request, as the layer runs it.
pub struct SessionIdCallback {
    run: Run,
    /// It is a sync function.
    immediate: bool,
}

enum Run {
    Standard,
    /// A registered function: nothing is allocated for it.
    Function(fn(Ask<'_>) -> Done<'_>),
    Passed(Box<dyn RunSessionId>),
}

/// What a function that an attribute registered is asked: its kind is known only where it is named.
pub enum Ask<'a> {
    /// To find the id.
    Find(&'a mut Parts),
    /// Whether it is a sync function.
    IsImmediate(&'a mut bool),
}

/// A callback that was passed by name.
pub(crate) trait RunSessionId: Send + Sync {
    fn run<'a>(&'a self, request: &'a mut Parts) -> Done<'a>;
}

impl SessionIdCallback {
    /// `standard::fetch_session_id`.
    pub(crate) const fn standard() -> Self {
        Self { run: Run::Standard, immediate: false }
    }

    /// What an attribute registers; `run` calls `run_session_id` with the function.
    #[must_use]
    pub fn registered(run: fn(Ask<'_>) -> Done<'_>) -> Self {
        let mut immediate = false;
        drop(run(Ask::IsImmediate(&mut immediate)));
        Self { run: Run::Function(run), immediate }
    }

    pub(crate) fn passed(callback: impl RunSessionId + 'static, immediate: bool) -> Self {
        Self { run: Run::Passed(Box::new(callback)), immediate }
    }

    /// Whether it is `standard::fetch_session_id` (also when it was passed by name), which looks only when the id is needed.
    pub(crate) const fn is_standard(&self) -> bool {
        matches!(self.run, Run::Standard)
    }

    #[cfg(test)]
    pub(crate) const fn is_function(&self) -> bool {
        matches!(self.run, Run::Function(_))
    }

    /// Whether [`call`](Self::call) always gives what is ready: it is a sync function.
    pub(crate) const fn is_immediate(&self) -> bool {
        self.immediate
    }

    /// Runs it. A panic, at the call or at a poll, is caught and answered with `CallbackPanicked`.
    pub(crate) fn call<'a>(&'a self, request: &'a mut Parts) -> Done<'a> {
        match &self.run {
            Run::Standard => MaybeReady::boxed(async {
                fetch_session_id(request).await;
                Ok(())
            }),
            Run::Function(run) => run(Ask::Find(request)),
            Run::Passed(callback) => callback.run(request),
        }
    }
}

/// Takes the id from the cookie, unless one is set already.
pub(crate) async fn fetch_session_id(request: &mut Parts) {
    let carried = Carried::of(&mut request.extensions);
    if carried.set(carried.depth()).is_some() {
        return;
    }
    let current = carried.current.clone();
    let name = current.as_ref().map_or("SESSION_ID", |layer| layer.cookie_name());
    let mut id = CarriedId::in_cookies(&request.headers, name);
    if let (CarriedId::Ambiguous(_), Some(layer)) = (&id, current) {
        id = layer.settle(&id).await;
    }
    Carried::of(&mut request.extensions).put(id);
}
