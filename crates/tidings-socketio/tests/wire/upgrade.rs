//! From long-polling to a WebSocket, and everything that can go wrong on the way.

use std::time::Duration;

use tidings_socketio::{CloseReason, Config};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::app::TestServer;
use crate::client::{Client, Got};
use crate::http::{listen, upgraded};
use crate::polling::{Poller, ask};

const SHORT: Duration = Duration::from_millis(20);

async fn joined() -> (TestServer, Poller) {
    let config = Config { upgrade_timeout: Duration::from_millis(200), ..Config::default() };
    let (server, address) = listen(config).await;
    let client = Poller::open(address).await;
    client.join().await;
    (server, client)
}

async fn probe(client: &Poller) -> Client<TcpStream> {
    upgraded(client.address, &format!("&sid={}", client.sid), b"").await
}

/// The session goes on by requests as if nothing had been.
async fn expect_polling(server: &mut TestServer, client: &Poller) {
    assert_eq!(client.post(r#"429["echo"]"#).await, 200);
    client.expect("439[]").await;
    server.expect_not_ended();
}

#[tokio::test]
async fn a_session_moves_to_a_websocket_and_loses_nothing() {
    let (mut server, client) = joined().await;
    let connection = server.connection().await;
    let waiting = client.begin_poll().await;
    let mut socket = probe(&client).await;
    socket.send("2probe").await;
    socket.expect("3probe").await;
    assert_eq!(waiting.answer().await.2, "6", "the poll that waited is let go at once");
    connection.emit("while", "0").unwrap();
    client.expect(r#"42["while",0]"#).await;
    assert_eq!(client.post(r#"421["echo"]"#).await, 200);
    client.expect("431[]").await;
    client.expect("6").await;
    connection.emit("first", "1").unwrap();
    socket.send("5").await;
    socket.send(r#"422["echo"]"#).await;
    socket.expect(r#"42["first",1]"#).await;
    socket.expect("432[]").await;
    connection.emit("second", "2").unwrap();
    socket.expect(r#"42["second",2]"#).await;
    // Requests are over for this session, and harmless.
    assert_eq!(client.poll().await.0, 400);
    assert_eq!(client.post("3").await, 400);
    let mut another = probe(&client).await;
    another.expect_close(1008).await;
    socket.send(r#"423["echo"]"#).await;
    socket.expect("433[]").await;
    socket.send("41").await;
    assert_eq!(server.ended().await, CloseReason::ClientDisconnect);
}

#[tokio::test]
async fn a_poll_that_waits_until_the_very_end_is_let_go() {
    let (mut server, client) = joined().await;
    let mut socket = probe(&client).await;
    socket.send("2probe").await;
    socket.send("5").await;
    socket.expect("3probe").await;
    socket.send(r#"421["echo"]"#).await;
    socket.expect("431[]").await;
    server.expect_not_ended();
}

#[tokio::test]
async fn a_new_transport_that_misbehaves_is_closed_and_the_session_goes_on() {
    for said in
        [&["5"][..], &["2"], &["2prob"], &["4hello"], &["x"], &["2probe", "2probe"], &["2probe", "4hello"]]
    {
        let (mut server, client) = joined().await;
        let mut socket = probe(&client).await;
        for text in said {
            socket.send(text).await;
        }
        loop {
            match socket.next().await {
                Got::Text(text) => assert_eq!(text, "3probe"),
                Got::Close(code) => break assert_eq!(code, 1008, "{said:?}"),
                other => panic!("{said:?}: {other:?}"),
            }
        }
        expect_polling(&mut server, &client).await;
    }
}

#[tokio::test]
async fn a_new_transport_that_is_silent_or_gone_is_given_up() {
    for begin in [&[][..], &["2probe"]] {
        let (mut server, client) = joined().await;
        let mut socket = probe(&client).await;
        for text in begin {
            socket.send(text).await;
            socket.expect("3probe").await;
        }
        let closed = timeout(Duration::from_secs(5), socket.next()).await;
        assert_eq!(closed, Ok(Got::Close(1008)), "after its time");
        expect_polling(&mut server, &client).await;
        let mut socket = probe(&client).await;
        for text in begin {
            socket.send(text).await;
        }
        drop(socket);
        sleep(SHORT).await;
        expect_polling(&mut server, &client).await;
    }
}

#[tokio::test]
async fn a_second_new_transport_is_refused_while_the_first_is_tried() {
    let (mut server, client) = joined().await;
    let mut first = probe(&client).await;
    first.send("2probe").await;
    first.expect("3probe").await;
    let mut second = probe(&client).await;
    second.expect_close(1008).await;
    first.send("5").await;
    first.send(r#"421["echo"]"#).await;
    first.expect("431[]").await;
    server.expect_not_ended();
}

#[tokio::test]
async fn a_session_that_ends_meanwhile_takes_the_new_transport_with_it() {
    let (mut server, client) = joined().await;
    let mut socket = probe(&client).await;
    socket.send("2probe").await;
    socket.expect("3probe").await;
    assert_eq!(client.post("1").await, 200);
    assert_eq!(server.ended().await, CloseReason::TransportClosed);
    assert_eq!(timeout(Duration::from_secs(5), socket.next()).await, Ok(Got::End));
    client.expect("6").await;
    client.expect_gone().await;
}

#[tokio::test]
async fn a_foreign_session_is_out_of_reach() {
    let (mut server, client) = joined().await;
    let connection = server.connection().await;
    // The public id is known to others, and is no key.
    let guess = Poller { address: client.address, sid: connection.id().to_string() };
    guess.expect_gone().await;
    for sid in ["", "x", "AAAAAAAAAAAAAAAAAAAA", &"A".repeat(5_000)] {
        let guess = Poller { address: client.address, sid: sid.to_owned() };
        assert_eq!(guess.post("42[\"echo\"]").await, 400);
    }
    expect_polling(&mut server, &client).await;
}

/// What a client has said on one connection counts before what it asks for on the next, however the two are read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_behind_the_upgrade_finds_it_done() {
    // The server's tasks wait for their turn, in any order.
    let hogs: Vec<_> = (0..4).map(|_| tokio::spawn(hog())).collect();
    for round in 0..100 {
        let (_server, client) = joined().await;
        let mut socket = probe(&client).await;
        socket.send("2probe").await;
        socket.send("5").await;
        assert_eq!(client.poll().await.0, 400, "round {round}");
    }
    for hog in hogs {
        hog.abort();
    }
}

async fn hog() {
    loop {
        std::thread::sleep(Duration::from_micros(300));
        tokio::task::yield_now().await;
    }
}

/// A new transport has its time, whether there is room for the session's packets or not.
#[tokio::test]
async fn a_new_transport_that_is_silent_is_given_up_while_the_handlers_are_busy() {
    let config =
        Config { in_flight_max: 1, upgrade_timeout: Duration::from_millis(200), ..Config::default() };
    let (mut server, address) = listen(config).await;
    let client = Poller::open(address).await;
    client.join().await;
    server.connection().await;
    let mut socket = probe(&client).await;
    let request = format!("POST /socket.io/?EIO=4&transport=polling&sid={}", client.sid);
    let _post = ask(client.address, &request, "", br#"421["gated"]"#).await;
    assert_eq!(timeout(Duration::from_secs(5), socket.next()).await, Ok(Got::Close(1008)));
}

#[tokio::test]
async fn polls_beside_a_new_transport_take_no_more_events_than_may_be_in_flight() {
    let (server, address) = listen(Config { in_flight_max: 1, ..Config::default() }).await;
    let client = Poller::open(address).await;
    client.join().await;
    let mut socket = probe(&client).await;
    socket.send("2probe").await;
    socket.expect("3probe").await;
    let events = [r#"42["gated"]"#; 20].join("\u{1e}");
    let request = format!("POST /socket.io/?EIO=4&transport=polling&sid={}", client.sid);
    let _post = ask(client.address, &request, "", events.as_bytes()).await;
    while server.begun().is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..5 {
        client.expect("6").await;
    }
    assert_eq!(server.begun().len(), 1);
}

/// A client that is just moving polls no more: what the application says last reaches it on its new transport.
#[tokio::test]
async fn what_is_said_last_during_the_upgrade_is_said_on_the_new_transport() {
    for is_disconnected in [true, false] {
        for is_probed_first in [true, false] {
            let (mut server, client) = joined().await;
            let connection = server.connection().await;
            let mut socket = probe(&client).await;
            if is_probed_first {
                socket.send("2probe").await;
                socket.expect("3probe").await;
            }
            connection.emit("last", "").unwrap();
            let reason = if is_disconnected {
                connection.disconnect("over");
                CloseReason::ServerDisconnected("over")
            } else {
                connection.close("over");
                CloseReason::ServerClosed("over")
            };
            assert_eq!(server.ended().await, reason);
            if !is_probed_first {
                socket.send("2probe").await;
                socket.expect("3probe").await;
            }
            socket.send("5").await;
            socket.expect(r#"42["last"]"#).await;
            if is_disconnected {
                socket.expect("41").await;
            }
            socket.expect("1").await;
            socket.expect_close(1000).await;
            drop(socket);
            server.expect_nothing_left().await;
        }
    }
}
