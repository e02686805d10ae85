//! The servers without a database: their frames are as long as Tidings' own, everybody gets each, and what one of them
//! kept back is found as it is with Tidings.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::relay::{self, Lie};
use super::site::Site;
use crate::bare::{Own, listen};
use crate::checker::Verdict;
use crate::crowd::{Choice, Crowd, Door, Joining, PATIENCE};
use crate::dialect::{Dialect, Send, content_of, event_parts};
use crate::engine::{Engine, Heard, LinkId, Listener, Protocol};
use crate::measure::{Rate, Series, measure};
use crate::seed::{ClientIds, Plan};
use crate::world::World;

/// Serves until the process ends.
fn start(server: Own) -> SocketAddr {
    let listener = listen().unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || server.serve_on(listener));
    address
}

fn verdict_over(server: Own, lie: Lie) -> Verdict {
    let world = World::planned(&Plan::rooms(3, 4));
    let tokens = (0..12).map(|n| format!("token-{n}")).collect();
    let mut engine = Engine::new().unwrap();
    let mut crowd = Crowd::new(Dialect::Bare, relay::start(start(server), lie), world, tokens);
    crowd.patience = 1_000_000_000;
    crowd.connect_devices(&mut engine, Joining::default()).unwrap();
    crowd.expect_everything();
    let series = Series {
        door: Door::Socket,
        choice: Choice::InTurn,
        client_ids: ClientIds::V7,
        // By the clock, so that enough is sent on a machine that is busy with other tests.
        rate: Rate::PerSecond(100.0),
        warm_up: Duration::ZERO,
        measured: Duration::from_millis(300),
    };
    let verdict = measure(&mut engine, &mut crowd, std::process::id(), &series).unwrap().verdict;
    assert!(verdict.acknowledged > 8, "enough was sent: {verdict:?}");
    verdict
}

#[test]
fn everybody_gets_each_message() {
    for server in [Own::Floor, Own::Library] {
        let verdict = verdict_over(server, Lie::Nothing);
        assert!(verdict.is_good(), "{server:?}: {verdict:?}");
    }
}

#[test]
fn a_frame_that_one_member_does_not_get_is_lost() {
    for server in [Own::Floor, Own::Library] {
        let verdict = verdict_over(server, Lie::Drop);
        assert_eq!((verdict.lost, verdict.doubled, verdict.reordered), (1, 0, 0), "{server:?}: {verdict:?}");
        assert!(verdict.examples[0].contains("was shown to 3 of 4"), "{server:?}: {verdict:?}");
    }
}

#[test]
fn an_upgrade_is_all_that_a_storm_wants_of_the_floor() {
    let world = World { conversations: Vec::new(), ..World::planned(&Plan::rooms(3, 4)) };
    let tokens = vec![String::new(); 12];
    let mut engine = Engine::new().unwrap();
    let mut crowd = Crowd::new(Dialect::Upgrade, start(Own::Floor), world, tokens);
    for _ in 0..2 {
        crowd.connect_devices(&mut engine, Joining::default()).unwrap();
        assert_eq!(engine.link_count(), 12);
        crowd.drop_devices(&mut engine);
        assert_eq!(engine.link_count(), 0);
    }
    // Tokens that say nothing were not shown: with them nobody is let in.
    crowd.dialect = Dialect::Bare;
    crowd.address = start(Own::Library);
    let refused = crowd.connect_devices(&mut engine, Joining::default()).unwrap_err().to_string();
    assert!(refused.contains("unauthorized"), "{refused}");
}

/// What one client hears.
#[derive(Default)]
struct Ears {
    is_open: bool,
    message: Option<Vec<u8>>,
    acks: Vec<Vec<u8>>,
}

impl Listener for Ears {
    fn heard(&mut self, _: &mut Engine, _: LinkId, heard: Heard<'_>) {
        match heard {
            Heard::Open => self.is_open = true,
            Heard::Event(event) if event.starts_with(b"[\"message:new\"") => {
                self.message = Some(event.to_vec());
            }
            Heard::Ack(_, args) => self.acks.push(args.to_vec()),
            Heard::Closed(reason) => panic!("{reason}"),
            Heard::Event(_) | Heard::Answer { .. } => {}
        }
    }
}

/// The first message of a room as its sender gets it, and the acknowledgement of it.
fn first_message(address: SocketAddr, token: &str, room: &str, joins: bool) -> (Vec<u8>, Vec<u8>) {
    let (mut engine, mut ears) = (Engine::new().unwrap(), Ears::default());
    let auth = format!("{{\"token\":\"{token}\"}}");
    let link = engine.connect(address, None, &Protocol::Socket { auth }).unwrap();
    let mut wait = |engine: &mut Engine, done: fn(&Ears) -> bool| {
        while !done(&ears) {
            assert!(engine.now() < PATIENCE, "nothing came");
            engine.turn(&mut ears, PATIENCE).unwrap();
        }
        std::mem::take(&mut ears)
    };
    wait(&mut engine, |ears| ears.is_open);
    if joins {
        engine.send_packet(link, &[b"420[\"join\",\"", room.as_bytes(), b"\"]"]);
        wait(&mut engine, |ears| !ears.acks.is_empty());
    }
    let content = content_of(0);
    let client_id = "018f0000-0000-7000-8000-000000000000";
    let send = Send { conversation: room, client_id, content: &content };
    engine.send_packet(link, &event_parts("1", send));
    let mut ears = wait(&mut engine, |ears| ears.message.is_some() && !ears.acks.is_empty());
    (ears.message.unwrap(), ears.acks.remove(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_are_as_long_as_the_products() {
    let site = Site::start().await;
    tokio::task::spawn_blocking(move || {
        let room = &site.world.conversations[0].id;
        let (frame, ack) = first_message(site.address, &site.tokens[0], room, false);
        for server in [Own::Floor, Own::Library] {
            let (bare_frame, bare_ack) = first_message(start(server), "token-0", room, true);
            let texts = [&bare_frame, &frame, &bare_ack, &ack].map(|text| String::from_utf8_lossy(text));
            assert_eq!(bare_frame.len(), frame.len(), "{server:?}: {}\n{}", texts[0], texts[1]);
            assert_eq!(bare_ack.len(), ack.len(), "{server:?}: {}\n{}", texts[2], texts[3]);
        }
    })
    .await
    .unwrap();
}
