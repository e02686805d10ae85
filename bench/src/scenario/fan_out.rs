//! Deliveries by the size of the room (P4): the server on one core, a thousand devices, each message shown to all of
//! its room. Tidings, the peer and the floor take turns. Here a send is durable; what a delivery costs by itself is
//! `fan_out_bare`.

use std::time::Duration;

use crate::bare::FLOOR;
use crate::crowd::{Choice, Door};
use crate::measure::{Measured, Rate, Series, as_float, micros};
use crate::peer::Peer;
use crate::report::Report;
use crate::seed::{ClientIds, Plan};
use crate::stage::{Bench, Cores, Stage};
use crate::world::World;

/// Devices that are online.
const DEVICES: u32 = 1_000;
/// Sends in flight: few enough that a send is not one of a heap.
const IN_FLIGHT: usize = 16;
/// The rooms in which the peer and the floor take part.
const PEER_ROOMS: [u32; 2] = [10, 1_000];
/// What is compared.
pub(super) const DELIVERIES: &str = "deliveries";
pub(super) const CPU: &str = "server CPU a delivery";

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    for members in [2, 10, 100, 1_000] {
        room(bench, report, members)?;
    }
    Ok(())
}

fn room(bench: &Bench, report: &mut Report, members: u32) -> anyhow::Result<()> {
    let plan = Plan::rooms(DEVICES / members, members);
    let dir = tempfile::tempdir_in(&bench.root)?;
    let data = dir.path().join("data");
    plan.write(&data)?;
    let (mut peer, mut floor) = (None, None);
    if PEER_ROOMS.contains(&members) {
        peer = Peer::start_if_wanted(bench, &plan)?;
        floor = FLOOR.start(bench, World::planned(&plan))?;
    }
    if let Some(floor) = &mut floor {
        floor.come_online()?;
    }
    let mut stage = Stage::open(bench, &data, Cores::Apart)?;
    stage.come_online()?;
    let line = format!("rooms of {members}, 1,000 devices, REST, 16 in flight, one core");
    let peer_line = format!("the peer, rooms of {members}, 1,000 devices, REST, 16 in flight, one core");
    let socket_line = format!("rooms of {members}, 1,000 devices, socket, 16 in flight, one core");
    let floor_line = format!("the floor, rooms of {members}, 1,000 devices, socket, 16 in flight, one core");
    for round in 0..bench.rounds {
        stage.crowd.connect_posts(&mut stage.engine, IN_FLIGHT)?;
        let measured = stage.measure(&line, report, &series(bench, Door::Rest, 1))?;
        deliveries(report, &line, &measured);
        if let Some(peer) = &mut peer {
            peer.stage.crowd.connect_posts(&mut peer.stage.engine, IN_FLIGHT)?;
            let warm_up = if round == 0 { 8 } else { 2 };
            let measured = peer.stage.measure(&peer_line, report, &series(bench, Door::Rest, warm_up))?;
            deliveries(report, &peer_line, &measured);
        }
        stage.breathe()?;
        if let Some(floor) = &mut floor {
            let measured = floor.measure(&floor_line, report, &series(bench, Door::Socket, 1))?;
            deliveries(report, &floor_line, &measured);
        }
        let measured = stage.measure(&socket_line, report, &series(bench, Door::Socket, 1))?;
        deliveries(report, &socket_line, &measured);
        for other in peer.as_mut().map(|peer| &mut peer.stage).into_iter().chain(&mut floor) {
            other.breathe()?;
        }
    }
    if peer.is_some() {
        let name = "deliveries to the peer's, REST 16 to REST 16 (P4)";
        report.ratio(&line, name, (&line, DELIVERIES), (&peer_line, DELIVERIES));
    }
    if floor.is_some() {
        let name = "CPU a delivery to the floor's, a durable send's included (P4)";
        report.ratio(&socket_line, name, (&socket_line, CPU), (&floor_line, CPU));
    }
    Ok(())
}

fn series(bench: &Bench, door: Door, warm_up: u64) -> Series {
    Series {
        door,
        choice: Choice::InTurn,
        client_ids: ClientIds::V7,
        rate: Rate::InFlight(IN_FLIGHT),
        warm_up: Duration::from_secs(warm_up),
        measured: Duration::from_secs(bench.quick_or(2, 4)),
    }
}

pub(super) fn deliveries(report: &mut Report, line: &str, measured: &Measured) {
    report.add(line, DELIVERIES, "/s", measured.deliveries_per_second);
    let count = measured.deliveries_per_second * measured.wall.as_secs_f64();
    report.add(line, CPU, "µs", micros(measured.server_cpu) / count.max(1.0));
    report.add(line, "sends", "/s", as_float(measured.sends) / measured.wall.as_secs_f64());
    let name =
        if measured.is_generator_bound() { "generator CPU (IT IS THE LIMIT)" } else { "generator CPU" };
    report.add(line, name, "% of a core", 100.0 * measured.generator_share());
    report.add(line, "CPU of all others", "% of a core", 100.0 * measured.others_share());
}
