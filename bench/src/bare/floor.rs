//! The floor: one thread over epoll that writes every frame to every socket with one `send()`, and nothing between.
//!
//! What another server costs more than this is its own; what it costs less it has saved by writing more than one frame
//! with a call. It knows exactly what the generator says, and looks for nothing else.

mod connection;
mod frame;

use std::collections::HashMap;
use std::io::ErrorKind;
use std::mem;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use anyhow::Context as _;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use connection::{Asked, Connection};
use frame::Frames;

use super::message::Sent;

/// What one read takes at the most, in bytes.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Connections that one turn serves.
const EVENTS_MAX: usize = 512;
/// The listener among the events.
const LISTENER: u64 = u64::MAX;

/// Everybody in a conversation, and its last number.
#[derive(Default)]
struct Room {
    members: Vec<usize>,
    seq: u64,
}

struct Floor<'a> {
    listener: &'a TcpListener,
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    rooms: HashMap<String, Room>,
    frames: Frames,
}

/// Serves until the process ends.
pub(super) fn serve(listener: &TcpListener) -> anyhow::Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC).context("cannot make an epoll instance")?;
    epoll::add(&epoll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let (rooms, frames) = (HashMap::new(), Frames::default());
    let mut floor = Floor { listener, epoll, connections: Vec::new(), free: Vec::new(), rooms, frames };
    let (mut events, mut scratch) = (Vec::<Event>::with_capacity(EVENTS_MAX), vec![0; READ_BYTES_MAX]);
    loop {
        events.clear();
        match epoll::wait(&floor.epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for events"),
        }
        for event in &events {
            let (data, flags) = (event.data, event.flags);
            if data.u64() == LISTENER {
                floor.accept()?;
                continue;
            }
            let id = usize::try_from(data.u64())?;
            if flags.contains(EventFlags::OUT) {
                floor.write_on(id);
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                floor.read(id, &mut scratch);
            }
        }
    }
}

impl Floor<'_> {
    /// Everybody who waits, as they come: whoever is out of descriptors finds that out here.
    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).context("cannot accept"),
            };
            let connection = Connection::new(stream)?;
            let id = self.free.pop().unwrap_or(self.connections.len());
            let data = EventData::new_u64(id as u64);
            epoll::add(&self.epoll, &connection.stream, data, EventFlags::IN)?;
            if id == self.connections.len() {
                self.connections.push(None);
            }
            self.connections[id] = Some(connection);
        }
    }

    fn read(&mut self, id: usize, scratch: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(id).and_then(Option::as_mut) else { return };
        let count = match connection.read(scratch) {
            Ok(Some(count)) => count,
            Ok(None) => return,
            Err(_) => return self.close(id),
        };
        let mut kept = mem::take(&mut connection.left);
        let is_fresh = kept.is_empty();
        if !is_fresh {
            kept.extend_from_slice(&scratch[..count]);
        }
        let input = if is_fresh { &mut scratch[..count] } else { &mut kept[..] };
        let mut at = 0;
        while let Some(connection) = self.connections[id].as_mut() {
            match connection.next(&mut input[at..]) {
                Ok(Some((bytes, asked))) => {
                    at += bytes;
                    self.answer(id, &asked);
                }
                Ok(None) => {
                    connection.left = input[at..].to_vec();
                    return;
                }
                Err(_) => return self.close(id),
            }
        }
    }

    fn answer(&mut self, id: usize, asked: &Asked<'_>) {
        match asked {
            Asked::Upgrade { key } => {
                let upgraded = Frames::upgraded(key);
                self.send(id, &upgraded);
            }
            Asked::Connect => self.say(id, &["40{\"sid\":\"floor\"}"]),
            Asked::Join { ack, room } => {
                let room = self.rooms.entry((*room).to_owned()).or_default();
                room.members.push(id);
                self.say(id, &["43", ack, "[\"ok\"]"]);
            }
            Asked::Send { ack, sent } => self.fan_out(id, ack, sent),
            Asked::Nothing => {}
        }
    }

    /// One frame for everybody, one `send()` for each.
    fn fan_out(&mut self, id: usize, ack: &str, sent: &Sent<'_>) {
        let Some(room) = self.rooms.get_mut(sent.conversation_id) else { return };
        room.seq += 1;
        let seq = room.seq;
        let members = mem::take(&mut room.members);
        let mut frames = mem::take(&mut self.frames);
        let frame = frames.event(sent, seq);
        for member in &members {
            self.send(*member, frame);
        }
        self.send(id, frames.ack(ack, sent, seq));
        self.frames = frames;
        if let Some(room) = self.rooms.get_mut(sent.conversation_id) {
            // Who has gone meanwhile has left the list that was empty: they leave this one here.
            room.members = members;
            room.members.retain(|member| self.connections[*member].is_some());
        }
    }

    fn say(&mut self, id: usize, parts: &[&str]) {
        let mut frames = mem::take(&mut self.frames);
        self.send(id, frames.packet(parts));
        self.frames = frames;
    }

    fn send(&mut self, id: usize, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(id).and_then(Option::as_mut) else { return };
        let was_blocked = connection.is_blocked();
        if connection.send(bytes).is_err() {
            self.close(id);
        } else if connection.is_blocked() != was_blocked {
            self.watch(id);
        }
    }

    fn write_on(&mut self, id: usize) {
        let Some(connection) = self.connections.get_mut(id).and_then(Option::as_mut) else { return };
        if connection.write_on().is_err() {
            self.close(id);
        } else if !connection.is_blocked() {
            self.watch(id);
        }
    }

    fn watch(&self, id: usize) {
        let Some(connection) = &self.connections[id] else { return };
        let out = if connection.is_blocked() { EventFlags::OUT } else { EventFlags::empty() };
        let data = EventData::new_u64(id as u64);
        // It fails for who is gone, which the next read tells.
        let _ = epoll::modify(&self.epoll, &connection.stream, data, EventFlags::IN | out);
    }

    fn close(&mut self, id: usize) {
        if let Some(connection) = self.connections[id].take() {
            for room in self.rooms.values_mut() {
                room.members.retain(|member| *member != id);
            }
            drop(connection);
            self.free.push(id);
        }
    }
}
