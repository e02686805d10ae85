//! A device on a socket: Socket.IO over WebSocket, spoken by hand so that it shares no code with the server.

use std::collections::{HashMap, VecDeque};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

use super::PATIENCE;
use super::person::ClientIds;

/// An event as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// The event's name.
    pub name: String,
    /// Its first argument.
    pub body: Value,
    /// The others.
    pub rest: Vec<Value>,
}

/// Whether a device was let in.
pub enum Connected {
    /// It was.
    Yes(Box<Device>),
    /// It was not: the `connect_error`.
    Refused(Value),
}

/// A connected device.
pub struct Device {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    inbox: VecDeque<Received>,
    acks: HashMap<u64, Value>,
    next_ack: u64,
    /// The last position taken of each stream.
    positions: HashMap<String, u64>,
    /// The last token taken.
    pub next: Option<String>,
    /// The recovery id that it was told.
    pub pid: String,
    /// What a stock client remembers for recovery: the last argument of the last event that ended in a string.
    pub offset: Option<String>,
    /// How the server ended it: `disconnect` (a Socket.IO DISCONNECT came) or `close`.
    pub ended: Option<&'static str>,
}

impl Device {
    /// Connects with this `auth`.
    ///
    /// # Panics
    /// When there is no server, or it does not speak Socket.IO.
    pub async fn connect(url: &str, auth: Value) -> Connected {
        let url = format!("{}/socket.io/?EIO=4&transport=websocket", url.replacen("http", "ws", 1));
        let (socket, _) = timeout(PATIENCE, connect_async(url)).await.expect("in time").expect("a WebSocket");
        let mut device = Self {
            socket,
            inbox: VecDeque::new(),
            acks: HashMap::new(),
            next_ack: 0,
            positions: HashMap::new(),
            next: None,
            pid: String::new(),
            offset: None,
            ended: None,
        };
        let open = device.packet().await.expect("the open packet");
        assert!(open.starts_with("0{"), "{open}");
        device.say(format!("40{auth}")).await;
        let answer = device.packet().await.expect("an answer to CONNECT");
        if let Some(error) = answer.strip_prefix("44") {
            return Connected::Refused(serde_json::from_str(error).expect("JSON"));
        }
        let told: Value = serde_json::from_str(answer.strip_prefix("40").expect("an answer")).expect("JSON");
        device.pid = told["pid"].as_str().expect("a recovery id").to_owned();
        Connected::Yes(Box::new(device))
    }

    /// Sends an event and waits for its ack.
    ///
    /// # Panics
    /// When none comes.
    pub async fn call(&mut self, name: &str, body: Value) -> Value {
        let id = self.begin(name, &body).await;
        self.ack(id).await
    }

    /// Sends an event without waiting; gives what [`Self::ack`] takes.
    pub async fn begin(&mut self, name: &str, body: &Value) -> u64 {
        let id = self.next_ack;
        self.next_ack += 1;
        self.say(format!("42{id}{}", json!([name, body]))).await;
        id
    }

    /// Waits for the ack of an event.
    ///
    /// # Panics
    /// When none comes.
    pub async fn ack(&mut self, id: u64) -> Value {
        loop {
            if let Some(ack) = self.acks.remove(&id) {
                return ack;
            }
            assert!(self.take().await, "the connection ended before ack {id}");
        }
    }

