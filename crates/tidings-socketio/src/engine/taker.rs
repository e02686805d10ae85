//! One packet after the other, whatever transport it came by: the engine's own are answered, the rest is for the
//! conversation.

use std::task::Context;

use tokio::time::Instant;

use super::conversation::Conversation;
use super::heartbeat::Heartbeat;
use super::incoming::{Stop, Verdict};
use super::link::Link;
use super::message::{Message, Packet};
use crate::close::CloseReason;
use crate::codec::{engine, websocket};
use crate::frame::SharedFrame;

/// Takes packets for the conversation, and answers those that are the engine's own.
pub(super) struct Taker<'a, C> {
    pub(super) conversation: &'a mut C,
    pub(super) heartbeat: &'a mut Heartbeat,
    pub(super) link: &'a Link,
    pub(super) now: Instant,
}

impl<C: Conversation> Taker<'_, C> {
    pub(super) fn on_websocket(&mut self, message: websocket::Message, cx: &mut Context<'_>) -> Verdict {
        match message {
            websocket::Message::Text(text) => self.take(Packet::Text(text), cx),
            websocket::Message::Binary(bytes) => self.take(Packet::Binary(bytes), cx),
            websocket::Message::Ping(payload) => {
                self.link.send_from_task(SharedFrame::websocket_pong(&payload));
                Verdict::Continue(())
            }
            websocket::Message::Pong => Verdict::Continue(()),
            websocket::Message::Close => Verdict::Break(Stop::Close(CloseReason::TransportClosed)),
        }
    }

    pub(super) fn take(&mut self, packet: Packet, cx: &mut Context<'_>) -> Verdict {
        match self.on_packet(packet, cx) {
            Err(reason) => Verdict::Break(Stop::Close(reason)),
            Ok(()) if self.conversation.has_room() => Verdict::Continue(()),
            Ok(()) => Verdict::Break(Stop::Full),
        }
    }

    fn on_packet(&mut self, packet: Packet, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        let text = match packet {
            Packet::Text(text) => text,
            Packet::Binary(bytes) => {
                return self.conversation.on_message(Message::Binary(bytes), cx, self.now);
            }
        };
        match engine::decode(&text).map_err(|_| CloseReason::ParseError)? {
            engine::Packet::Message(_) => self.conversation.on_message(Message::Text(text), cx, self.now),
            engine::Packet::Pong(_) => {
                self.heartbeat.on_pong(self.now);
                Ok(())
            }
            engine::Packet::Close => Err(CloseReason::TransportClosed),
            // Of an upgrade that is over, or was not asked for; the Node server ignores them too.
            engine::Packet::Upgrade | engine::Packet::Noop => Ok(()),
            // Only servers send these.
            engine::Packet::Open | engine::Packet::Ping(_) => Err(CloseReason::ParseError),
        }
    }
}
