//! A proxy that loses or repeats what the server says on a socket.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Passes everything on, and each of the server's packets on a WebSocket as often as it is told, zero included.
pub fn frame_proxy(server: SocketAddr, times: impl Fn(&str) -> usize + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for device in listener.incoming().map_while(Result::ok) {
            let upstream = TcpStream::connect(server).unwrap();
            let (mut from, mut to) = (device.try_clone().unwrap(), upstream.try_clone().unwrap());
            let times = times.clone();
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            thread::spawn(move || pass_down(upstream, device, times));
        }
    });
    address
}

/// From the server to the device, until one of them ends.
fn pass_down(mut from: TcpStream, mut to: TcpStream, times: impl Fn(&str) -> usize) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read(&mut from, 1)?[0]);
    }
    to.write_all(&head)?;
    if !head.starts_with(b"HTTP/1.1 101") {
        return std::io::copy(&mut from, &mut to).map(|_| ());
    }
    loop {
        let mut frame = read(&mut from, 2)?;
        let mut length = u64::from(frame[1]);
        if length >= 126 {
            let extended = read(&mut from, if length == 126 { 2 } else { 8 })?;
            length = extended.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
            frame.extend(extended);
        }
        let payload = read(&mut from, length)?;
        let times = times(&String::from_utf8_lossy(&payload));
        let frame = [frame, payload].concat();
        for _ in 0..times {
            to.write_all(&frame)?;
        }
    }
}

fn read(from: &mut TcpStream, bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut read = vec![0; usize::try_from(bytes).unwrap()];
    from.read_exact(&mut read)?;
    Ok(read)
}
