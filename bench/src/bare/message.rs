//! A message as Tidings writes it: the same fields in the same order, the values that a server without a database does
//! not have of the same length. A test holds it against a frame of the product.

use serde::Deserialize;

/// Where Tidings has the message's id, the sender's, times, and its token.
const ID: &str = "11111111111111111111111111111111";
const SENDER: &str = "00000000-0000-4000-8000-000000000000";
const AT: &str = "2026-01-01T00:00:00.000Z";
const NEXT: &str = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What a client asks for with `message:send`, or with the parts of it that it is asked for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent<'a> {
    pub conversation_id: &'a str,
    content: &'a str,
    client_message_id: &'a str,
}

impl<'a> Sent<'a> {
    /// From the event's argument; nothing when it is none. The generator's texts need no escapes.
    pub(super) fn read(json: &'a [u8]) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_slice(json);
        Self::deserialize(&mut json).ok()
    }

    /// Writes the arguments of `message:new`: the frame's object, and the token once more.
    pub(super) fn write_args(&self, out: &mut String, seq: u64) {
        let seq_text = seq.to_string();
        let parts = [
            "{\"stream\":\"conversation:",
            self.conversation_id,
            "\",\"pos\":",
            &seq_text,
            ",\"span\":1,\"at\":\"",
            AT,
            "\",\"next\":\"",
            NEXT,
            "\",",
        ];
        extend(out, &parts);
        self.write_fields(out, &seq_text);
        extend(out, &["},\"", NEXT, "\""]);
    }

    /// Writes the argument of the acknowledgement.
    pub(super) fn write_ack(&self, out: &mut String, seq: u64) {
        out.push_str("{\"ok\":true,\"message\":{");
        self.write_fields(out, &seq.to_string());
        out.push_str("}}");
    }

    fn write_fields(&self, out: &mut String, seq: &str) {
        let parts = [
            "\"id\":\"",
            ID,
            "\",\"conversationId\":\"",
            self.conversation_id,
            "\",\"seq\":",
            seq,
            ",\"senderId\":\"",
            SENDER,
            "\",\"type\":\"text\",\"content\":\"",
            self.content,
            "\",\"metadata\":null,\"clientMessageId\":\"",
            self.client_message_id,
            "\",\"replyTo\":null,\"threadRootId\":null,\"mentions\":[],\"attachments\":[],\"reactions\":[],\"version\":1,\
             \"createdAt\":\"",
            AT,
            "\",\"editedAt\":null,\"deletedAt\":null,\"deletedBy\":null",
        ];
        extend(out, &parts);
    }
}

fn extend(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}
