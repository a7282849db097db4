//! The task that sweeps a store now and then.

use std::future::Future;
use std::sync::Weak;
use std::time::Duration;

use crate::log;
use crate::store::StoreError;

pub(super) trait Sweep: Send + Sync + 'static {
    /// Removes what expired, unless another process is at it, and says how many rows went.
    fn sweep(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// Sweeps every `interval`, for as long as the store is there. A sweep that fails does not end the sweeping.
pub(super) fn start<S: Sweep>(store: Weak<S>, interval: Duration) {
    tokio::spawn(async move {
        loop {
            // Up to a tenth less, so that processes that started together do not go on together.
            tokio::time::sleep(interval.mul_f64(rand::random_range(0.9..1.0))).await;
            let Some(store) = store.upgrade() else { return };
            if let Err(error) = store.sweep().await {
                log::warn(&error, "sweeping expired sessions failed; it is tried again");
            }
        }
    });
}
