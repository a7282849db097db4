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

/// Sweeps every `interval`, for as long as the store is there. A sweep that fails, or panics, does not end the sweeping.
pub(super) fn start<S: Sweep>(store: Weak<S>, interval: Duration) {
    tokio::spawn(async move {
        loop {
            // Up to a tenth less, so that processes that started together do not go on together.
            tokio::time::sleep(interval.mul_f64(rand::random_range(0.9..1.0))).await;
            let Some(store) = store.upgrade() else { return };
            let swept = tokio::spawn(async move { store.sweep().await }).await;
            match swept {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => log::warn(&error, "sweeping expired sessions failed; it is tried again"),
                Err(error) => log::warn(&error, "sweeping expired sessions panicked; it is tried again"),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    /// Panics, then fails, then sweeps.
    #[derive(Default)]
    struct Unlucky {
        sweeps: AtomicU32,
        has_swept: Notify,
    }

    impl Sweep for Unlucky {
        async fn sweep(&self) -> Result<u64, StoreError> {
            match self.sweeps.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("a sweep that panics, as this test has it"),
                1 => Err(StoreError::unavailable("a sweep that fails")),
                _ => {
                    self.has_swept.notify_one();
                    Ok(0)
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sweep_that_panics_or_fails_does_not_end_the_sweeping() {
        let store = Arc::new(Unlucky::default());
        start(Arc::downgrade(&store), Duration::from_secs(60));
        tokio::time::timeout(Duration::from_secs(600), store.has_swept.notified()).await.expect("it sweeps on");
    }
}
