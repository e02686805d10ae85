//! A relay between the generator and a server that does one wrong thing to the messages of the first connection, or
//! holds everything back for a while.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::wire::websocket::read_frame;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    Nothing,
    /// The third message never comes.
    Drop,
    /// The third message comes again.
    Double,
    /// The third message comes after the fourth.
    Swap,
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
    let (mut input, mut scratch, mut seen, begun) = (Vec::new(), [0; 65_536], 0, Instant::now());
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
            seen += u32::from(is_message);
            let taken = frame.bytes;
            let bytes: Vec<u8> = input.drain(..taken).collect();
            match lie {
                Lie::Drop if is_message && seen == 3 => {}
                Lie::Double if is_message && seen == 3 => out.extend([&bytes[..], &bytes[..]].concat()),
                Lie::Swap if is_message && seen == 3 => held = Some(bytes),
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
