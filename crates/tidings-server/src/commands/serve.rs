//! `tidings serve`.

use std::io::Write as _;

use anyhow::Context as _;
use rustix::fs::Mode;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Config;
use crate::lifecycle::start;

use super::{descriptors, logging};

/// Serves until a signal. A second one does not wait for the drain.
pub(super) fn serve(mut config: Config) -> anyhow::Result<()> {
    logging::init(&config);
    descriptors::reserve(&mut config.limits.connections_max);
    // Whatever the server writes is its user's alone, also in a directory that somebody else has made.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    // The allocator does not ask for pages of 2 MiB, of which an idle connection would keep a few KiB each; some
    // kernels give them unasked. Where there are none there is nothing to turn off.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen().context("cannot listen for signals")?;
        let mut running = start(config).await?;
        // Nobody has to listen: a closed pipe is no reason not to serve.
        let _ = writeln!(std::io::stdout(), "{}", running.greeting());
        tokio::select! {
            name = signals.next() => tracing::info!("{name}: finishing what is in flight"),
            // What is durable is; whoever started this process starts it again.
            error = running.failed() => return Err(error),
        }
        tokio::select! {
            () = running.shutdown() => {}
            name = signals.next() => tracing::warn!("{name} again: stopping at once; nothing acknowledged is lost"),
        }
        Ok(())
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
