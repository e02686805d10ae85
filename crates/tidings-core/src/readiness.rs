//! Whether this node can serve.

use std::time::Duration;

use crate::error::StoreError;
use crate::services::Services;

/// Delivery is looked at this often while it is behind.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Services {
    /// Returns when the store has answered and delivery has reached the end that the log had then. One who asks gives
    /// it as long as a healthy node may take.
    ///
    /// # Errors
    /// The store's.
    pub async fn check_ready(&self) -> Result<(), StoreError> {
        self.store.check_readable().await?;
        let (end, _) = self.store.log_bounds().await?;
        while self.delivery.watermark() < end {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }
}
