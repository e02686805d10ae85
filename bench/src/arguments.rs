//! The command line.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;

use crate::bare::Own;
use crate::scenario;
use crate::stage::Bench;

/// With many more a stage would outlive its tokens.
const ROUNDS_MAX: i64 = 100;

/// Measures Tidings, and checks while it measures that nothing is lost, doubled or reordered.
///
/// Prints one table; ends with 1 if a message was lost, doubled or reordered, or a scenario could not run. Data sets
/// are kept for the next run: about 9 GB for a whole one.
#[derive(Debug, Parser)]
#[command(name = "tidings-bench", version, about)]
pub(crate) struct Arguments {
    /// Twelve minutes instead of forty: fewer rounds, shorter, smaller data sets.
    #[arg(long)]
    quick: bool,
    /// Only this scenario; may be given more than once.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(names()))]
    only: Vec<String>,
    /// Rounds of each figure [default: 3, quick 2].
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=ROUNDS_MAX))]
    rounds: Option<u8>,
    /// The server's binary [default: tidings, beside this one].
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// The peer's directory, with its packages installed; without it the peer takes no part.
    #[arg(long, value_name = "DIR")]
    peer: Option<PathBuf>,
    /// Where data sets are kept [default: bench-data beside the build].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the table goes, as FILE.md and FILE.json.
    #[arg(long, value_name = "FILE", default_value = "target/bench")]
    pub out: PathBuf,
    /// Remove the data sets that are kept, and stop.
    #[arg(long)]
    pub remove_data: bool,
    /// Be a server without a database, which a run starts to compare with.
    #[arg(long, value_name = "WHICH", hide = true)]
    pub serve: Option<Own>,
}

fn names() -> Vec<&'static str> {
    scenario::ALL.iter().map(|(name, _)| *name).collect()
}

impl Arguments {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    pub(crate) fn bench(&self) -> anyhow::Result<Bench> {
        let own = std::env::current_exe()?;
        let build = own.parent().context("a program without a directory")?;
        let beside = build.parent().unwrap_or(Path::new("."));
        Ok(Bench {
            server: self.server.clone().unwrap_or_else(|| build.join("tidings")),
            root: self.data.clone().unwrap_or_else(|| beside.join("bench-data")),
            peer: self.peer.clone(),
            quick: self.quick,
            rounds: self.rounds.unwrap_or(if self.quick { 2 } else { 3 }).into(),
        })
    }
}
