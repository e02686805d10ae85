//! People who type by the clock, in the conversations that they have open.

use std::time::Duration;

use super::Crowd;
use crate::engine::{Engine, Nanos};
use crate::measure::nanos;
use crate::schedule::Schedule;

/// Somebody types for so many signals in a row, and then says that they stopped.
const A_WORD: u64 = 150;
/// People begin one after another within this time: nobody types in step with all others.
pub(crate) const BEGINNINGS: Duration = Duration::from_secs(3);

/// Who types when.
#[derive(Debug)]
pub(crate) struct Typing {
    schedule: Schedule,
    begin: Nanos,
    due: u64,
    /// Signals that went out.
    pub sent: u64,
}

impl Typing {
    /// So many signals a second of all together, from now on.
    pub(crate) fn new(begin: Nanos, per_second: f64) -> Self {
        Self { schedule: Schedule::new(begin, per_second, u64::MAX), begin, due: 0, sent: 0 }
    }

    /// The next one: who, and whether they stop; nobody where it is not their time yet.
    fn take_due(&mut self, now: Nanos, people: u64) -> Option<Option<(u64, bool)>> {
        self.schedule.take_due(now)?;
        let (turn, person) = (self.due / people, self.due % people);
        self.due += 1;
        let has_begun = now >= self.begin + person * (nanos(BEGINNINGS) / people);
        Some(has_begun.then_some((person, (turn + person) % A_WORD == A_WORD - 1)))
    }
}

impl Crowd {
    /// When the next send or signal is due by the clock.
    pub(crate) fn next_at(&self) -> Option<Nanos> {
        let typing = self.typing.as_ref().and_then(|typing| typing.schedule.next_at());
        let send = self.run.as_ref().and_then(super::Run::next_at);
        typing.into_iter().chain(send).min()
    }

    /// Everybody opens the first conversation that they are in.
    pub(crate) fn open_conversations(&mut self, engine: &mut Engine) {
        for person in 0..self.devices.len() {
            self.say(engine, person, b"42[\"conversation:open\",{\"conversationId\":\"");
        }
    }

    /// Sends every signal that is due.
    pub(crate) fn type_due(&mut self, engine: &mut Engine) {
        let (now, people) = (engine.now(), self.devices.len() as u64);
        while let Some(due) = self.typing.as_mut().and_then(|typing| typing.take_due(now, people)) {
            let Some((person, stops)) = due else { continue };
            let packet: &[u8] = if stops {
                b"42[\"typing:stop\",{\"conversationId\":\""
            } else {
                b"42[\"typing:start\",{\"conversationId\":\""
            };
            self.say(engine, usize::try_from(person).unwrap_or_default(), packet);
            if let Some(typing) = &mut self.typing {
                typing.sent += 1;
            }
        }
    }

    fn say(&self, engine: &mut Engine, person: usize, packet: &[u8]) {
        let device = &self.devices[person];
        let room = &self.world.conversations[self.rooms[&device.person]].id;
        engine.send_packet(device.link, &[packet, room.as_bytes(), b"\"}]"]);
    }
}
