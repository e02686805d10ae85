//! Socket.IO over WebSocket, spoken by hand.

use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize as _;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::wire::{Frame, parse};
use super::{CONNECT_PATIENCE, SILENCE_MAX};
use crate::history::{Arrival, Arrivals};

pub(super) struct Socket {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// Why there is no socket.
pub(super) enum Denied {
    /// The token is not good any more.
    Token,
    /// Come back later.
    NotNow,
}

impl Socket {
    pub async fn open(url: &str, token: &str, since: Option<&str>) -> Result<Self, Denied> {
        match timeout(CONNECT_PATIENCE, Self::handshake(url, token, since)).await {
            Ok(result) => result,
            Err(_) => Err(Denied::NotNow),
        }
    }

    async fn handshake(url: &str, token: &str, since: Option<&str>) -> Result<Self, Denied> {
        let url = format!("{}/socket.io/?EIO=4&transport=websocket", url.replacen("http", "ws", 1));
        let (socket, _) = connect_async_with_config(url, None, true).await.map_err(|_| Denied::NotNow)?;
        let mut socket = Self { socket };
        let auth = match since {
            Some(since) => json!({ "token": token, "since": since }),
            None => json!({ "token": token }),
        };
        socket.packet().await.ok_or(Denied::NotNow)?;
        socket.say(format!("40{auth}")).await.ok_or(Denied::NotNow)?;
        let answer = socket.packet().await.ok_or(Denied::NotNow)?;
        if answer.starts_with("40") {
            return Ok(socket);
        }
        let is_token = answer.contains("token_expired") || answer.contains("session_ended");
        Err(if is_token { Denied::Token } else { Denied::NotNow })
    }

    /// The next packet that is not a ping; nothing at the end of the connection.
    pub async fn packet(&mut self) -> Option<Utf8Bytes> {
        loop {
            match timeout(SILENCE_MAX, self.socket.next()).await.ok()? {
                Some(Ok(Message::Text(text))) if text == "2" => self.say("3".to_owned()).await?,
                Some(Ok(Message::Text(text))) if text == "41" => return None,
                Some(Ok(Message::Text(text))) => return Some(text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Says a packet; nothing when the connection has ended.
    pub async fn say(&mut self, packet: String) -> Option<()> {
        self.socket.send(Message::text(packet)).await.ok()
    }
}

#[async_trait]
impl Arrivals for Socket {
    async fn next(&mut self) -> Option<Arrival> {
        loop {
            let packet = self.packet().await?;
            let arrival = packet.strip_prefix("42[").and_then(read_event);
            if arrival.is_some() {
                return arrival;
            }
        }
    }
}

/// `"name",{…}` and whatever else follows.
fn read_event(event: &str) -> Option<Arrival> {
    let (name, args) = event.strip_prefix('"')?.split_once('"')?;
    let args = args.strip_prefix(',')?;
    let mut json = serde_json::Deserializer::from_str(args);
    let frame = Frame::deserialize(&mut json).unwrap_or_else(|error| panic!("{error} in {args}"));
    frame.arrival(name)
}

/// The ack of an event: its number, and the argument.
pub(super) fn read_ack<T: serde::de::DeserializeOwned>(packet: &str) -> Option<(u64, T)> {
    let (number, args) = packet.strip_prefix("43")?.split_once('[')?;
    Some((number.parse().ok()?, parse(args.strip_suffix(']')?)))
}
