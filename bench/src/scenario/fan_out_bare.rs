//! What a delivery costs by itself (P4): the library alone, the floor and Socket.IO on Node alone, none with a
//! database, take turns in the same rooms with frames of the same length. Everybody comes online for each turn anew, so
//! that ten thousand sockets of each fit into the descriptors of one generator.

use std::time::Duration;

use crate::bare::{Bare, FLOOR, LIBRARY};
use crate::crowd::{Choice, Door, Joining};
use crate::measure::{Rate, Series};
use crate::report::Report;
use crate::seed::{ClientIds, Plan};
use crate::stage::{Bench, Stage};
use crate::world::World;

use super::fan_out::{CPU, DELIVERIES, deliveries};

/// In the order of their turns.
const SERVERS: [Bare; 3] = [LIBRARY, FLOOR, Bare::Node];

/// Rooms that are measured: devices, and how many of them in each room. In small rooms few sends are in flight, so
/// that a socket seldom has two frames at a time and each is a call of its own; in large ones many, so that it has.
const CELLS: [(u32, u32, usize); 3] = [(1_000, 10, 16), (10_000, 10, 16), (1_000, 1_000, 64)];

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    for (devices, members, in_flight) in CELLS {
        cell(bench, report, devices, members, in_flight)?;
    }
    Ok(())
}

fn cell(
    bench: &Bench,
    report: &mut Report,
    devices: u32,
    members: u32,
    in_flight: usize,
) -> anyhow::Result<()> {
    let plan = Plan::rooms(devices / members, members);
    let line = |server: Bare| {
        let name = server.name();
        format!("{name}, rooms of {members}, {devices} devices, socket, {in_flight} in flight, one core")
    };
    let mut stages = Vec::new();
    for server in SERVERS {
        stages.extend(server.start(bench, World::planned(&plan))?.map(|stage| (server, stage)));
    }
    for round in 0..bench.rounds {
        for (server, stage) in &mut stages {
            // Node compiles what it has done often.
            let warm_up = if *server == Bare::Node && round == 0 { 6 } else { 1 };
            let series = Series {
                door: Door::Socket,
                choice: Choice::InTurn,
                client_ids: ClientIds::V7,
                rate: Rate::InFlight(in_flight),
                warm_up: Duration::from_secs(warm_up),
                measured: Duration::from_secs(bench.quick_or(2, 4)),
            };
            come_online(stage, round == 0)?;
            stage.engine.stays_awake = true;
            let measured = stage.measure(&line(*server), report, &series)?;
            stage.engine.stays_awake = false;
            deliveries(report, &line(*server), &measured);
            stage.crowd.drop_devices(&mut stage.engine);
            stage.wait_until_quiet()?;
        }
    }
    let library = line(LIBRARY);
    report.ratio(&library, "CPU a delivery to the floor's (P4)", (&library, CPU), (&line(FLOOR), CPU));
    if stages.iter().any(|(server, _)| *server == Bare::Node) {
        let node = line(Bare::Node);
        report.ratio(&library, "deliveries to Node's (P4)", (&library, DELIVERIES), (&node, DELIVERIES));
        report.ratio(&library, "Node's CPU a delivery to it (P4)", (&node, CPU), (&library, CPU));
    }
    Ok(())
}

/// The checker goes on where it stood: nobody was away while something was said.
fn come_online(stage: &mut Stage, is_first: bool) -> anyhow::Result<()> {
    if is_first {
        return stage.come_online();
    }
    stage.crowd.connect_devices(&mut stage.engine, Joining::default())
}
