//! The clients of a run: a device for each person, connections for requests, and the checker that watches all of them.

mod connect;
mod hear;
mod send;
mod typing;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use crate::checker::{Checker, Shown};
use crate::dialect::{Dialect, id_of};
use crate::engine::{Engine, LinkId, Nanos};
use crate::world::World;

pub(crate) use connect::Joining;
pub(crate) use send::{Choice, Door, Pace, Run};
pub(crate) use typing::{BEGINNINGS, Typing};

/// How long anything is waited for before it is called lost.
pub(crate) const PATIENCE: Nanos = 10_000_000_000;
/// How long after the last thing that had to come one listens for what should not: a frame that comes twice is the
/// later.
const LISTEN_ON: Nanos = 50_000_000;

/// Everybody who talks to the server.
pub(crate) struct Crowd {
    pub dialect: Dialect,
    pub address: SocketAddr,
    pub world: World,
    /// By person.
    pub tokens: Vec<String>,
    /// One for each person who is online, in the order of the people.
    pub devices: Vec<Device>,
    pub checker: Checker,
    /// How long a run waits for what is still to come before it calls it lost.
    pub patience: Nanos,
    /// Why connections ended that should not have.
    pub ended: Vec<String>,
    /// The operations that are being measured.
    pub run: Option<Run>,
    /// Who types meanwhile.
    pub typing: Option<Typing>,
    /// Answers to requests of scenarios that are not sends.
    pub answers: VecDeque<Answer>,
    /// Devices that are live.
    live: usize,
    posts: Vec<Post>,
    free_posts: Vec<u32>,
    roles: Vec<Role>,
    conversations: HashMap<u128, u32>,
    /// The first conversation of each person.
    rooms: HashMap<u32, usize>,
    last_frame: Vec<u8>,
    last_shown: Option<Shown>,
}

/// A socket of one person.
#[derive(Debug)]
pub(crate) struct Device {
    pub link: LinkId,
    pub person: u32,
    /// The token to resume with that came with `ready`.
    pub next: String,
    /// Joins that are not acknowledged yet, where the server wants joins.
    joins: usize,
    acks: u64,
    /// Operations by the number of their ack.
    waiting: VecDeque<(u64, u64)>,
}

/// An answer on a connection that a scenario writes on by itself.
#[derive(Debug)]
pub(crate) struct Answer {
    pub link: LinkId,
    /// When it came.
    pub at: Nanos,
    pub status: u16,
    pub body: Vec<u8>,
}

/// A connection for requests, one at a time.
#[derive(Debug)]
struct Post {
    link: LinkId,
    is_open: bool,
    operation: Option<u64>,
}

/// What a link is to the crowd.
#[derive(Debug, Clone, Copy)]
enum Role {
    Device(u32),
    Post(u32),
    Plain,
}

impl Crowd {
    pub(crate) fn new(dialect: Dialect, address: SocketAddr, world: World, tokens: Vec<String>) -> Self {
        let ids = world.conversations.iter().map(|conversation| id_of(&conversation.id).unwrap_or_default());
        let conversations = ids.zip(0..).collect();
        let mut rooms = HashMap::new();
        for (room, conversation) in world.conversations.iter().enumerate() {
            for person in &conversation.members {
                rooms.entry(*person).or_insert(room);
            }
        }
        Self {
            dialect,
            address,
            world,
            tokens,
            devices: Vec::new(),
            checker: Checker::default(),
            patience: PATIENCE,
            ended: Vec::new(),
            run: None,
            typing: None,
            answers: VecDeque::new(),
            live: 0,
            posts: Vec::new(),
            free_posts: Vec::new(),
            roles: Vec::new(),
            conversations,
            rooms,
            last_frame: Vec::new(),
            last_shown: None,
        }
    }

    /// Turns the engine until `done`, at most until `until`. Gives whether it was done.
    pub(crate) fn turn_until(
        &mut self,
        engine: &mut Engine,
        until: Nanos,
        mut done: impl FnMut(&Self) -> bool,
    ) -> anyhow::Result<bool> {
        while !done(self) {
            if engine.now() >= until {
                return Ok(false);
            }
            engine.turn(self, until.min(engine.now() + PATIENCE / 100))?;
        }
        Ok(true)
    }

    /// Waits until everything that was begun is acknowledged and shown, with patience, and a moment longer. Only then
    /// the verdict is whole.
    pub(crate) fn settle(&mut self, engine: &mut Engine) -> anyhow::Result<()> {
        let until = engine.now() + self.patience;
        self.turn_until(engine, until, |crowd| crowd.checker.is_settled())?;
        let until = engine.now() + LISTEN_ON;
        self.turn_until(engine, until, |_| false)?;
        Ok(())
    }

    fn role(&self, link: LinkId) -> Role {
        self.roles.get(link.0).copied().unwrap_or(Role::Plain)
    }

    fn give_role(&mut self, link: LinkId, role: Role) {
        if self.roles.len() <= link.0 {
            self.roles.resize(link.0 + 1, Role::Plain);
        }
        self.roles[link.0] = role;
    }
}
