//! More than one namespace over one transport.

use std::time::Duration;

use tidings_socketio::{CloseReason, Config, SendError};

use crate::app::TestServer;
use crate::client::{Client, Got};

fn server() -> TestServer {
    TestServer::new(Config::default())
}

async fn join(client: &mut Client<tokio::io::DuplexStream>, namespace: &str) {
    client.send(&format!("40{namespace},")).await;
    let answer = client.text().await;
    assert!(answer.starts_with(&format!(r#"40{namespace},{{"sid":""#)), "{answer}");
    client.expect(&format!(r#"42{namespace},["ready"]"#)).await;
}

#[tokio::test]
async fn each_has_its_own_connection() {
    let mut server = server();
    let (mut client, main) = server.joined().await;
    join(&mut client, "/custom").await;
    let custom = server.connection().await;
    assert_eq!((main.namespace(), custom.namespace()), ("/", "/custom"));
    assert_ne!(main.id(), custom.id());
    client.send(r#"42/custom,7["echo",1]"#).await;
    client.expect("43/custom,7[1]").await;
    custom.emit("news", "1").unwrap();
    client.expect(r#"42/custom,["news",1]"#).await;
    // Ids of acknowledgements are counted for each.
    for (connection, asked, answered) in [(&main, "42", "43"), (&custom, "42/custom,", "43/custom,")] {
        let ask = connection.emit_with_ack("question", "", &[], Duration::from_secs(5));
        let answer = async {
            client.expect(&format!(r#"{asked}0["question"]"#)).await;
            client.send(&format!("{answered}0[true]")).await;
        };
        let (reply, ()) = tokio::join!(ask, answer);
        assert_eq!(reply.unwrap().args_json, "true");
    }
}

#[tokio::test]
async fn the_client_leaves_one_and_keeps_the_other() {
    let mut server = server();
    let (mut client, main) = server.joined().await;
    join(&mut client, "/custom").await;
    let custom = server.connection().await;
    client.send(r#"42/custom,1["forever"]"#).await;
    client.send("41/custom,").await;
    assert_eq!(server.ended().await, CloseReason::ClientDisconnect);
    assert_eq!(custom.emit("late", ""), Err(SendError::Closed));
    main.emit("still", "").unwrap();
    client.expect(r#"42["still"]"#).await;
    join(&mut client, "/custom").await;
    client.send(r#"42/custom,2["echo"]"#).await;
    client.expect("43/custom,2[]").await;
}

#[tokio::test]
async fn the_application_ends_one_and_what_the_client_still_sends_is_ignored() {
    let mut server = server();
    let (mut client, main) = server.joined().await;
    join(&mut client, "/custom").await;
    let custom = server.connection().await;
    custom.emit("last", "").unwrap();
    custom.leave("not_yours_any_more");
    assert_eq!(custom.emit("late", ""), Err(SendError::Closed));
    client.send(r#"42/custom,["echo"]"#).await;
    client.expect(r#"42/custom,["last"]"#).await;
    client.expect("41/custom,").await;
    assert_eq!(server.ended().await, CloseReason::ServerDisconnected("not_yours_any_more"));
    client.send(r#"42/custom,["echo"]"#).await;
    client.send(r#"429["echo"]"#).await;
    client.expect("439[]").await;
    main.disconnect("over");
    client.expect("41").await;
    client.expect_close(1000).await;
}

#[tokio::test]
async fn middleware_is_asked_first_and_may_refuse() {
    let mut server = server();
    let (mut client, _main) = server.joined().await;
    client.send("40/closed,").await;
    client.expect(r#"44/closed,{"message":"/closed is closed"}"#).await;
    client.send("40/marked,").await;
    assert!(client.text().await.starts_with("40/marked,{"));
    client.expect(r#"42/marked,["ready",{"query":"EIO=4"}]"#).await;
}

#[tokio::test]
async fn names_may_be_taken_by_a_rule() {
    let mut server = TestServer::new(Config { namespaces_max: 2, ..Config::default() });
    let (mut client, _main) = server.joined().await;
    join(&mut client, "/room-7").await;
    assert_eq!(server.connection().await.namespace(), "/room-7");
    client.send("40/room-8,").await;
    client.expect(r#"44/room-8,{"message":"Too many namespaces"}"#).await;
    client.send("40/hall,").await;
    client.expect(r#"44/hall,{"message":"Invalid namespace"}"#).await;
}

#[tokio::test]
async fn an_event_before_its_namespace_is_joined_closes_everything() {
    let mut server = server();
    let (mut client, _main) = server.joined().await;
    client.send(r#"40/custom,{"token":"never"}"#).await;
    client.send(r#"42/custom,["echo"]"#).await;
    client.expect_close(1008).await;
    assert_eq!(server.ended().await, CloseReason::InvalidState);
}

#[tokio::test(start_paused = true)]
async fn one_who_has_left_everything_is_not_kept() {
    let mut server = TestServer::new(Config { connect_timeout: Duration::from_secs(5), ..Config::default() });
    let (mut client, main) = server.joined().await;
    main.leave("bye");
    client.expect("41").await;
    assert_eq!(server.ended().await, CloseReason::ServerDisconnected("bye"));
    assert_eq!(client.next().await, Got::Close(1000));
}

#[tokio::test]
async fn a_recovery_id_is_told_with_the_answer() {
    let mut server = server();
    let mut client = server.client().await;
    client.send(r#"40{"recover":1}"#).await;
    let answer = client.text().await;
    let id = server.connection().await.id();
    assert_eq!(answer, format!(r#"40{{"sid":"{id}","pid":"a \"pid\""}}"#));
}

#[tokio::test]
async fn the_handlers_of_a_namespace_that_was_left_give_their_places_back() {
    let mut server = TestServer::new(Config { in_flight_max: 1, ..Config::default() });
    let (mut client, _main) = server.joined().await;
    join(&mut client, "/custom").await;
    let custom = server.connection().await;
    client.send(r#"42/custom,1["forever"]"#).await;
    while server.begun().is_empty() {
        tokio::task::yield_now().await;
    }
    custom.leave("kicked");
    client.expect("41/custom,").await;
    client.send(r#"422["echo"]"#).await;
    client.expect("432[]").await;
}

/// Behind a handler that never ends the client is not read, and could be gone.
#[tokio::test(start_paused = true)]
async fn one_who_is_gone_while_all_places_are_taken_is_noticed() {
    let mut server = TestServer::new(Config { in_flight_max: 1, ..Config::default() });
    let (mut client, _main) = server.joined().await;
    client.send(r#"421["forever"]"#).await;
    let ended = tokio::time::timeout(Duration::from_secs(600), server.ended()).await;
    assert_eq!(ended, Ok(CloseReason::PingTimeout));
}

#[tokio::test]
async fn a_namespace_that_the_application_has_ended_does_not_count() {
    let mut server = TestServer::new(Config { namespaces_max: 2, ..Config::default() });
    let (mut client, _main) = server.joined().await;
    for n in 0..6 {
        let room = format!("/room-{n}");
        join(&mut client, &room).await;
        server.connection().await.leave("over");
        client.expect(&format!("41{room},")).await;
        assert_eq!(server.ended().await, CloseReason::ServerDisconnected("over"));
    }
    // Of those that ended lately what is still said is ignored, of others it is a mistake.
    client.send(r#"42/room-5,["echo"]"#).await;
    client.send(r#"421["echo"]"#).await;
    client.expect("431[]").await;
    client.send(r#"42/room-0,["echo"]"#).await;
    client.expect_close(1008).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_namespace_is_decided_in_time_too() {
    let mut server = TestServer::new(Config { connect_timeout: Duration::from_secs(5), ..Config::default() });
    let (mut client, _main) = server.joined().await;
    client.send(r#"40/custom,{"token":"never"}"#).await;
    client.expect_close(1008).await;
    assert_eq!(server.ended().await, CloseReason::ConnectTimeout);
}

/// The set of futures is made anew when a connection ends: who comes and goes leaves nothing in it, however often.
#[tokio::test]
async fn coming_and_going_leaves_nothing_behind() {
    let mut server = server();
    let (mut client, _main) = server.joined().await;
    client.send(r#"42["forever"]"#).await;
    for _ in 0..2_000 {
        join(&mut client, "/custom").await;
        client.send(r#"42/custom,["forever"]"#).await;
        client.send("41/custom,").await;
        assert_eq!(server.ended().await, CloseReason::ClientDisconnect);
        server.connection().await;
    }
    client.send(r#"421["echo"]"#).await;
    client.expect("431[]").await;
    assert_eq!(
        std::sync::Arc::strong_count(&server.app.gate),
        2,
        "one handler works, and the application has one"
    );
}
