//! Cold start (P13): from the start of the process to the first message on a member's screen, over nothing and over
//! millions. The database's pages are taken out of the system's cache first.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::fs::{Advice, fadvise};

use crate::crowd::{Choice, Crowd, Door, Joining, PATIENCE, Pace, Run};
use crate::dialect::Dialect;
use crate::engine::Engine;
use crate::measure::epoch_ms;
use crate::report::Report;
use crate::schedule::Schedule;
use crate::seed::{ClientIds, Plan};
use crate::server::Server;
use crate::stage::Bench;
use crate::world::World;

use super::size;

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(&bench.root)?;
    let empty = dir.path().join("data");
    Plan::pairs(1).write(&empty)?;
    let millions = bench.quick_or(1, 10);
    let full = size::plan(millions * 1_000_000, ClientIds::V7).obtain(&bench.root)?;
    for _ in 0..bench.rounds {
        for (line, dir) in [("empty".to_owned(), &empty), (format!("{millions} M messages"), &full)] {
            let world = World::read(dir)?;
            forget_pages(dir)?;
            let (took, mut server) = first_delivery(bench, dir, world)?;
            let line = format!("cold start, {line}, pages not in the system's cache");
            report.add(&line, "exec to first delivery (P13)", "ms", 1e3 * took.as_secs_f64());
            server.stop()?;
        }
    }
    Ok(())
}

/// From exec to the first message that both members of the first conversation have parsed.
pub(super) fn first_delivery(bench: &Bench, dir: &Path, world: World) -> anyhow::Result<(Duration, Server)> {
    let members = world.conversations[0].members.clone();
    let mut world = World {
        people: members.iter().map(|member| world.people[*member as usize]).collect(),
        conversations: world.conversations.into_iter().take(1).collect(),
    };
    world.conversations[0].members = (0..u32::try_from(members.len())?).collect();
    let tokens = World::mint_tokens(dir, &world.people)?;
    let begun = Instant::now();
    let server = Server::start(&bench.server, dir, None, &[])?;
    let mut engine = Engine::new()?;
    let mut crowd = Crowd::new(Dialect::Tidings, server.address, world, tokens);
    crowd.connect_devices(&mut engine, Joining::default())?;
    crowd.expect_everything();
    let pace = Pace::Open(Schedule::new(engine.now(), 1_000.0, 1));
    crowd.begin_run(&mut engine, Run::new(Door::Socket, Choice::InTurn, ClientIds::V7, pace, epoch_ms()));
    crowd.send_due(&mut engine);
    let until = engine.now() + PATIENCE;
    let shown = crowd.turn_until(&mut engine, until, |crowd| crowd.checker.is_settled())?;
    let took = begun.elapsed();
    let verdict = crowd.checker.verdict();
    ensure!(shown && verdict.is_good(), "the first message did not arrive: {verdict:?}");
    Ok((took, server))
}

fn forget_pages(dir: &Path) -> anyhow::Result<()> {
    let file = File::open(dir.join("tidings.db"))?;
    file.sync_all()?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(())
}
