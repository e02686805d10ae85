//! The task's side of long-polling: packets out of requests, and the WebSocket that is to replace them.

use std::task::{Context, Poll};

use tokio::time::Instant;

use super::conversation::Conversation;
use super::incoming::{Stop, Verdict, WebSocketInput};
use super::link::Link;
use super::mailbox::{Mailbox, Post};
use super::probe::{Probe, Probed};
use super::taker::Taker;
use crate::close::CloseReason;
use crate::config::Config;

/// What requests have brought.
#[derive(Default)]
pub(super) struct Polling {
    /// The POST whose packets are being taken.
    post: Option<Post>,
    /// A WebSocket that is to replace the requests.
    probe: Option<Probe>,
}

impl Polling {
    /// Takes what requests and the probe have brought. Ready with a stream: from here on that is the transport. Ready
    /// without: there was no room for all of it.
    pub(super) fn receive<C: Conversation>(
        &mut self,
        taker: &mut Taker<'_, C>,
        link: &Link,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Result<Poll<Option<WebSocketInput>>, CloseReason> {
        if self.post.is_none() {
            self.post = link.with_mailbox(Mailbox::take_post).flatten();
        }
        self.take_probe(link, config, cx, taker.now);
        if let Some(post) = &mut self.post {
            for packet in post.packets.by_ref() {
                if let Verdict::Break(stop) = taker.take(packet, cx) {
                    match stop {
                        Stop::Full => {
                            if post.packets.len() == 0 {
                                self.end_post();
                            }
                            return Ok(Poll::Ready(None));
                        }
                        Stop::Close(reason) => return Err(reason),
                    }
                }
            }
            self.end_post();
        }
        match self.poll_probe(cx, taker.now) {
            Some(upgraded) => Ok(Poll::Ready(Some(upgraded))),
            None => Ok(Poll::Pending),
        }
    }

    pub(super) fn take_probe(&mut self, link: &Link, config: &Config, cx: &mut Context<'_>, now: Instant) {
        let Some(input) = link.with_mailbox(Mailbox::take_probe).flatten() else {
            return;
        };
        match self.probe {
            // The first one has its chance; the second is closed.
            Some(_) => Probe::refuse(*input, cx),
            None => self.probe = Some(Probe::new(*input, now + config.upgrade_timeout)),
        }
    }

    pub(super) fn poll_probe(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<WebSocketInput> {
        match self.probe.as_mut()?.poll(cx, now) {
            Probed::Upgraded => self.probe.take().map(Probe::into_input),
            Probed::Failed => {
                self.probe = None;
                None
            }
            Probed::Waiting => None,
        }
    }

    pub(super) fn probe_deadline(&self) -> Option<Instant> {
        self.probe.as_ref().map(Probe::deadline)
    }

    /// The client has been told that its new transport works.
    pub(super) fn is_probe_answered(&self) -> bool {
        self.probe.as_ref().is_some_and(Probe::is_answered)
    }

    /// What the probe has said up to this instant, whether the runtime has heard of it or not.
    pub(super) fn look_at_probe(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<WebSocketInput> {
        self.probe.as_mut()?.read_now();
        self.poll_probe(cx, now)
    }

    /// Also while there is no room for packets.
    pub(super) fn check_probe_time(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Some(probe) = self.probe.take_if(|probe| now >= probe.deadline()) {
            Probe::refuse(probe.into_input(), cx);
        }
    }

    fn end_post(&mut self) {
        if let Some(post) = self.post.take() {
            let _ = post.taken.send(());
        }
    }

    /// The session is over: requests with packets are refused, unless one of them has ended it as it may.
    pub(super) fn end(&mut self, reason: CloseReason) {
        if reason == CloseReason::TransportClosed {
            self.end_post();
        }
        self.post = None;
        if !reason.waits_for_poll() {
            self.probe = None;
        }
    }
}