    /// Sends a message over the socket and gives it as it stands.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn send(&mut self, conversation: &str, text: &str) -> Value {
        let body = json!({
            "conversationId": conversation, "content": text, "clientMessageId": Uuid::now_v7_for_tests()
        });
        let mut ack = self.call("message:send", body).await;
        assert_eq!(ack["ok"], true, "{ack}");
        ack["message"].take()
    }

    /// The next event, whatever it is.
    ///
    /// # Panics
    /// When none comes.
    pub async fn next_event(&mut self) -> Received {
        loop {
            if let Some(received) = self.inbox.pop_front() {
                return received;
            }
            assert!(self.take().await, "the connection ended where an event was expected");
        }
    }

    /// The next event, which must have this name.
    ///
    /// # Panics
    /// When it has another.
    #[track_caller]
    pub fn expect(&mut self, name: &str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            let received = self.next_event().await;
            assert_eq!(received.name, name, "at {caller}: {}", received.body);
            received.body
        }
    }

    /// The next event, which must be this message.
    #[track_caller]
    pub fn expect_message(&mut self, text: &str) -> impl Future<Output = Value> {
        let message = self.expect("message:new");
        async move {
            let message = message.await;
            assert_eq!(message["content"], text, "{message}");
            message
        }
    }

    /// The next event, or nothing at the end of the connection.
    pub async fn event_or_end(&mut self) -> Option<Received> {
        while self.inbox.is_empty() {
            if !self.take().await {
                return None;
            }
        }
        self.inbox.pop_front()
    }

    /// Everything up to `ready`, by name; `ready` itself is taken and not given.
    pub async fn expect_ready(&mut self) -> Vec<Received> {
        let mut before = Vec::new();
        loop {
            let received = self.next_event().await;
            if received.name == "ready" {
                return before;
            }
            before.push(received);
        }
    }

    /// Panics if anything has arrived that no `expect` took. A round trip makes sure that what was sent is here.
    ///
    /// # Panics
    /// When there is something.
    pub async fn expect_nothing(&mut self) {
        let ack = self.call("sync", json!({})).await;
        assert_eq!(ack["ok"], true, "{ack}");
        assert_eq!(self.inbox, [], "nothing was expected");
    }

    /// Waits for the end of the connection; gives how it ended.
    pub async fn expect_end(&mut self) -> &'static str {
        while self.take().await {}
        self.ended.unwrap_or("close")
    }

    /// Goes away without a word, and gives the token to resume with.
    ///
    /// # Panics
    /// When no token has arrived.
    pub fn drop_connection(self) -> String {
        drop(self.socket);
        self.next.expect("a token")
    }

    /// Says any packet.
    ///
    /// # Panics
    /// When the connection does not take it.
    pub async fn say(&mut self, packet: String) {
        self.socket.send(Message::text(packet)).await.expect("an open connection");
    }

    /// Reads one packet into the inbox; false at the end of the connection.
    async fn take(&mut self) -> bool {
        let Some(packet) = self.packet().await else { return false };
        if let Some(event) = packet.strip_prefix("42") {
            self.take_event(event);
        } else if let Some(ack) = packet.strip_prefix("43") {
            let digits = ack.find('[').expect("arguments");
            let mut args: Vec<Value> = serde_json::from_str(&ack[digits..]).expect("JSON");
            self.acks.insert(ack[..digits].parse().expect("an ack id"), args.swap_remove(0));
        } else if packet == "41" {
            self.ended = Some("disconnect");
        } else {
            panic!("an unexpected packet: {packet}");
        }
        true
    }

    fn take_event(&mut self, event: &str) {
        let mut args: VecDeque<Value> = serde_json::from_str(event).expect("JSON");
        let name = args.pop_front().and_then(|name| name.as_str().map(str::to_owned)).expect("a name");
        let body = args.pop_front().unwrap_or_default();
        let rest: Vec<Value> = args.into();
        if let (Some(stream), Some(pos), Some(span)) =
            (body["stream"].as_str(), body["pos"].as_u64(), body["span"].as_u64())
        {
            self.check_position(stream, pos, span, &name);
        }
        let token = body["next"].as_str().map(|next| vec![json!(next)]).unwrap_or_default();
        assert_eq!(rest, token, "a token is the last argument, too, and nothing else is: {name} {body}");
        if let Some(next) = body["next"].as_str() {
            self.next = Some(next.to_owned());
            self.offset = Some(next.to_owned());
        }
        self.inbox.push_back(Received { name, body, rest });
    }

    /// A durable event comes once and leaves no hole. The first one of a stream begins where it is; so does one's own
    /// joining, because what lay before it was not one's to see.
    fn check_position(&mut self, stream: &str, pos: u64, span: u64, name: &str) {
        if let Some(last) = self.positions.insert(stream.to_owned(), pos) {
            assert!(pos > last, "{name} at {pos} of {stream} came after {last}: twice, or out of order");
            assert!(
                pos - span <= last || name == "participant:joined",
                "{name} at {pos} (span {span}) of {stream} came after {last}: something is missing"
            );
        }
    }

    /// The next packet, pings answered.
    async fn packet(&mut self) -> Option<String> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("something should have come by now") {
                Some(Ok(Message::Text(text))) if text == "2" => {
                    // The server may be closing meanwhile.
                    let _ = self.socket.send(Message::text("3")).await;
                }
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}
