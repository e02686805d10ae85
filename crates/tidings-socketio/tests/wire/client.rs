//! A client that writes and reads raw frames, so that it can also be rude.

use tidings_socketio::codec::{mask, websocket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub struct Client<I> {
    pub io: I,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
    /// The stream ended without a close frame.
    End,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Client<I> {
    pub fn new(io: I) -> Self {
        Self { io }
    }

    pub async fn join(&mut self) {
        self.send("40").await;
        let answer = self.text().await;
        assert!(answer.starts_with("40{\"sid\":\""), "{answer}");
        self.expect(r#"42["ready"]"#).await;
    }

    pub async fn send(&mut self, text: &str) {
        self.send_frame(0x81, text.as_bytes()).await;
    }

    pub async fn send_frame(&mut self, first: u8, payload: &[u8]) {
        self.io.write_all(&frame(first, payload)).await.unwrap();
    }

    /// Whatever comes next.
    pub async fn next(&mut self) -> Got {
        let Ok(first) = self.io.read_u8().await else { return Got::End };
        let length = match self.io.read_u8().await.unwrap() {
            126 => usize::from(self.io.read_u16().await.unwrap()),
            127 => usize::try_from(self.io.read_u64().await.unwrap()).unwrap(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.io.read_exact(&mut payload).await.unwrap();
        match first {
            0x81 => Got::Text(String::from_utf8(payload).unwrap()),
            0x82 => Got::Binary(payload),
            0x8a => Got::Pong(payload),
            0x88 => Got::Close(u16::from_be_bytes([payload[0], payload[1]])),
            _ => panic!("an unexpected frame {first:#x}"),
        }
    }

    pub async fn text(&mut self) -> String {
        match self.next().await {
            Got::Text(text) => text,
            other => panic!("{other:?} instead of a text"),
        }
    }

    pub async fn expect(&mut self, text: &str) {
        assert_eq!(self.next().await, Got::Text(text.into()));
    }

    /// The close frame with this status, then the end of the stream.
    pub async fn expect_close(&mut self, code: u16) {
        assert_eq!(self.next().await, Got::Close(code));
        assert_eq!(self.next().await, Got::End);
    }
}

/// A masked frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x3d, 0x11, 0xfe, 0x99];
    let (mut bytes, header_bytes) = websocket::encode(websocket::Opcode::Text, payload);
    bytes[0] = first;
    bytes[1] |= 0x80;
    bytes.splice(header_bytes..header_bytes, key);
    mask::apply(&mut bytes[header_bytes + key.len()..], key, 0);
    bytes
}
