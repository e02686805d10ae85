//! A server that is killed again and again.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tempfile::TempDir;

use crate::process::server_process::{ServerProcess, free_address};

/// Of the restarted servers one of so many is killed again while its clients come back.
const KILLED_AGAIN_ONE_IN: u32 = 4;
/// That long after it is up.
const KILLED_AGAIN_AFTER_MS: Range<u64> = 0..60;

/// A server that is killed and comes back over the same directory at the same address.
pub(super) struct Victim {
    server: Option<ServerProcess>,
    address: SocketAddr,
    dir: TempDir,
    environment: &'static [(&'static str, &'static str)],
    pub(super) rng: Rng,
    pub(super) kills: u64,
}

impl Victim {
    pub(super) fn start(seed: u64) -> Self {
        Self::start_with(seed, &[])
    }

    /// The same with variables of the environment.
    pub(super) fn start_with(seed: u64, environment: &'static [(&'static str, &'static str)]) -> Self {
        let (address, dir) = (free_address(), tempfile::tempdir().unwrap());
        let server = Some(ServerProcess::start_with(address, dir.path(), environment, None));
        Self { server, address, dir, environment, rng: Rng::with_seed(seed), kills: 0 }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it in order; false where it did not.
    pub(super) fn stop(mut self) -> bool {
        self.server.take().is_none_or(ServerProcess::stop)
    }

    /// Gives when it was up again for good.
    pub(super) async fn kill(&mut self) -> Instant {
        self.restart();
        while self.rng.u32(..KILLED_AGAIN_ONE_IN) == 0 {
            sleep_ms(self.rng.u64(KILLED_AGAIN_AFTER_MS)).await;
            self.restart();
        }
        Instant::now()
    }

    fn restart(&mut self) {
        let (address, dir, environment) = (self.address, self.dir.path(), self.environment);
        tokio::task::block_in_place(|| {
            if let Some(server) = self.server.take() {
                server.kill();
            }
            self.server = Some(ServerProcess::start_with(address, dir, environment, None));
        });
        self.kills += 1;
    }
}

pub(super) async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
