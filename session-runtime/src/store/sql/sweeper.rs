//! The task that sweeps a store now and then.

use std::sync::Weak;
use std::time::Duration;

use super::{Dialect, Inner};

/// Sweeps every `interval`, for as long as the store is there. A sweep that fails does not end the sweeping.
pub(super) fn start<D: Dialect>(store: Weak<Inner<D>>, interval: Duration) {
    tokio::spawn(async move {
        loop {
            // Up to a tenth less, so that processes that started together do not go on together.
            tokio::time::sleep(interval.mul_f64(rand::random_range(0.9..1.0))).await;
            let Some(store) = store.upgrade() else { return };
            if let Err(error) = store.sweep().await {
                tracing::warn!(error = %super::unavailable(error), "sweeping expired sessions failed; it is tried again");
            }
        }
    });
}
