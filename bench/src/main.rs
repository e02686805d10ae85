//! The load generator: it drives Tidings and the peer from one thread, and checks what arrives while it measures.
//!
//! `engine` is the event loop, `wire` its own codecs, `crowd` the clients, `checker` what the guarantee says of them,
//! `measure` one series of sends, `seed` data sets, `bare` servers without a database to compare with, `scenario` what
//! is measured, `report` the table. To add a scenario: a file in `scenario`, and a line in its list.

mod arguments;
mod bare;
mod checker;
mod cpu;
mod crowd;
mod dialect;
mod engine;
mod latency;
mod measure;
mod peer;
mod report;
mod scenario;
mod schedule;
mod seed;
mod server;
mod stage;
#[cfg(test)]
mod tests;
mod wire;
mod world;

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser as _;

use arguments::Arguments;
use report::Report;

/// As the product's: what the library keeps for a connection is compared with what the product keeps.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.serve {
        Some(server) => server.serve().map(|()| true),
        None => run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("The run could not go on: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when everything ran and nothing was lost, doubled or reordered.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let bench = arguments.bench()?;
    if arguments.remove_data {
        fs::remove_dir_all(&bench.root).with_context(|| format!("cannot remove {}", bench.root.display()))?;
        return Ok(true);
    }
    fs::create_dir_all(&bench.root)?;
    let begun = Instant::now();
    let mut report = Report::default();
    for (name, scenario) in scenario::ALL.iter().filter(|(name, _)| arguments.wants(name)) {
        eprintln!("{name} ({} s)", begun.elapsed().as_secs());
        if let Err(error) = scenario(&bench, &mut report) {
            report.fail(format!("{name}: {error:#}"));
        }
    }
    let markdown = report.to_markdown();
    println!("\n{markdown}");
    fs::write(arguments.out.with_extension("md"), &markdown)?;
    fs::write(arguments.out.with_extension("json"), serde_json::to_string_pretty(&report)?)?;
    eprintln!("{} s; also in {}.md and .json", begun.elapsed().as_secs(), arguments.out.display());
    Ok(report.failures.is_empty())
}
