//! What arrives, and what it means for the run.

use super::{Answer, Crowd, Role};
use crate::checker::Shown;
use crate::dialect::{self, Dialect, Message};
use crate::engine::{Engine, Heard, LinkId, Listener};

/// Ends that are told; thousands may end for one reason.
const ENDED_MAX: usize = 8;

impl Listener for Crowd {
    fn heard(&mut self, engine: &mut Engine, link: LinkId, heard: Heard<'_>) {
        match (self.role(link), heard) {
            (Role::Device(n), Heard::Event(event)) => self.on_event(engine, n, event),
            (Role::Device(n), Heard::Ack(number, args)) => self.on_ack(engine, n, number, args),
            (Role::Device(n), Heard::Open) => self.on_device_open(engine, n),
            (Role::Post(n), Heard::Answer { status, body }) => self.on_answer(engine, n, status, body),
            (Role::Post(n), Heard::Open) => {
                self.posts[n as usize].is_open = true;
                self.free_posts.push(n);
            }
            (Role::Plain, Heard::Answer { status, body }) => {
                let answer = Answer { link, at: engine.now(), status, body: body.to_vec() };
                self.answers.push_back(answer);
            }
            // The server closes connections that are silent for long; they are opened again when they are needed.
            (Role::Post(n), Heard::Closed(_)) if self.posts[n as usize].operation.is_none() => {
                self.posts[n as usize].is_open = false;
                self.free_posts.retain(|free| *free != n);
            }
            (role, Heard::Closed(reason)) if self.ended.len() < ENDED_MAX => {
                self.ended.push(format!("{role:?}: {reason}"));
            }
            // A server may say more than a run asks for.
            (_, _) => {}
        }
    }
}

impl Crowd {
    fn on_event(&mut self, engine: &mut Engine, n: u32, event: &[u8]) {
        // Everybody gets the same bytes: they are compared instead of being read again.
        if event != self.last_frame {
            let Some(message) = self.dialect.read_frame(event) else {
                return self.on_other_event(n, event);
            };
            let Some(shown) = self.shown_of(&message) else { return };
            self.last_shown = Some(shown);
            self.last_frame.clear();
            self.last_frame.extend_from_slice(event);
        }
        let Some(shown) = self.last_shown else { return };
        let is_last = self.checker.shown(n, shown);
        if let (Some(run), Some(operation)) = (&mut self.run, shown.operation) {
            run.on_shown(operation, is_last, engine.now());
        }
    }

    fn shown_of(&self, message: &Message<'_>) -> Option<Shown> {
        let conversation = *self.conversations.get(&dialect::id_of(&message.conversation)?)?;
        let pos = (self.dialect == Dialect::Tidings).then_some((message.pos, message.span));
        let operation = dialect::operation_of(&message.content);
        Some(Shown { conversation, seq: message.seq, pos, operation })
    }

    fn on_other_event(&mut self, n: u32, event: &[u8]) {
        match dialect::event_name(event) {
            b"ready" => {
                self.live += 1;
                self.devices[n as usize].next = text_after(event, b"\"next\":\"").unwrap_or_default();
            }
            b"session:expired" | b"reset" => {
                self.ended.push(format!("device {n}: {}", String::from_utf8_lossy(event)));
            }
            _ => {}
        }
    }

    fn on_ack(&mut self, engine: &mut Engine, n: u32, number: u64, args: &[u8]) {
        let device = &mut self.devices[n as usize];
        if device.joins > 0 {
            device.joins -= 1;
            self.live += usize::from(device.joins == 0);
            return;
        }
        let Some(place) = device.waiting.iter().position(|(waiting, _)| *waiting == number) else { return };
        let Some((_, operation)) = device.waiting.remove(place) else { return };
        let seq = dialect::read_ack(args).map(|message| message.seq);
        self.on_taken(engine, operation, seq, args);
    }

    fn on_answer(&mut self, engine: &mut Engine, n: u32, status: u16, body: &[u8]) {
        let Some(operation) = self.posts[n as usize].operation.take() else { return };
        self.free_posts.push(n);
        let message = if status == 201 { dialect::read_answer(body) } else { None };
        self.on_taken(engine, operation, message.map(|message| message.seq), body);
    }

    fn on_taken(&mut self, engine: &mut Engine, operation: u64, seq: Option<u64>, said: &[u8]) {
        let now = engine.now();
        match seq {
            Some(seq) => self.checker.acknowledged(operation, seq),
            None => self.checker.refused(operation),
        }
        if let Some(run) = &mut self.run {
            run.on_taken(operation, seq.is_some(), said, now);
        }
        self.after_answer(engine);
    }
}

fn text_after(event: &[u8], name: &[u8]) -> Option<String> {
    let begin = memchr::memmem::find(event, name)? + name.len();
    let end = begin + memchr::memchr(b'"', &event[begin..])?;
    String::from_utf8(event[begin..end].to_vec()).ok()
}
