//! Durable sends on one core, two members each, both online: how many (P1), and how long people wait at half of it
//! (P7). Tidings and the peer take turns, round by round, beside the raw insert that the disk would take.

use std::time::Duration;

use crate::crowd::{Choice, Door};
use crate::measure::{Rate, Series};
use crate::peer::Peer;
use crate::report::Report;
use crate::seed::{ClientIds, Plan};
use crate::stage::{Bench, Cores, Stage, report_series};

use super::machine;

/// As in the peer's own measure.
const IN_FLIGHT: usize = 64;
/// Twice as many as sends in flight: the peer puts two at once in one conversation out of order.
const CONVERSATIONS: u32 = 128;
/// Where batches are as full as they get.
const IN_FLIGHT_MANY: usize = 256;

const REST: &str = "sends, REST, 64 in flight, pairs online, one core";
const SOCKET: &str = "sends, socket, 64 in flight, pairs online, one core";
const SOCKET_MANY: &str = "sends, socket, 256 in flight, pairs online, one core";
const PEER: &str = "the peer (Node), REST, 64 in flight, pairs online, one core";
const RATIO: &str = "of the same rounds, by door and sends in flight";

pub(super) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let plan = Plan::pairs(CONVERSATIONS);
    let dir = tempfile::tempdir_in(&bench.root)?;
    let data = dir.path().join("data");
    plan.write(&data)?;
    let mut peer = Peer::start_if_wanted(bench, &plan)?;
    let mut stage = Stage::open(bench, &data, Cores::Apart)?;
    stage.come_online()?;
    for round in 0..bench.rounds {
        stage.crowd.connect_posts(&mut stage.engine, IN_FLIGHT)?;
        series(bench, report, &mut stage, REST, Door::Rest, Rate::InFlight(IN_FLIGHT), round == 0)?;
        if let Some(peer) = &mut peer {
            peer.stage.crowd.connect_posts(&mut peer.stage.engine, IN_FLIGHT)?;
            peer_series(bench, report, peer, PEER, Rate::InFlight(IN_FLIGHT), round == 0)?;
        }
        stage.breathe()?;
        series(bench, report, &mut stage, SOCKET, Door::Socket, Rate::InFlight(IN_FLIGHT), round == 0)?;
        breathe(peer.as_mut())?;
        series(bench, report, &mut stage, SOCKET_MANY, Door::Socket, Rate::InFlight(IN_FLIGHT_MANY), false)?;
        machine::raw_insert(bench, report)?;
        stage.breathe()?;
        breathe(peer.as_mut())?;
    }
    // Like for like is the first alone: the peer takes no sends by socket.
    for (name, of) in [("REST 64", REST), ("socket 64", SOCKET), ("socket 256", SOCKET_MANY)] {
        report.ratio(RATIO, &format!("{name} to the peer's REST 64 (P1)"), (of, "sends"), (PEER, "sends"));
        let raw = (machine::RAW_INSERT, "messages");
        report.ratio(RATIO, &format!("{name} to the raw insert (P1)"), (of, "sends"), raw);
    }
    half_load(bench, report, &mut stage, peer.as_mut())
}

/// Half of what it takes, by the clock.
fn half_load(
    bench: &Bench,
    report: &mut Report,
    stage: &mut Stage,
    mut peer: Option<&mut Peer>,
) -> anyhow::Result<()> {
    let half = |line| report.median(line, "sends").map_or(500.0, |rate| rate / 2.0);
    let (rest, socket, of_peer) = (half(REST), half(SOCKET), half(PEER));
    for _ in 0..bench.rounds {
        stage.crowd.connect_posts(&mut stage.engine, 4 * IN_FLIGHT)?;
        let line = "half load, REST, open loop (P7)";
        series(bench, report, stage, line, Door::Rest, Rate::PerSecond(rest), false)?;
        if let Some(peer) = peer.as_deref_mut() {
            peer.stage.crowd.connect_posts(&mut peer.stage.engine, 4 * IN_FLIGHT)?;
            let line = "half load of the peer, REST, open loop";
            peer_series(bench, report, peer, line, Rate::PerSecond(of_peer), false)?;
        }
        stage.breathe()?;
        let line = "half load, socket, open loop (P7)";
        series(bench, report, stage, line, Door::Socket, Rate::PerSecond(socket), false)?;
        breathe(peer.as_deref_mut())?;
    }
    Ok(())
}

/// The peer ends connections whose heartbeats nobody answers.
fn breathe(peer: Option<&mut Peer>) -> anyhow::Result<()> {
    peer.map_or(Ok(()), |peer| peer.stage.breathe())
}

fn series(
    bench: &Bench,
    report: &mut Report,
    stage: &mut Stage,
    line: &str,
    door: Door,
    rate: Rate,
    is_first: bool,
) -> anyhow::Result<()> {
    let series = Series {
        door,
        choice: Choice::InTurn,
        client_ids: ClientIds::V7,
        rate,
        warm_up: Duration::from_secs(if is_first { 2 } else { 1 }),
        measured: Duration::from_secs(bench.quick_or(3, 6)),
    };
    let measured = stage.measure(line, report, &series)?;
    report_series(report, line, &measured, rate);
    Ok(())
}

/// The peer is warm after eight seconds; what it puts out of order is told and does not fail the run.
fn peer_series(
    bench: &Bench,
    report: &mut Report,
    peer: &mut Peer,
    line: &str,
    rate: Rate,
    is_first: bool,
) -> anyhow::Result<()> {
    let series = Series {
        door: Door::Rest,
        choice: Choice::InTurn,
        client_ids: ClientIds::V7,
        rate,
        warm_up: Duration::from_secs(if is_first { 8 } else { 2 }),
        measured: Duration::from_secs(bench.quick_or(3, 6)),
    };
    let measured = peer.stage.measure(line, report, &series)?;
    report_series(report, line, &measured, rate);
    report.add(line, "out of order so far", "messages", crate::measure::as_float(measured.verdict.reordered));
    Ok(())
}
