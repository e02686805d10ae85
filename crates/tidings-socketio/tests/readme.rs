//! The tables of the crate's page say what the code does.

use std::time::Duration;

use tidings_socketio::{CloseReason, Config};

const README: &str = include_str!("../README.md");

fn expect_line(beginning: &str) {
    assert!(README.lines().any(|line| line.starts_with(beginning)), "README.md has no line {beginning}");
}

fn grouped(count: usize) -> String {
    if count < 1000 { count.to_string() } else { format!("{},{:03}", count / 1000, count % 1000) }
}

fn bytes(bytes: usize) -> String {
    match bytes {
        bytes if bytes % (1024 * 1024) == 0 => format!("{} MiB", bytes / 1024 / 1024),
        bytes if bytes % 1024 == 0 => format!("{} KiB", bytes / 1024),
        bytes => format!("{bytes} bytes"),
    }
}

#[test]
fn every_limit_stands_there_with_its_default() {
    // Each field by its name: a new one does not compile before it stands here.
    let Config {
        ping_interval,
        ping_timeout,
        connect_timeout,
        upgrade_timeout,
        body_timeout,
        write_timeout,
        payload_bytes_max,
        payload_packets_max,
        attachments_max,
        packet_bytes_max,
        fragments_max,
        queue_bytes_max,
        in_flight_max,
        acks_outstanding_max,
        json_depth_max,
        event_name_bytes_max,
        namespaces_max,
        refusals_max,
        polling: _,
        connections_max,
        address_connections_max,
        allowed_origins: _,
    } = Config::default();
    let seconds = |time: Duration| format!("{} s", time.as_secs());
    for (name, default) in [
        ("ping_interval", seconds(ping_interval)),
        ("ping_timeout", seconds(ping_timeout)),
        ("connect_timeout", seconds(connect_timeout)),
        ("upgrade_timeout", seconds(upgrade_timeout)),
        ("body_timeout", seconds(body_timeout)),
        ("write_timeout", seconds(write_timeout)),
        ("payload_bytes_max", bytes(payload_bytes_max)),
        ("payload_packets_max", grouped(payload_packets_max)),
        ("attachments_max", grouped(attachments_max)),
        ("packet_bytes_max", bytes(packet_bytes_max)),
        ("fragments_max", fragments_max.to_string()),
        ("queue_bytes_max", bytes(queue_bytes_max)),
        ("in_flight_max", grouped(in_flight_max)),
        ("acks_outstanding_max", grouped(acks_outstanding_max)),
        ("json_depth_max", grouped(json_depth_max)),
        ("event_name_bytes_max", bytes(event_name_bytes_max)),
        ("namespaces_max", grouped(namespaces_max)),
        ("refusals_max", refusals_max.to_string()),
        ("connections_max", grouped(connections_max)),
        ("address_connections_max", grouped(address_connections_max)),
    ] {
        expect_line(&format!("| `{name}` | {default} |"));
    }
}

#[test]
fn every_end_of_a_connection_stands_there() {
    for reason in [
        CloseReason::ClientDisconnect,
        CloseReason::TransportClosed,
        CloseReason::TransportError,
        CloseReason::PingTimeout,
        CloseReason::ConnectTimeout,
        CloseReason::Refused,
        CloseReason::ParseError,
        CloseReason::InvalidState,
        CloseReason::FrameError,
        CloseReason::InvalidUtf8,
        CloseReason::MessageTooLarge,
        CloseReason::PollOverlap,
        CloseReason::QueueFull,
        CloseReason::WriteTimeout,
        CloseReason::ServerShutdown,
        CloseReason::ServerClosed("your own"),
        CloseReason::ServerDisconnected("your own"),
        CloseReason::Internal,
    ] {
        let code = match reason {
            CloseReason::ServerClosed(code) | CloseReason::ServerDisconnected(code) => code.to_owned(),
            reason => format!("`{}`", reason.code()),
        };
        let retry = if reason.should_retry() { "yes" } else { "no" };
        expect_line(&format!("| {code} | {} | {retry} |", reason.socket_io()));
    }
}
