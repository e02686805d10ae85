//! Coming online: devices and connections for requests.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, ensure};

use super::{Crowd, Device, PATIENCE, Post, Role};
use crate::dialect::Dialect;
use crate::engine::{Engine, LinkId, Protocol};

/// Connects that are under way at a time: fewer than the listen backlog holds.
pub(crate) const CONNECTING_MAX: usize = 256;
/// Sockets from one source address: its ephemeral ports are 28,000.
const SOURCE_SOCKETS_MAX: u32 = 8_000;

/// How devices come online.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joining {
    /// Connects that are under way at a time.
    pub at_once: usize,
    /// Resume by the token of the connection before.
    pub resume: bool,
}

impl Default for Joining {
    fn default() -> Self {
        Self { at_once: CONNECTING_MAX, resume: false }
    }
}

impl Crowd {
    /// Brings everybody online whose token there is, and waits until all of them are live.
    pub(crate) fn connect_devices(&mut self, engine: &mut Engine, joining: Joining) -> anyhow::Result<()> {
        let count = self.tokens.len();
        let before: Vec<String> = self.devices.drain(..).map(|device| device.next).collect();
        self.live = 0;
        while self.live < count {
            while self.devices.len() < count.min(self.live + joining.at_once) {
                let begun = self.devices.len();
                let since = before.get(begun).filter(|_| joining.resume);
                self.connect_device(engine, u32::try_from(begun)?, since.map(String::as_str))?;
            }
            let (until, live) = (engine.now() + PATIENCE, self.live);
            let more =
                self.turn_until(engine, until, |crowd| crowd.live > live || !crowd.ended.is_empty())?;
            ensure!(self.ended.is_empty(), "devices were not let in: {:?}", self.ended.first());
            ensure!(more, "after {live} devices no more have become live");
        }
        Ok(())
    }

    /// Everybody who is online expects from here on whatever is said where they are.
    pub(crate) fn expect_everything(&mut self) {
        for (n, conversation) in (0..).zip(&self.world.conversations) {
            for member in
                conversation.members.iter().filter(|member| (**member as usize) < self.devices.len())
            {
                self.checker.expect(*member, n, conversation.seq, conversation.pos);
            }
        }
    }

    fn connect_device(
        &mut self,
        engine: &mut Engine,
        person: u32,
        since: Option<&str>,
    ) -> anyhow::Result<()> {
        let token = &self.tokens[person as usize];
        let auth = match since {
            Some(since) => format!("{{\"token\":\"{token}\",\"since\":\"{since}\"}}"),
            None => format!("{{\"token\":\"{token}\"}}"),
        };
        let source =
            u8::try_from(person / SOURCE_SOCKETS_MAX + 1).context("too many sockets for the addresses")?;
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, source));
        let protocol = match self.dialect {
            Dialect::Upgrade => Protocol::Upgrade,
            Dialect::Tidings | Dialect::Node | Dialect::Bare => Protocol::Socket { auth },
        };
        let link = engine.connect(self.address, Some(from), &protocol)?;
        self.give_role(link, Role::Device(person));
        self.devices.push(Device {
            link,
            person,
            next: String::new(),
            joins: 0,
            acks: 0,
            waiting: VecDeque::new(),
        });
        Ok(())
    }

    /// The handshake is over. Tidings says by itself when the device is live; the others want to be told the rooms.
    pub(super) fn on_device_open(&mut self, engine: &mut Engine, n: u32) {
        if self.dialect == Dialect::Tidings {
            return;
        }
        let device = &mut self.devices[n as usize];
        for conversation in &self.world.conversations {
            if conversation.members.contains(&device.person) {
                let number = device.acks.to_string();
                device.acks += 1;
                device.joins += 1;
                let parts = [b"42", number.as_bytes(), b"[\"join\",\"", conversation.id.as_bytes(), b"\"]"];
                engine.send_packet(device.link, &parts);
            }
        }
        self.live += usize::from(device.joins == 0);
    }

    /// Opens connections for requests until there are this many.
    pub(crate) fn connect_posts(&mut self, engine: &mut Engine, count: usize) -> anyhow::Result<()> {
        for n in 0..count {
            if self.posts.get(n).is_some_and(|post| post.is_open) {
                continue;
            }
            let link = engine.connect(self.address, None, &Protocol::Http)?;
            self.give_role(link, Role::Post(u32::try_from(n)?));
            let post = Post { link, is_open: false, operation: None };
            if n < self.posts.len() {
                self.posts[n] = post;
            } else {
                self.posts.push(post);
            }
        }
        let until = engine.now() + PATIENCE;
        let all = self.turn_until(engine, until, |crowd| crowd.posts.iter().all(|post| post.is_open))?;
        ensure!(all, "connections for requests have not opened");
        Ok(())
    }

    /// Everybody goes away without a word.
    pub(crate) fn drop_devices(&mut self, engine: &mut Engine) {
        for device in &self.devices {
            engine.drop_link(device.link);
        }
    }

    /// A connection for requests that the caller writes on by itself; answers are in [`Crowd::answers`].
    pub(crate) fn connect_plain(&mut self, engine: &mut Engine) -> anyhow::Result<LinkId> {
        let link = engine.connect(self.address, None, &Protocol::Http)?;
        self.give_role(link, Role::Plain);
        Ok(link)
    }
}
