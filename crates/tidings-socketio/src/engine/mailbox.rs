//! What the requests of long-polling bring to the task of their session.

use std::sync::Arc;
use std::task::Context;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::incoming::WebSocketInput;
use super::link::Link;
use super::message::Packet;
use crate::close::CloseReason;
use crate::codec::engine;

/// Polls that wait to be looked at: one may wait for frames, one may be too many, and more are refused at once.
const POLLS_MAX: usize = 2;

/// The letters that have not been read.
#[derive(Default)]
pub(super) struct Mailbox {
    polls: Vec<Poll>,
    post: Option<Post>,
    /// A request with packets is being read, or its packets taken.
    is_posting: bool,
    /// A WebSocket that wants to become the session's transport.
    probe: Option<Box<WebSocketInput>>,
    /// Those that have been let in, and whose stream is not here yet.
    probes_coming: usize,
}

/// A GET that waits for its answer.
#[derive(Debug)]
pub(super) struct Poll(oneshot::Sender<Answer>);

/// What a poll is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 200 with this payload.
    Payload(Bytes),
    /// 400: it came at the wrong time.
    Refused,
}

/// A POST whose packets are to be taken.
pub(super) struct Post {
    pub(super) packets: std::vec::IntoIter<Packet>,
    /// Told when they are.
    pub(super) taken: oneshot::Sender<()>,
}

impl Post {
    /// Takes none of its packets but the client's goodbye; without one it is refused.
    pub(super) fn says_goodbye(mut self) -> bool {
        let is_goodbye = |packet: Packet| matches!(packet, Packet::Text(text) if text == engine::CLOSE);
        let says_goodbye = self.packets.any(is_goodbye);
        if says_goodbye {
            let _ = self.taken.send(());
        }
        says_goodbye
    }
}

impl Poll {
    pub(super) fn new() -> (Self, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// False: the client is gone.
    pub(super) fn answer(self, payload: impl Into<Bytes>) -> bool {
        self.0.send(Answer::Payload(payload.into())).is_ok()
    }

    pub(super) fn refuse(self) {
        let _ = self.0.send(Answer::Refused);
    }

    pub(super) fn is_cancelled(&mut self, cx: &mut Context<'_>) -> bool {
        self.0.poll_closed(cx).is_ready()
    }
}

impl Mailbox {
    /// Given back where too many wait.
    pub(super) fn put_poll(&mut self, poll: Poll) -> Result<(), Poll> {
        if self.polls.len() == POLLS_MAX {
            return Err(poll);
        }
        self.polls.push(poll);
        Ok(())
    }

    /// Not those that came behind a WebSocket which is on its way here: what it has said counts first.
    pub(super) fn take_polls(&mut self) -> Vec<Poll> {
        if self.probes_coming > 0 { Vec::new() } else { std::mem::take(&mut self.polls) }
    }

    pub(super) fn expect_probe(&mut self) {
        self.probes_coming += 1;
    }

    pub(super) fn end_expectation(&mut self) {
        self.probes_coming -= 1;
    }

    /// A POST begins; false where another one has not ended.
    pub(super) fn begin_post(&mut self) -> bool {
        !std::mem::replace(&mut self.is_posting, true)
    }

    pub(super) fn end_post(&mut self) {
        self.is_posting = false;
    }

    pub(super) fn put_post(&mut self, post: Post) {
        self.post = Some(post);
    }

    pub(super) fn take_post(&mut self) -> Option<Post> {
        self.post.take()
    }

    /// Given back where another one waits.
    pub(super) fn put_probe(&mut self, probe: Box<WebSocketInput>) -> Result<(), Box<WebSocketInput>> {
        match &self.probe {
            Some(_) => Err(probe),
            None => {
                self.probe = Some(probe);
                Ok(())
            }
        }
    }

    pub(super) fn take_probe(&mut self) -> Option<Box<WebSocketInput>> {
        self.probe.take()
    }
}

/// A WebSocket that has been let in for a session of long-polling and is not there yet.
pub(super) struct Coming(Arc<Link>);

impl Coming {
    pub(super) fn begin(link: &Arc<Link>) -> Self {
        link.with_mailbox(Mailbox::expect_probe);
        Self(Arc::clone(link))
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.with_mailbox(Mailbox::end_expectation);
        self.0.wake();
    }
}

/// A POST that is under way. When it is dropped another one may come; with a reason left in it the session ends.
pub(super) struct Posting<'a> {
    pub(super) link: &'a Link,
    pub(super) end: Option<CloseReason>,
}

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.link.with_mailbox(Mailbox::end_post);
        if let Some(reason) = self.end {
            self.link.close(reason);
        }
    }
}
