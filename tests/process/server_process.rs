//! A server in a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::iter;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use tidings_testkit::actors::Api;

/// The binary under test.
pub const TIDINGS: &str = env!("CARGO_BIN_EXE_tidings");

/// How a process ended by itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// At once, without a destructor.
    Aborted,
    /// In any other way.
    Otherwise(ExitStatus),
}

/// A running server; killed when it is dropped.
pub struct ServerProcess {
    pub api: Api,
    child: Child,
}

impl ServerProcess {
    /// Starts a server over a data directory and waits until it says that it is up.
    pub fn start(data_dir: &Path) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), data_dir)
    }

    /// The same at an address.
    pub fn start_at(address: SocketAddr, data_dir: &Path) -> Self {
        Self::start_with(address, data_dir, &[], None)
    }

    /// The same with variables of the environment, and with what it says on stderr in a file.
    pub fn start_with(
        address: SocketAddr,
        data_dir: &Path,
        environment: &[(&str, &str)],
        stderr: Option<&Path>,
    ) -> Self {
        Self::try_start_with(address, data_dir, environment, stderr).expect("it says where it is")
    }

    /// The same where it may end instead.
    pub fn try_start_with(
        address: SocketAddr,
        data_dir: &Path,
        environment: &[(&str, &str)],
        stderr: Option<&Path>,
    ) -> Option<Self> {
        let mut command = Command::new(TIDINGS);
        // Those that scale the tests are no configuration of a server, and a server refuses what it does not know.
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS_"))
        {
            command.env_remove(name);
        }
        command.args(["serve", "--listen", &address.to_string(), "--data-dir"]).arg(data_dir);
        // Nobody is held back, unless the test is about that.
        command.env("TIDINGS_RATE_LIMITS", "off");
        command.envs(environment.iter().copied()).stdout(Stdio::piped());
        if let Some(path) = stderr {
            command.stderr(File::create(path).expect("a file"));
        }
        let mut child = command.spawn().expect("the binary starts");
        let greeting = BufReader::new(child.stdout.take().expect("its output"));
        let url = greeting
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.trim().strip_prefix("Open")?.trim().trim_end_matches('/').to_owned()));
        let Some(url) = url else {
            child.wait().expect("it can be waited for");
            return None;
        };
        Some(Self { api: Api::new(url), child })
    }

    /// What the process has of the machine's memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// kill -9, and waits until the process is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }

    /// How it ended by itself; nothing when it did not within this time.
    pub fn wait_for_end(mut self, patience: Duration) -> Option<Ended> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                let is_abort = status.signal() == Some(Signal::ABORT.as_raw());
                return Some(if is_abort { Ended::Aborted } else { Ended::Otherwise(status) });
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    }

    /// SIGTERM, and whether it ended in order.
    pub fn stop(mut self) -> bool {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().expect("kill").success();
        told && self.child.wait().expect("it can be waited for").success()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Gone already after kill or stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Below the ephemeral ports, of which another test would be given one while its server is down.
const PORTS: Range<u16> = 12_000..20_000;

/// An address for a server that comes back at the same place.
pub fn free_address() -> SocketAddr {
    iter::repeat_with(|| SocketAddr::from((Ipv4Addr::LOCALHOST, fastrand::u16(PORTS))))
        .take(PORTS.len())
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a free port")
}
