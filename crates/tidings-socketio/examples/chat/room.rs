//! Who is in the room, and what was posted.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tidings_socketio::{ConnectError, Connection, ConnectionId, SharedFrame};

const NAME_BYTES_MAX: usize = 32;

/// Names that are remembered; those who are away are forgotten for a new one.
const SEATS_MAX: usize = 100;

/// What is kept for those who come: less than a connection's queue, into which all of it must go.
const LOG_BYTES_MAX: usize = 512 * 1024;

/// The room. Everything in it happens under one lock, so all see the same order.
#[derive(Default)]
pub struct Room {
    seats: HashMap<String, Seat>,
    /// The last posts, encoded once and the same for everybody; the tag is the position.
    log: VecDeque<SharedFrame>,
    log_bytes: usize,
    /// Of the last post; the first has 1.
    position: u64,
}

/// A name, which belongs to whoever has the `pid` that was given with it.
struct Seat {
    pid: String,
    /// Who sits there now.
    holder: Option<ConnectionId>,
    /// None until they have joined.
    connection: Option<Connection<Member>>,
}

/// What is kept of a connection.
pub struct Member {
    pub name: String,
    /// The recovery id: a client that comes back shows it. The same as before only for one that can be told all that
    /// it has missed.
    pub pid: String,
    /// The last position that such a client has seen.
    seen: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    name: String,
    pid: Option<String>,
    offset: Option<String>,
}

impl Room {
    /// Takes the seat for a name, again where the `pid` is right, or refuses it.
    pub fn enter(&mut self, auth: Option<&RawValue>, id: ConnectionId) -> Result<Member, ConnectError> {
        let auth = auth.and_then(|auth| serde_json::from_str::<Auth>(auth.get()).ok()).unwrap_or_default();
        if auth.name.is_empty() || auth.name.len() > NAME_BYTES_MAX {
            return Err(refused("name_invalid", "A name has 1 to 32 bytes"));
        }
        let seat = self.seats.get(&auth.name);
        let is_own = seat.is_some_and(|seat| Some(&seat.pid) == auth.pid.as_ref());
        if !is_own && seat.is_some_and(|seat| seat.holder.is_some()) {
            return Err(refused("name_taken", "Somebody here has that name"));
        }
        if self.seats.len() >= SEATS_MAX && seat.is_none() {
            self.seats.retain(|_, seat| seat.holder.is_some());
            if self.seats.len() >= SEATS_MAX {
                return Err(refused("full", "The room is full"));
            }
        }
        let offset = auth.offset.and_then(|offset| offset.parse().ok());
        let seen = offset.filter(|&seen| is_own && self.has_all_after(seen));
        let pid = auth.pid.filter(|_| seen.is_some()).unwrap_or_else(|| id.to_string());
        let seat = Seat { pid: pid.clone(), holder: Some(id), connection: None };
        let before = self.seats.insert(auth.name.clone(), seat);
        // The same client, whose last connection is dead and does not know it yet.
        if let Some(connection) = before.and_then(|seat| seat.connection) {
            connection.disconnect("replaced");
        }
        Ok(Member { name: auth.name, pid, seen })
    }

    /// Tells a newcomer the log, and one who comes back what they have missed; then `welcome`. From then on they hear
    /// everything.
    pub fn join(&mut self, connection: &Connection<Member>) {
        let member = connection.state();
        let seen = member.seen.unwrap_or_default();
        for frame in self.log.iter().filter(|frame| frame.tag() > seen) {
            let _ = connection.send(frame.clone());
        }
        let (is_recovered, position) = (member.seen.is_some(), self.position.to_string());
        let welcome = json!({ "name": member.name, "pid": member.pid, "recovered": is_recovered });
        let _ = connection.emit("welcome", &format!("{welcome},{}", json!(position)));
        if let Some(seat) = self.seats.get_mut(&member.name)
            && seat.holder == Some(connection.id())
        {
            seat.connection = Some(connection.clone());
        }
        self.tell_people();
    }

    /// The name stays theirs until somebody else takes it.
    pub fn leave(&mut self, connection: &Connection<Member>) {
        if let Some(seat) = self.seats.get_mut(&connection.state().name)
            && seat.holder == Some(connection.id())
        {
            (seat.holder, seat.connection) = (None, None);
            self.tell_people();
        }
    }

    pub fn find(&self, name: &str) -> Option<Connection<Member>> {
        self.seats.get(name)?.connection.clone()
    }

    /// Gives the next position to a post and sends it to everybody. A client keeps the last argument of the last event,
    /// if it is a string, as the offset that it comes back with: here the position, and in no other event a string.
    pub fn post(&mut self, name: &str, args_json: &str, attachments: &[Bytes]) -> u64 {
        self.position += 1;
        let args_json = format!(r#"{args_json},"{}""#, self.position);
        let frame = SharedFrame::event_in("/", name, &args_json, attachments, self.position);
        self.broadcast(&frame);
        self.log_bytes += frame.cost_bytes();
        self.log.push_back(frame);
        while self.log_bytes > LOG_BYTES_MAX {
            let Some(oldest) = self.log.pop_front() else { break };
            self.log_bytes -= oldest.cost_bytes();
        }
        self.position
    }

    fn has_all_after(&self, seen: u64) -> bool {
        let before_first = self.position - self.log.len() as u64;
        (before_first..=self.position).contains(&seen)
    }

    fn tell_people(&self) {
        let here = self.seats.iter().filter(|(_, seat)| seat.connection.is_some());
        let mut names: Vec<_> = here.map(|(name, _)| name).collect();
        names.sort();
        self.broadcast(&SharedFrame::event("people", &json!(names).to_string(), 0));
    }

    /// Who cannot follow is closed by their full queue, and recovers.
    fn broadcast(&self, frame: &SharedFrame) {
        for connection in self.seats.values().filter_map(|seat| seat.connection.as_ref()) {
            let _ = connection.send(frame.clone());
        }
    }
}

fn refused(code: &str, message: &str) -> ConnectError {
    ConnectError::new(message).with_data(json!({ "code": code }))
}
