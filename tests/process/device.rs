//! The example device does what every client must do: driven by its keyboard, judged by its screen.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tempfile::TempDir;
use tidings_testkit::actors::Person;
use tidings_testkit::disk::FaultyDisk;

use super::frame_proxy::frame_proxy;
use super::server_process::{ServerProcess, free_address};
use super::terminal::{Terminal, in_example};
use crate::harness::TestServer;

/// A server that is killed and comes back at the same address.
struct World {
    dir: TempDir,
    address: SocketAddr,
    server: Option<ServerProcess>,
}

impl World {
    fn start() -> Self {
        let (dir, address) = (tempfile::tempdir().unwrap(), free_address());
        let mut world = Self { dir, address, server: None };
        world.come_back();
        world
    }

    fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    fn come_back(&mut self) {
        self.server = Some(ServerProcess::start_at(self.address, &self.dir.path().join("data")));
    }

    async fn person(&self, name: &str) -> Person {
        Person::register(&self.server.as_ref().unwrap().api, name).await
    }

    /// The same person after the server came back: the connections are new.
    fn again(&self, person: &Person) -> Person {
        Person { api: self.server.as_ref().unwrap().api.clone(), ..person.clone() }
    }

    /// Somebody's device, online.
    fn device(&self, name: &str) -> Terminal {
        self.device_at(name, self.address)
    }

    fn device_at(&self, name: &str, address: SocketAddr) -> Terminal {
        device(name, &format!("http://{address}"))
    }
}

fn device(name: &str, url: &str) -> Terminal {
    let device = Terminal::open(name, &format!("node device.mjs {name}"), url);
    device.expect(&format!("{name} is online."));
    device
}

