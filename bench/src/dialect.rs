//! How each server says the same things: Tidings, and the peer that it is measured against.

use std::borrow::Cow;

use serde::Deserialize;
use uuid::Uuid;

use crate::wire::http;

/// Which server, or of which servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Tidings,
    Node,
    /// Those without a database. They take sends by socket alone.
    Bare,
    /// One that is asked for the upgrade to WebSocket and for nothing more.
    Upgrade,
}

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Send<'a> {
    pub conversation: &'a str,
    pub client_id: &'a str,
    pub content: &'a str,
}

/// A message as a frame or an answer shows it.
#[derive(Debug, Deserialize)]
pub(crate) struct Message<'a> {
    #[serde(borrow, rename = "conversationId")]
    pub conversation: Cow<'a, str>,
    pub seq: u64,
    #[serde(default)]
    pub pos: u64,
    #[serde(default)]
    pub span: u64,
    #[serde(borrow)]
    pub content: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Ack<'a> {
    ok: bool,
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    seq: u64,
}

impl Dialect {
    /// Writes the request that sends a message.
    pub(crate) fn write_post(self, out: &mut Vec<u8>, token: &str, send: Send<'_>) {
        let Send { conversation, client_id, content } = send;
        match self {
            Self::Tidings => http::write_post(
                out,
                &["/api/conversations/", conversation, "/messages"],
                token,
                &["{\"content\":\"", content, "\",\"clientMessageId\":\"", client_id, "\"}"],
            ),
            Self::Node => http::write_post(
                out,
                &["/messages/send"],
                token,
                &[
                    "{\"conversationId\":\"",
                    conversation,
                    "\",\"content\":\"",
                    content,
                    "\",\"clientId\":\"",
                    client_id,
                    "\"}",
                ],
            ),
            Self::Bare | Self::Upgrade => unreachable!("no scenario sends there by REST"),
        }
    }

    /// Reads the message of a frame; nothing when the event is another.
    pub(crate) fn read_frame(self, event: &[u8]) -> Option<Message<'_>> {
        let name: &[u8] = match self {
            Self::Tidings | Self::Bare | Self::Upgrade => b"[\"message:new\",",
            Self::Node => b"[\"message\",",
        };
        let mut json = serde_json::Deserializer::from_slice(event.strip_prefix(name)?);
        Message::deserialize(&mut json).ok()
    }
}

/// The parts of Tidings' `message:send` packet with this ack number.
pub(crate) fn event_parts<'a>(number: &'a str, send: Send<'a>) -> [&'a [u8]; 9] {
    [
        b"42",
        number.as_bytes(),
        b"[\"message:send\",{\"conversationId\":\"",
        send.conversation.as_bytes(),
        b"\",\"content\":\"",
        send.content.as_bytes(),
        b"\",\"clientMessageId\":\"",
        send.client_id.as_bytes(),
        b"\"}]",
    ]
}

/// The message that an answer of a send shows.
pub(crate) fn read_answer(body: &[u8]) -> Option<Message<'_>> {
    serde_json::from_slice(body).ok()
}

/// The message that an ack of a send shows; nothing when it was refused.
pub(crate) fn read_ack(args: &[u8]) -> Option<Message<'_>> {
    let (ack,): (Ack<'_>,) = serde_json::from_slice(args).ok()?;
    ack.message.filter(|_| ack.ok)
}

/// The `seq` of each message that a page of history shows, in its order.
pub(crate) fn read_page(body: &[u8]) -> Option<Vec<u64>> {
    let page: Page = serde_json::from_slice(body).ok()?;
    Some(page.messages.into_iter().map(|message| message.seq).collect())
}

/// The name of an event.
pub(crate) fn event_name(event: &[u8]) -> &[u8] {
    let name = event.strip_prefix(b"[\"").unwrap_or_default();
    memchr::memchr(b'"', name).map_or(name, |end| &name[..end])
}

/// The text of an operation: its number, and words up to about the length of the peer's measure.
pub(crate) fn content_of(operation: u64) -> String {
    format!(
        "op:{operation:012} the quick brown fox jumps over the lazy dog, and then the dog jumps over the fox"
    )
}

/// The number in a text of [`content_of`].
pub(crate) fn operation_of(content: &str) -> Option<u64> {
    content.strip_prefix("op:")?.get(..12)?.parse().ok()
}

/// A conversation's id as a number to look it up by.
pub(crate) fn id_of(text: &str) -> Option<u128> {
    Uuid::try_parse(text).ok().map(|id| id.as_u128())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_each_server_says_where_the_message_stands() {
        let tidings = br#"["message:new",{"stream":"s","pos":8,"span":1,"conversationId":"c","seq":7,"content":"a\"b"},"token"]"#;
        let message = Dialect::Tidings.read_frame(tidings).unwrap();
        assert_eq!((message.seq, message.pos, message.span, &*message.content), (7, 8, 1, "a\"b"));
        let node = br#"["message",{"id":"x","conversationId":"c","seq":7,"content":"t"}]"#;
        assert_eq!(Dialect::Node.read_frame(node).unwrap().seq, 7);
        assert!(Dialect::Tidings.read_frame(node).is_none());
        assert_eq!(event_name(b"[\"ready\",{}]"), b"ready");
    }

    #[test]
    fn a_refused_ack_is_no_message() {
        let taken = br#"[{"ok":true,"message":{"conversationId":"c","seq":7,"content":"t"}}]"#;
        assert_eq!(read_ack(taken).unwrap().seq, 7);
        assert!(read_ack(br#"[{"ok":false,"code":"not_found"}]"#).is_none());
    }

    #[test]
    fn a_text_carries_its_number_and_about_a_hundred_bytes() {
        let text = content_of(812);
        assert_eq!(operation_of(&text), Some(812));
        assert!((90..110).contains(&text.len()), "{}", text.len());
        assert_eq!(operation_of("hello"), None);
    }
}
