//! Limits of one session: "remember me".

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::core::{Base, BeginChange, BeginLimit, ChangeKind};
use super::driver::{Called, Driver, Exclusive, OwnLimits};
use super::retries::Retries;
use crate::error::SessionError;
use crate::store::{Attributes, Change, Limits, NewLifetime, Replaced};

/// How long one session lives, and whether its cookie outlives the browser: for "remember me". It is kept with the session, through every change and
/// rotation, whatever the layer's own limits are.
///
/// ```
/// use std::time::Duration;
/// use session_runtime::Lifetime;
///
/// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// let remembered = Lifetime::idle(30 * DAY).absolute(90 * DAY).persistent(true);
/// # let _ = remembered;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a lifetime does nothing until it is given to `SessionData::set_lifetime`"]
pub struct Lifetime {
    limits: Limits,
    persistent: Option<bool>,
}

impl Lifetime {
    /// It lives for `limit` since it was last used, with no absolute limit, and its cookie outlives the browser if the layer says so.
    pub const fn idle(limit: Duration) -> Self {
        Self { limits: Limits::new(limit, None), persistent: None }
    }

    /// It lives for at most `limit` since it was created.
    pub const fn absolute(mut self, limit: Duration) -> Self {
        self.limits.absolute = Some(limit);
        self
    }

    /// Whether its cookie outlives the browser: with `true` it has a `Max-Age`, the time that the session has left.
    pub const fn persistent(mut self, persistent: bool) -> Self {
        self.persistent = Some(persistent);
        self
    }
}

impl<T: Clone + Send + Sync + 'static> Driver<T> {
    /// Gives the session limits of its own. If there is none, it is created where a change would create it.
    pub(super) async fn set_lifetime(self: &Arc<Self>, lifetime: Lifetime) -> Result<(), SessionError> {
        let Lifetime { limits, persistent } = lifetime;
        let mut retries = Retries::new();
        loop {
            let begin = self.core().begin_change(ChangeKind::Edit)?;
            let base = match begin {
                BeginChange::From(base) => base,
                BeginChange::Create(create) => {
                    let data = Arc::clone(&self.setup.default_data);
                    match self.create(create, data, Some(&OwnLimits { limits, persistent })).await? {
                        Some(_) => return Ok(()),
                        // Another task of this request was faster.
                        None => continue,
                    }
                }
            };
            let begin = self.core().begin_limit(&self.setup.policy, &base, persistent)?;
            let attributes = match begin {
                BeginLimit::Set(attributes) => attributes,
                BeginLimit::IdChanged => continue,
                BeginLimit::Busy => {
                    self.idle().await?;
                    continue;
                }
            };
            let replaced = self.limit_to_its_end(&base, limits, attributes).await?;
            match replaced {
                Replaced::Replaced(_) => return Ok(()),
                Replaced::Conflict => self.retry(&mut retries, &base.id, ChangeKind::Edit).await?,
                Replaced::Missing => self.lost(&base.id, ChangeKind::Edit).await?,
            }
        }
    }

    fn limit_to_its_end<'a>(
        self: &Arc<Self>,
        base: &Base<T>,
        limits: Limits,
        attributes: Option<Arc<Attributes>>,
    ) -> Called<'a, Replaced> {
        let (driver, id, data, version) = (Arc::clone(self), base.id.clone(), Arc::clone(&base.data), base.version);
        self.to_its_end(false, async move {
            let _exclusive = Exclusive(&driver);
            let lifetime = Box::new(NewLifetime::new(limits, attributes.clone()));
            let change = Change { data: Arc::clone(&data), lifetime: Some(lifetime) };
            let replaced = driver.call("replace", |store| store.replace(driver.key(&id), version, change)).await?;
            if let Replaced::Replaced(version) = replaced {
                driver.core().limited(&driver.setup.policy, Instant::now, &id, version, data, (limits, attributes));
            }
            Ok(replaced)
        })
    }
}
