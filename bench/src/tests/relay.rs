//! A relay between the generator and a server that does one wrong thing to the messages of the first connection, or
//! holds everything back for a while.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::wire::websocket::read_frame;

/// Longer than it takes until all is acknowledged and shown, and less than the generator listens on.
const LATER: Duration = Duration::from_millis(30);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    Nothing,
    /// The third message never comes.
    Drop,
    /// The third message comes again.
    Double,
    /// The third message comes again when everybody has it.
    DoubleLater,
    /// The third message comes after the fourth.
    Swap,
    /// The third acknowledgement never comes.
    DropAck,
    /// The third acknowledgement names a place that is not the message's.
    AlterAck,
    /// From this long after the first byte on, nothing comes for this long.
    Pause {
        after: Duration,
        time: Duration,
    },
}

/// Relays until the process ends. Gives where.
pub(super) fn start(server: SocketAddr, lie: Lie) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (n, client) in listener.incoming().map_while(Result::ok).enumerate() {
            let server = TcpStream::connect(server).unwrap();
            let lie = if n == 0 || matches!(lie, Lie::Pause { .. }) { lie } else { Lie::Nothing };
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            thread::spawn(move || relay(server, client, lie));
        }
    });
    address
}

/// What the server says, with the lie in it.
fn relay(mut server: TcpStream, mut client: TcpStream, lie: Lie) {
    let (mut input, mut scratch, begun) = (Vec::new(), [0; 65_536], Instant::now());
    let (mut messages, mut acks) = (0, 0);
    let mut held: Option<Vec<u8>> = None;
    // The answer to the upgrade goes through as it is.
    let mut is_upgraded = false;
    while let Ok(count @ 1..) = server.read(&mut scratch) {
        input.extend_from_slice(&scratch[..count]);
        if let Lie::Pause { after, time } = lie
            && (after..after + time).contains(&begun.elapsed())
        {
            thread::sleep((after + time).saturating_sub(begun.elapsed()));
        }
        if matches!(lie, Lie::Nothing | Lie::Pause { .. }) {
            if client.write_all(&input).is_err() {
                break;
            }
            input.clear();
            continue;
        }
        let mut out = Vec::new();
        if !is_upgraded && let Some(end) = memmem::find(&input, b"\r\n\r\n") {
            out.extend(input.drain(..end + 4));
            is_upgraded = true;
        }
        while is_upgraded && let Some(frame) = read_frame(&input).unwrap() {
            let is_message = frame.payload.starts_with(b"42[\"message:new\"");
            let is_ack = frame.payload.starts_with(b"43");
            (messages, acks) = (messages + u32::from(is_message), acks + u32::from(is_ack));
            let (is_third, is_third_ack) = (is_message && messages == 3, is_ack && acks == 3);
            let taken = frame.bytes;
            let bytes: Vec<u8> = input.drain(..taken).collect();
            match lie {
                Lie::Drop if is_third => {}
                Lie::Double if is_third => out.extend([&bytes[..], &bytes[..]].concat()),
                Lie::DoubleLater if is_third => {
                    out.extend(&bytes);
                    write_later(client.try_clone().unwrap(), bytes);
                }
                Lie::Swap if is_third => held = Some(bytes),
                Lie::DropAck if is_third_ack => {}
                Lie::AlterAck if is_third_ack => out.extend(altered(bytes)),
                _ => {
                    out.extend(bytes);
                    out.extend(held.take_if(|_| is_message).unwrap_or_default());
                }
            }
        }
        if client.write_all(&out).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

fn write_later(mut client: TcpStream, bytes: Vec<u8>) {
    thread::spawn(move || {
        thread::sleep(LATER);
        let _ = client.write_all(&bytes);
    });
}

/// The same frame with another `seq` of as many digits.
fn altered(mut frame: Vec<u8>) -> Vec<u8> {
    let name = b"\"seq\":";
    let digit = memmem::find(&frame, name).unwrap() + name.len();
    frame[digit] ^= 1;
    frame
}