/// Alice by REST and a device of Bob's, in one conversation.
async fn alice_and_bobs_device(world: &World) -> (Person, Terminal, String) {
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let device = world.device("bob");
    let chat = alice.direct_with(&bob).await;
    device.expect("You and alice. Type to send.");
    (alice, device, chat)
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_is_replayed_is_shown_once_and_in_order() {
    let mut world = World::start();
    let (alice, mut bob, chat) = alice_and_bobs_device(&world).await;
    alice.send(&chat, "before").await;
    bob.expect("#1 alice: before");
    bob.type_line("/offline");
    bob.expect("Offline.");
    for n in 2..=451 {
        alice.send(&chat, &format!("number {n}")).await;
    }
    world.kill();
    world.come_back();
    bob.type_line("/online");
    bob.expect("Missed while away: 450");
    for n in 2..=451 {
        bob.expect(&format!("#{n} alice: number {n}"));
    }
    bob.expect("bob is online.");
    world.again(&alice).send(&chat, "after").await;
    bob.expect("#452 alice: after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_somebody_types_loses_and_doubles_nothing() {
    const LINES: usize = 30;
    let mut world = World::start();
    let watcher = world.person("bob").await;
    let (mut alice, mut bob) = (world.device("alice"), world.device("bob"));
    alice.type_line("/direct bob");
    alice.expect("You and bob. Type to send.");
    bob.expect("You and alice. Type to send.");
    for n in 1..=LINES {
        alice.type_line(&format!("line {n}"));
    }
    bob.expect("#1 alice: line 1");
    world.kill();
    world.come_back();

    let expected: Vec<_> = (1..=LINES).map(|n| format!("#{n} alice: line {n}")).collect();
    let is_message = |line: &String| line.starts_with('#');
    let last = &expected[LINES - 1];
    let on_bob: Vec<_> = bob.lines_until(last).into_iter().filter(is_message).collect();
    assert_eq!(on_bob, expected[1..], "on Bob's device");
    let on_alice: Vec<_> = alice.lines_until(last).into_iter().filter(is_message).collect();
    assert_eq!(on_alice, expected, "on Alice's device");
    bob.type_line("/history");
    // That he is back may be said behind the last line that he missed.
    let in_history: Vec<_> = bob.lines_until(last).into_iter().filter(is_message).collect();
    assert_eq!(in_history, expected, "in the history");
    let watcher = world.again(&watcher);
    let list = watcher.get("/api/conversations").await.assert_ok(200);
    let stored = watcher.texts(list["conversations"][0]["id"].as_str().unwrap()).await;
    assert_eq!(stored, (1..=LINES).map(|n| format!("line {n}")).collect::<Vec<_>>(), "on the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_sees_who_writes_and_who_is_here() {
    let world = World::start();
    let (mut alice, mut bob) = (world.device("alice"), world.device("bob"));
    alice.type_line("/direct bob");
    alice.expect("You and bob. Type to send.");
    bob.expect("You and alice. Type to send.");
    for device in [&mut alice, &mut bob] {
        device.type_line("/look");
        device.expect("Here: 2. alice is online, bob is online");
    }
    bob.type_line("/typing");
    alice.expect("bob is writing…");
    alice.expect("bob has stopped writing.");
    bob.type_line("/away");
    alice.expect("bob is away.");
    bob.type_line("/back");
    alice.expect("bob is online.");
    bob.type_line("/offline");
    bob.expect("Offline.");
    bob.type_line("/react 1");
    bob.expect("We are offline.");
    bob.type_line("/online");
    bob.expect("Missed while away: 0");
    bob.expect("bob is online.");
    bob.expect("Here: 2. alice is online, bob is online");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_key_is_given_a_new_token() {
    let mut world = World::start();
    let (alice, mut bob, chat) = alice_and_bobs_device(&world).await;
    world.kill();
    fs::remove_dir_all(world.dir.path().join("data/keys")).unwrap();
    world.come_back();
    bob.expect("Connection lost. Coming back by itself.");
    bob.expect("Missed while away: 0");
    bob.expect("bob is online.");
    let alice = world.again(&alice).login_again("x").await;
    alice.send(&chat, "hello").await;
    bob.expect("#1 alice: hello");
    bob.type_line("hi");
    bob.expect("#2 bob: hi");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reset_only_what_is_new_is_shown() {
    let server = TestServer::with_limits(&[("sync_streams_max", 1)]).await;
    let alice = server.user("alice").await;
    // People who were there at the same time come by their ids.
    server.clock.advance_seconds(1);
    let bob = server.user("bob").await;
    let mut on_bob = device("bob", &server.api.url);
    let (direct, tea) = (alice.direct_with(&bob).await, alice.group_with("Tea", &[&bob]).await);
    alice.send(&tea, "tea 1").await;
    on_bob.expect("You and alice. Type to send.");
    on_bob.expect("Group \"Tea\": alice, bob. Type to send.");
    on_bob.expect("#1 alice: tea 1");
    on_bob.type_line("/offline");
    on_bob.expect("Offline.");
    on_bob.type_line("I am in a tunnel");
    for n in 2..=300 {
        alice.send(&tea, &format!("tea {n}")).await;
    }
    // Later than the server has all that in memory, and in more streams than it replays from the store.
    server.clock.advance_seconds(400);
    alice.send(&direct, "psst").await;
    on_bob.type_line("/online");
    on_bob.expect("Missed while away: 300");
    on_bob.expect("[You and alice] #1 alice: psst");
    for n in 2..=300 {
        on_bob.expect(&format!("#{n} alice: tea {n}"));
    }
    on_bob.expect("bob is online.");
    on_bob.expect("#301 bob: I am in a tunnel");
    alice.send(&tea, "live").await;
    on_bob.expect("#302 alice: live");
}

/// A backup is brought back: the device has seen what never was.
#[tokio::test(flavor = "multi_thread")]
async fn after_the_server_was_set_back_the_device_goes_on() {
    let mut world = World::start();
    let (data, backup) = (world.dir.path().join("data"), world.dir.path().join("backup"));
    let (alice, bob, chat) = alice_and_bobs_device(&world).await;
    let expect_return = || {
        for line in ["Connection lost. Coming back by itself.", "Missed while away: 0", "bob is online."] {
            bob.expect(line);
        }
    };
    alice.send(&chat, "one").await;
    bob.expect("#1 alice: one");
    world.kill();
    copy(&data, &backup);
    world.come_back();
    expect_return();
    world.again(&alice).send(&chat, "two").await;
    bob.expect("#2 alice: two");
    world.kill();
    fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    world.come_back();
    expect_return();
    world.again(&alice).send(&chat, "another two").await;
    bob.expect("#2 alice: another two");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_was_lost_on_its_way_is_fetched() {
    let world = World::start();
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let times = |packet: &str| usize::from(!packet.contains("lost on its way"));
    let on_bob = world.device_at("bob", frame_proxy(world.address, times));
    let chat = alice.direct_with(&bob).await;
    on_bob.expect("You and alice. Type to send.");
    for text in ["one", "lost on its way", "lost on its way, too", "four", "five"] {
        alice.send(&chat, text).await;
    }
    for line in ["#1 alice: one", "#2 alice: lost on its way", "#3 alice: lost on its way, too"] {
        on_bob.expect(line);
    }
    on_bob.expect("#4 alice: four");
    on_bob.expect("#5 alice: five");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_comes_twice_is_shown_once() {
    let world = World::start();
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let times = |packet: &str| if packet.contains("message:new") { 2 } else { 1 };
    let on_bob = world.device_at("bob", frame_proxy(world.address, times));
    let chat = alice.direct_with(&bob).await;
    on_bob.expect("You and alice. Type to send.");
    for text in ["one", "two", "three"] {
        alice.send(&chat, text).await;
    }
    for line in ["#1 alice: one", "#2 alice: two", "#3 alice: three"] {
        on_bob.expect(line);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_on_its_way_is_asked_for_again() {
    let world = World::start();
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let acks = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&acks);
    let times = move |packet: &str| {
        let is_first_ack = packet.starts_with("43") && acks.fetch_add(1, Relaxed) == 0;
        usize::from(!is_first_ack)
    };
    let mut on_bob = world.device_at("bob", frame_proxy(world.address, times));
    let chat = alice.direct_with(&bob).await;
    on_bob.expect("You and alice. Type to send.");
    on_bob.type_line("one");
    on_bob.type_line("two");
    on_bob.expect("#1 bob: one");
    on_bob.expect("#2 bob: two");
    on_bob.type_line("/retry");
    on_bob.expect("The server answered with #2 again: sent once, however often it is tried.");
    assert_eq!(seen.load(Relaxed), 4, "one was answered twice, two, and two again");
    assert_eq!(alice.texts(&chat).await, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_added_reads_from_there_and_not_what_was_said_between_two_stays() {
    let world = World::start();
    let (alice, bob) = (world.person("alice").await, world.person("bob").await);
    let on_bob = world.device("bob");
    let tea = alice.group_with("Tea", &[]).await;
    alice.send(&tea, "not for Bob").await;
    let _ = alice.add(&tea, &bob).await.assert_ok(200);
    on_bob.expect("Group \"Tea\": alice, bob. Type to send.");
    alice.send(&tea, "welcome").await;
    on_bob.expect("#2 alice: welcome");
    alice.remove(&tea, &bob).await;
    on_bob.expect("bob left.");
    alice.send(&tea, "between us").await;
    let _ = alice.add(&tea, &bob).await.assert_ok(200);
    alice.send(&tea, "welcome back").await;
    on_bob.expect("#4 alice: welcome back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_is_begun_again_by_logging_in() {
    let server = TestServer::start().await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let mut on_bob = device("bob", &server.api.url);
    let chat = alice.direct_with(&bob).await;
    on_bob.expect("You and alice. Type to send.");
    for (n, seconds) in [(1, 601), (2, 31 * 24 * 3600)] {
        // The access token has expired, then the refresh token, too.
        server.clock.advance_seconds(seconds);
        let alice = alice.login_again("x").await;
        alice.send(&chat, "still there?").await;
        on_bob.expect(&format!("#{} alice: still there?", 2 * n - 1));
        on_bob.type_line("yes");
        on_bob.expect(&format!("#{} bob: yes", 2 * n));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_waits_for_another_to_end() {
    let server = TestServer::with_limits(&[("user_connections_max", 1)]).await;
    let mut first = device("bob", &server.api.url);
    let second = Terminal::open("bob", "node device.mjs bob", &server.api.url);
    let told = second.next_line();
    assert!(told.ends_with("Trying again."), "{told}");
    first.type_line("/quit");
    second.expect("bob is online.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_disk_refuses_is_sent_when_there_is_room() {
    const LINES: usize = 20;
    let disk = FaultyDisk::new();
    let server = TestServer::on_disk(&disk).await;
    let [alice, bob] = server.users(["alice", "bob"]).await;
    let mut on_bob = device("bob", &server.api.url);
    let chat = alice.direct_with(&bob).await;
    on_bob.expect("You and alice. Type to send.");
    disk.full(true);
    let large = "x".repeat(16 * 1024);
    let mut ids = (0..).map(|n| format!("01890a5d-ac96-774b-bcce-{n:012}"));
    while alice.try_send(&chat, &large, &ids.next().unwrap()).await.status.is_success() {
        on_bob.next_line();
    }
    for n in 1..=LINES {
        on_bob.type_line(&format!("line {n}{large}").chars().take(16_000).collect::<String>());
    }
    on_bob.type_line(&large.repeat(20));
    on_bob.expect("Not sent: too long.");
    disk.full(false);
    for n in 1..=LINES {
        let line = on_bob.next_line();
        assert!(line.contains(&format!(" bob: line {n}x")), "{}", &line[..40.min(line.len())]);
    }
}

#[test]
fn without_a_server_it_says_what_to_do() {
    let url = format!("http://{}", free_address());
    let output = in_example("node device.mjs alice", &url).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!("No server at {url}. Start it with \"make run\", or set DEVICE_SERVER.\n")
    );
}
