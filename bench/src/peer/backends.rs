//! PostgreSQL and Redis of the distribution, on free ports, in a directory that goes with the run.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::{free_port, wait_for};

/// Where the distribution keeps PostgreSQL's programs.
const POSTGRES: &str = "/usr/lib/postgresql/15/bin";
/// Nothing leaves this machine; the password only has to be one.
const PASSWORD: &str = "peer";

/// Both, running.
pub(super) struct Backends {
    postgres_port: u16,
    redis_port: u16,
    _daemons: [Daemon; 2],
}

/// A process that is told to end, and waited for.
struct Daemon {
    child: Child,
    signal: Signal,
}

impl Backends {
    pub(super) fn start(dir: &Path, schema: &Path) -> anyhow::Result<Self> {
        // The package's user has to come through.
        fs::set_permissions(dir, Permissions::from_mode(0o755))?;
        let (postgres_port, postgres) = start_postgres(&dir.join("postgres"))?;
        let (redis_port, redis) = start_redis(dir)?;
        let backends = Self { postgres_port, redis_port, _daemons: [postgres, redis] };
        run(Command::new("psql")
            .arg(backends.postgres_url())
            .args(["-q", "-v", "ON_ERROR_STOP=1", "-f"])
            .arg(schema))?;
        Ok(backends)
    }

    pub(super) fn postgres_url(&self) -> String {
        format!("postgres://peer:{PASSWORD}@127.0.0.1:{}/postgres", self.postgres_port)
    }

    pub(super) fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.redis_port)
    }
}

fn start_postgres(data: &Path) -> anyhow::Result<(u16, Daemon)> {
    let password = data.with_extension("password");
    fs::write(&password, PASSWORD)?;
    fs::set_permissions(&password, Permissions::from_mode(0o644))?;
    let mut owned = Command::new("install");
    owned.args(["-d", "-m", "700"]);
    if geteuid().is_root() {
        owned.args(["-o", "postgres", "-g", "postgres"]);
    }
    run(owned.arg(data))?;
    run(as_postgres("initdb")
        .args(["-N", "-U", "peer", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"])
        .arg(format!("--pwfile={}", password.display()))
        .arg("-D")
        .arg(data))?;
    let port = free_port()?;
    let mut command = as_postgres("postgres");
    command.arg("-D").arg(data);
    let settings = [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "fsync=on".to_owned(),
        "full_page_writes=on".to_owned(),
        "synchronous_commit=on".to_owned(),
        "shared_buffers=128MB".to_owned(),
        "jit=off".to_owned(),
    ];
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    let child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot start postgres")?;
    let daemon = Daemon { child, signal: Signal::INT };
    wait_for(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok((port, daemon))
}

/// PostgreSQL does not run as root: then it runs as the package's user.
fn as_postgres(program: &str) -> Command {
    let program = PathBuf::from(POSTGRES).join(program);
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

fn start_redis(dir: &Path) -> anyhow::Result<(u16, Daemon)> {
    let port = free_port()?;
    let child = Command::new("redis-server")
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
        ])
        .arg(dir)
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start redis-server")?;
    let daemon = Daemon { child, signal: Signal::TERM };
    wait_for(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok((port, daemon))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let done = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command:?} failed: {said}");
    Ok(())
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(pid, self.signal);
        }
        let _ = self.child.wait();
    }
}
