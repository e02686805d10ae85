//! Cursors of lists: opaque to clients, base64url of a kind, a number and an id. They show nobody anything: what is
//! behind one is looked up again for whoever asks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidings_core::conversations::{ConversationCursor, ParticipantCursor};
use tidings_core::error::Code;
use tidings_core::ids::{ConversationId, LogId, Pos, UserId};

use crate::query::Query;

/// Where a page of a list ends.
pub trait Cursor: Sized {
    /// Tells cursors of different lists apart.
    const KIND: u8;

    /// Its number and its id.
    fn parts(&self) -> (u64, [u8; 16]);

    /// The reverse of [`Self::parts`].
    fn from_parts(number: u64, id: [u8; 16]) -> Self;
}

impl Cursor for ConversationCursor {
    /// 1 was before they could be pinned.
    const KIND: u8 = 3;

    fn parts(&self) -> (u64, [u8; 16]) {
        // Whether it is pinned is the number's last bit.
        (self.last_sent_log.0 << 1 | u64::from(self.pinned), *self.conversation.as_bytes())
    }

    fn from_parts(number: u64, id: [u8; 16]) -> Self {
        Self {
            pinned: number & 1 == 1,
            last_sent_log: LogId(number >> 1),
            conversation: ConversationId::from_bytes(id),
        }
    }
}

impl Cursor for ParticipantCursor {
    const KIND: u8 = 2;

    fn parts(&self) -> (u64, [u8; 16]) {
        (self.from_pos.0, *self.user.as_bytes())
    }

    fn from_parts(number: u64, id: [u8; 16]) -> Self {
        Self { from_pos: Pos(number), user: UserId::from_bytes(id) }
    }
}

/// As `nextCursor` carries it.
pub fn write<C: Cursor>(cursor: &C) -> String {
    let (number, id) = cursor.parts();
    let mut bytes = [0; 25];
    bytes[0] = C::KIND;
    bytes[1..9].copy_from_slice(&number.to_be_bytes());
    bytes[9..].copy_from_slice(&id);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What `write` wrote, and nothing else.
pub fn read<C: Cursor>(text: &str) -> Option<C> {
    // 25 bytes are 34 characters of base64.
    if text.len() != 34 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (kind, rest) = bytes.split_first()?;
    let (number, id) = rest.split_at(8);
    let number = u64::from_be_bytes(number.try_into().ok()?);
    // Stores count in signed 64 bits.
    i64::try_from(number).ok()?;
    (*kind == C::KIND).then_some(C::from_parts(number, id.try_into().ok()?))
}

/// The parameter `cursor`.
pub fn from_query<C: Cursor>(query: &mut Query) -> Option<C> {
    let cursor = read(&query.text("cursor")?);
    if cursor.is_none() {
        query.refuse("cursor", Code::BadFormat, "a nextCursor of this list");
    }
    cursor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_belongs_to_its_list() {
        let id = [7; 16];
        let conversation = ConversationCursor {
            pinned: true,
            last_sent_log: LogId(42),
            conversation: ConversationId::from_bytes(id),
        };
        let text = write(&conversation);
        assert_eq!(read(&text), Some(conversation));
        let not_pinned = ConversationCursor { pinned: false, ..conversation };
        assert_eq!(read(&write(&not_pinned)), Some(not_pinned));
        assert_eq!(read::<ParticipantCursor>(&text), None);
        let participant = ParticipantCursor { from_pos: Pos(1), user: UserId::from_bytes(id) };
        assert_eq!(read(&write(&participant)), Some(participant));
        let beyond = ParticipantCursor { from_pos: Pos(u64::MAX), user: UserId::from_bytes(id) };
        for bad in ["", "x", &text[1..], &write(&beyond), &"é".repeat(17)] {
            assert_eq!(read::<ParticipantCursor>(bad), None, "{bad}");
        }
    }
}
