//! What the operator says: a file, the environment over it, flags over both.
//!
//! Every source becomes a list of settings by key; each is checked, also one that another source overrides, and all
//! mistakes are told at once. To add a key: a line in `Config::set` and in [`Config::to_toml`]; its variable is
//! `TIDINGS_` and the key in capitals, with `_` for `.`.

mod environment;
mod file;
mod mistakes;

use std::fmt;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use tidings_core::limits::{LimitError, Limits};
use tidings_gateway::gateway::Origins;
use tidings_store_sqlite::Upkeep;
use tracing_subscriber::EnvFilter;

pub use mistakes::{Mistake, Mistakes};

/// Below this a checkpoint would come with every other commit.
const WAL_BYTES_LEAST: u64 = 128 * 1024;
/// Above this a start after a crash would take seconds.
const WAL_BYTES_MOST: u64 = 1024 * 1024 * 1024;

/// The configuration of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The directory of everything durable, owned by this process.
    pub data_dir: PathBuf,
    /// Where truth is kept.
    pub store: Store,
    /// Above this size of the store's write-ahead log, in bytes, sends pause for a checkpoint.
    pub wal_bytes_max: u64,
    /// What goes to the log, as a filter of `tracing`: `info`, `tidings_gateway=debug,info`.
    pub log_filter: String,
    /// How it looks.
    pub log_format: LogFormat,
    /// Proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// Pages of which other origins may use the API. Where none is named, REST is for none and sockets are for all.
    pub origins: Origins,
    /// The certificate to serve TLS with, where the server does.
    pub tls: Option<TlsFiles>,
    /// Who may ask for metrics and details, beside the machine itself.
    pub ops_allow: Vec<IpNet>,
    /// What a client may do.
    pub limits: Limits,
    /// Whether it is counted how often clients do it; not for load tests.
    pub rate_limits: bool,
}

/// PEM files of TLS. Read at the start, and again whenever they change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those that lead from it to a known authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Where truth is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In the data directory.
    Sqlite,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            data_dir: PathBuf::from("./data"),
            store: Store::Sqlite,
            wal_bytes_max: Upkeep::default().wal_bytes_max,
            log_filter: "info".to_owned(),
            log_format: LogFormat::Text,
            trusted_proxies: Vec::new(),
            origins: Origins::default(),
            tls: None,
            ops_allow: Vec::new(),
            limits: Limits::default(),
            rate_limits: true,
        }
    }
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// Variables of the environment.
    pub environment: Vec<(String, String)>,
    /// Flags of the command line, as key and value.
    pub flags: Vec<(&'static str, String)>,
}

/// One key that one source sets.
struct Setting {
    key: String,
    value: String,
    source: Source,
}

/// Where a setting stands, for the operator to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
    /// In a flag.
    Flag(String),
    /// Nowhere: it follows from several settings together.
    Together,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Together => f.write_str("configuration"),
        }
    }
}

