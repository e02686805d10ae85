//! The command line.

mod descriptors;
mod logging;
mod rotate_keys;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::certificates;
use crate::config::{Config, Sources};

/// A messaging server: REST and Socket.IO in front, one durable log behind.
///
/// Everything has a default. A file sets keys, variables of the environment win over it (TIDINGS_LISTEN for `listen`,
/// TIDINGS_LIMITS_TITLE_CHARS_MAX for `limits.title_chars_max`), flags win over both.
#[derive(Debug, Parser)]
#[command(name = "tidings", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A TOML file with the configuration.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:3000].
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The directory of everything durable [default: ./data].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Print the whole configuration as it would be used, and stop.
    #[arg(long, global = true)]
    print_config: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C.
    Serve,
    /// Look for mistakes in the configuration, and stop: 0 if there are none, 2 if there are.
    CheckConfig,
    /// Make a new key that signs access tokens, also for a server that runs, and stop.
    RotateKeys {
        /// The old ones have leaked: take them away at once, so that everybody has to refresh.
        #[arg(long)]
        discard_old: bool,
    },
}

/// The configuration is wrong; clap answers wrong arguments with the same.
const WRONG_CONFIG: u8 = 2;

/// Runs the command of this process' arguments.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(&arguments.sources()) {
        Ok(config) => config,
        Err(mistakes) => {
            eprintln!("The configuration has mistakes:\n{mistakes}");
            return ExitCode::from(WRONG_CONFIG);
        }
    };
    match arguments.command {
        _ if arguments.print_config => {
            print!("{}", config.to_toml());
            ExitCode::SUCCESS
        }
        Some(Command::CheckConfig) => {
            // What it names is looked at too, where that changes nothing.
            if let Some(Err(error)) = config.tls.as_ref().map(certificates::load) {
                eprintln!("The configuration has mistakes:\ntls: {error:#}");
                return ExitCode::from(WRONG_CONFIG);
            }
            println!("The configuration has no mistakes.");
            ExitCode::SUCCESS
        }
        Some(Command::RotateKeys { discard_old }) => ended(rotate_keys::rotate_keys(&config, discard_old)),
        Some(Command::Serve) => ended(serve::serve(config)),
        None => {
            eprint!("{}", Arguments::command().render_help());
            ExitCode::from(WRONG_CONFIG)
        }
    }
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Tidings cannot go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Arguments {
    fn sources(&self) -> Sources {
        let flags = [("listen", &self.listen), ("data_dir", &self.data_dir)];
        Sources {
            file: self.config.clone(),
            // What is not UTF-8 is not one of ours.
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
                })
                .collect(),
            flags: flags.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent_and_stand_before_or_after_the_command() {
        Arguments::command().debug_assert();
        assert!(Arguments::command().render_help().to_string().starts_with("A messaging server: "));
        for line in [["tidings", "serve", "--listen", "[::]:1"], ["tidings", "--listen", "[::]:1", "serve"]] {
            let sources = Arguments::parse_from(line).sources();
            assert_eq!(sources.flags, [("listen", "[::]:1".to_owned())]);
        }
    }
}
