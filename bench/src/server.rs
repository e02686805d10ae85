//! The server that is measured, as a process of its own.

use std::env;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A running server; killed when it is dropped.
pub(crate) struct Server {
    pub address: SocketAddr,
    child: Child,
}

/// Where a program runs: on one core, or wherever the kernel likes. It ends with the generator, however that ends.
pub(crate) fn command(program: &Path, core: Option<usize>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    if let Some(core) = core {
        command.args(["taskset", "--cpu-list", &core.to_string()]);
    }
    command.arg(program);
    command
}

impl Server {
    /// Starts Tidings over a data directory and waits until it says that it is up. Its log goes beside the data.
    /// It is configured by `environment` alone, and by nothing of the environment that the run was started in.
    pub(crate) fn start(
        binary: &Path,
        data_dir: &Path,
        core: Option<usize>,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let log = File::create(log_of(data_dir))?;
        let mut command = command(binary, core);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_")) {
            command.env_remove(name);
        }
        let child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .env("TIDINGS_LOG", "warn")
            .env("TIDINGS_RATE_LIMITS", "off")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Self::listening(child).with_context(|| format!("see {}", log_of(data_dir).display()))
    }

    /// A server that says on its standard output where it listens.
    pub(crate) fn listening(mut child: Child) -> anyhow::Result<Self> {
        let said = child.stdout.take().context("the server's output")?;
        let address = BufReader::new(said).lines().map_while(Result::ok).find_map(|line| {
            let url = line.trim().strip_prefix("Open")?.trim().trim_end_matches('/').to_owned();
            url.strip_prefix("http://")?.parse().ok()
        });
        match address {
            Some(address) => Ok(Self { address, child }),
            None => {
                let _ = child.kill();
                bail!("the server did not come up ({})", child.wait()?);
            }
        }
    }

    /// A server that somebody else has started as this child.
    pub(crate) fn of(child: Child, address: SocketAddr) -> Self {
        Self { address, child }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and waits until the process is gone.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// kill -9, and waits until the process is gone.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.pid().cast_signed()).context("a process id")?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already after stop or kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(data_dir: &Path) -> PathBuf {
    data_dir.with_extension("log")
}