impl Config {
    /// Reads all sources.
    ///
    /// # Errors
    /// Every mistake of every source.
    pub fn load(sources: &Sources) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let mut settings = Vec::new();
        if let Some(path) = &sources.file {
            settings.extend(file::read(path, &mut mistakes));
        }
        settings.extend(environment::read(&sources.environment, &mut mistakes));
        settings.extend(sources.flags.iter().map(|(key, value)| Setting {
            key: (*key).to_owned(),
            value: value.clone(),
            source: Source::Flag(key.replace('_', "-")),
        }));
        let mut config = Self::default();
        for Setting { key, value, source } in settings {
            if let Err(text) = config.set(&key, &value) {
                mistakes.add(&key, source, text);
            }
        }
        config.check_together(&mut mistakes);
        config.check_carriers(&mut mistakes);
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "listen" => {
                self.listen =
                    value.parse().map_err(|_| format!("{value:?} is not an address like 127.0.0.1:3000"))?;
            }
            "port" => {
                let port = value.parse().map_err(|_| format!("{value:?} is not a port, from 0 to 65535"))?;
                self.listen.set_port(port);
            }
            "data_dir" if value.is_empty() => return Err("must name a directory".to_owned()),
            "data_dir" => self.data_dir = PathBuf::from(value),
            "store" => {
                self.store = match value {
                    "sqlite" => Store::Sqlite,
                    _ => return Err(format!("{value:?} is not served by this version: sqlite")),
                }
            }
            "wal_bytes_max" => {
                let is_fit = |bytes: &u64| (WAL_BYTES_LEAST..=WAL_BYTES_MOST).contains(bytes);
                let range = || format!("{value:?} is not from {WAL_BYTES_LEAST} to {WAL_BYTES_MOST}");
                self.wal_bytes_max = value.parse().ok().filter(is_fit).ok_or_else(range)?;
            }
            "log.filter" => {
                EnvFilter::builder()
                    .parse(value)
                    .map_err(|error| format!("{value:?} is not a log filter: {error}"))?;
                value.clone_into(&mut self.log_filter);
            }
            "log.format" => {
                self.log_format = match value {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => return Err(format!("{value:?} is neither text nor json")),
                }
            }
            "cors.origins" => self.origins = origins(value)?,
            "tls.certificate" => self.tls.get_or_insert_default().certificate = PathBuf::from(value),
            "tls.key" => self.tls.get_or_insert_default().key = PathBuf::from(value),
            "trusted_proxies" => self.trusted_proxies = addresses(value)?,
            "ops.allow" => self.ops_allow = addresses(value)?,
            "rate_limits" => {
                self.rate_limits = match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(format!("{value:?} is neither on nor off")),
                }
            }
            _ => match key.strip_prefix("limits.") {
                Some(name) => return self.set_limit(name, value),
                None => return Err("there is no such key".to_owned()),
            },
        }
        Ok(())
    }

    fn set_limit(&mut self, name: &str, value: &str) -> Result<(), String> {
        // The name first: what a key that does not exist should hold is beside the point.
        if !self.limits.list().iter().any(|(known, _)| *known == name) {
            return Err(LimitError::Unknown.to_string());
        }
        let number = value.parse().map_err(|_| format!("{value:?} is not a whole number, 0 or more"))?;
        self.limits.set(name, number).map_err(|error| format!("{value} {error}"))
    }

    fn check_together(&self, mistakes: &mut Mistakes) {
        let limits = &self.limits;
        let pairs = [
            ("username_chars", limits.username_chars_min, limits.username_chars_max),
            ("password_chars", limits.password_chars_min, limits.password_chars_max),
        ];
        if let Some(TlsFiles { certificate, key }) = &self.tls {
            for (name, path) in [("certificate", certificate), ("key", key)] {
                if path.as_os_str().is_empty() {
                    mistakes.add(
                        &format!("tls.{name}"),
                        Source::Together,
                        "must be named too: TLS takes a certificate and its key",
                    );
                }
            }
        }
        for (name, min, max) in pairs {
            if min > max {
                let text = format!("{min} is more than {name}_max, {max}");
                mistakes.add(&format!("limits.{name}_min"), Source::Together, text);
            }
        }
    }

    /// Limits that only make sense together: a message must fit into the body, packet and queue that carry it.
    fn check_carriers(&self, mistakes: &mut Mistakes) {
        let limits = &self.limits;
        let frame = limits.frame_bytes_max();
        // A replay fills a quarter of the queue and must still have room for one frame; so must what waits behind it.
        let carriers = [
            ("body_bytes_max", limits.body_bytes_max, frame),
            ("socket_payload_bytes_max", limits.socket_payload_bytes_max, frame),
            ("connection_queue_bytes_max", limits.connection_queue_bytes_max, 4 * frame),
        ];
        for (name, value, least) in carriers {
            if value < least {
                let text = format!(
                    "{value} is too little for content_bytes_max and metadata_bytes_max: at least {least}"
                );
                mistakes.add(&format!("limits.{name}"), Source::Together, text);
            }
        }
    }

    /// The whole configuration as a file that sets every key.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let tls = self.tls.as_ref().map_or_else(String::new, |TlsFiles { certificate, key }| {
            let [certificate, key] = [certificate, key].map(|path| quote(&path.to_string_lossy()));
            format!("[tls]\ncertificate = {certificate}\nkey = {key}\n\n")
        });
        let Store::Sqlite = self.store;
        let mut text = format!(
            "listen = \"{}\"\ndata_dir = {}\nstore = \"sqlite\"\nwal_bytes_max = {}\nrate_limits = \"{}\"\ntrusted_proxies = {}\n\n[cors]\norigins = {}\n\n{}[log]\nfilter = {}\nformat = \"{format}\"\n\n[ops]\nallow = {}\n\n[limits]\n",
            self.listen,
            quote(&self.data_dir.to_string_lossy()),
            self.wal_bytes_max,
            if self.rate_limits { "on" } else { "off" },
            quote(&listed(&self.trusted_proxies)),
            quote(&self.origins.to_string()),
            tls,
            quote(&self.log_filter),
            quote(&listed(&self.ops_allow)),
        );
        for (name, value) in self.limits.list() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name} = {value}");
        }
        text
    }
}

fn listed(networks: &[IpNet]) -> String {
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Origins with commas between them, or `*`.
fn origins(value: &str) -> Result<Origins, String> {
    if value == "*" {
        return Ok(Origins::Any);
    }
    let all = value.split(',').map(str::trim).filter(|text| !text.is_empty());
    let all = all.map(|text| {
        Origins::parse(text).ok_or_else(|| {
            format!("{text:?} is not an origin like https://chat.example:8443, without a path")
        })
    });
    Ok(Origins::These(all.collect::<Result<_, _>>()?))
}

/// Addresses and networks, with commas between them.
fn addresses(value: &str) -> Result<Vec<IpNet>, String> {
    let all = value.split(',').map(str::trim).filter(|text| !text.is_empty());
    all.map(|text| {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| format!("{text:?} is neither an address nor a network like 10.0.0.0/8"))
    })
    .collect()
}

#[cfg(test)]
mod tests;
