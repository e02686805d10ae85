//! What somebody's device shows of one conversation: windows of history and events, merged by `pos`, each message once.

use std::sync::Arc;

use serde_json::Value;
use tidings_testkit::actors::{Device, Person, Received};
use tidings_testkit::history::{DeviceLog, Id, Message, Shown};

/// The screen; it writes down what it shows.
pub struct Screen {
    person: Person,
    conversation: Id,
    stream: String,
    log: Arc<DeviceLog>,
    /// The last position that it knows; nothing before the first window or the own joining.
    pos: Option<u64>,
    is_live: bool,
    is_put_out: bool,
}

impl Screen {
    pub fn new(person: Person, conversation: Id, log: Arc<DeviceLog>) -> Self {
        let stream = format!("conversation:{conversation}");
        Self { person, conversation, stream, log, pos: None, is_live: false, is_put_out: false }
    }

    /// Loads the history that it has not shown yet; nothing where the person is not in.
    pub async fn load(&mut self) {
        loop {
            let (conversation, after) = (&self.conversation, self.log.last_seq(&self.conversation));
            let path = format!("/api/conversations/{conversation}/messages?after={after}&limit=200");
            let page = self.person.get(&path).await;
            if page.status == 404 {
                return;
            }
            let page = page.assert_ok(200);
            for message in page["messages"].as_array().unwrap() {
                self.show(message, false);
            }
            self.pos = self.pos.max(page["pos"].as_u64());
            if page["hasMoreAfter"] == false {
                return;
            }
        }
    }

    /// Shows what comes until the device is live.
    pub async fn show_until_ready(&mut self, device: &mut Device) {
        while !self.is_live {
            self.take(device).await;
        }
    }

    /// Shows what comes until the device is live and this message is shown.
    pub async fn show_through(&mut self, device: &mut Device, seq: u64) {
        while !self.is_live || self.log.last_seq(&self.conversation) < seq {
            self.take(device).await;
        }
    }

    /// Goes away, and gives the token to come back with.
    pub fn leave(&mut self, device: Device) -> String {
        self.is_live = false;
        self.log.disconnected();
        device.drop_connection()
    }

    /// Shows what comes until the person is put out of the conversation.
    pub async fn show_until_put_out(&mut self, device: &mut Device) {
        while !self.is_put_out {
            self.take(device).await;
        }
    }

    /// Goes for good.
    pub fn end(self, device: Device) {
        self.log.end();
        drop(device);
    }

    async fn take(&mut self, device: &mut Device) {
        let event = device.next_event().await;
        if event.name == "ready" {
            self.is_live = true;
            self.log.connected();
        }
        if event.body["stream"] == self.stream.as_str() {
            self.apply(&event).await;
        }
        let skipped = event.body["skipped"].as_array().map(Vec::as_slice).unwrap_or_default();
        if skipped.iter().any(|skipped| skipped["stream"] == self.stream.as_str()) {
            self.load().await;
        }
    }

    async fn apply(&mut self, event: &Received) {
        let number = |name: &str| event.body[name].as_u64().unwrap();
        let (pos, span) = (number("pos"), number("span"));
        let is_own = event.body["userId"] == self.person.id.as_str();
        if self.pos.is_some_and(|known| pos <= known) {
            return;
        }
        if event.name == "participant:joined" && is_own {
            self.pos = Some(pos);
            self.load().await;
            return;
        }
        // Without a window or a joining before it, a message says that something is missing.
        if self.pos.is_none_or(|known| pos - span > known) {
            self.log.gap();
        }
        self.pos = Some(pos);
        self.is_put_out |= event.name == "participant:left" && is_own;
        if event.name == "message:new" {
            self.show(&event.body, true);
        }
    }

    fn show(&self, message: &Value, was_delivered: bool) {
        let text = |name: &str| message[name].as_str().unwrap().to_owned();
        let message = Message {
            id: text("id"),
            seq: message["seq"].as_u64().unwrap(),
            client_id: text("clientMessageId").parse().unwrap(),
            sender: text("senderId").into(),
            text: text("content"),
        };
        if message.seq > self.log.last_seq(&self.conversation) {
            self.log.show(Shown { conversation: Id::clone(&self.conversation), message, was_delivered });
        }
    }
}
