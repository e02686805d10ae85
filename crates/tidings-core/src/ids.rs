//! Identifiers, and where new ones come from.
//!
//! Ids are opaque to clients. Inside, a conversation id and a `seq` make a [`MessageId`], so a message is found
//! without an index of its own; a direct or self conversation's id is derived from its people, so "one per pair" is
//! the primary key. To add an id: one line of `uuid_id!`.

use std::fmt;
use std::str::FromStr;

use uuid::{Builder, Uuid};

use crate::clock::Timestamp;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The 16 bytes, big-endian, as stores keep them.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From the 16 bytes of [`Self::as_bytes`].
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            /// Takes the canonical form only: 36 characters, lower case, hyphens. One thing has one name.
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                let id = Uuid::try_parse(text).map_err(|_| MalformedId)?;
                let mut buffer = Uuid::encode_buffer();
                if id.hyphenated().encode_lower(&mut buffer) == text { Ok(Self(id)) } else { Err(MalformedId) }
            }
        }
    };
}

/// The text is not an id of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed id")]
pub struct MalformedId;

uuid_id! {
    /// A person's account.
    UserId
}
uuid_id! {
    /// A direct, group or self conversation.
    ConversationId
}
uuid_id! {
    /// A login on one device.
    SessionId
}
uuid_id! {
    /// Made by the sender's device, kept as long as the message: the key under which a send may be retried.
    ClientMessageId
}
uuid_id! {
    /// Names a data set; another epoch means that history may have been rolled back.
    Epoch
}

/// A tenant. There is one hidden default app; membership across apps is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(pub u32);

impl AppId {
    /// The one app of an installation that has never heard of apps.
    pub const DEFAULT: Self = Self(1);
}

/// A place in the log of all commits, 1 and up; 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogId(pub u64);

/// A dense place in one stream, 1 and up; 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pos(pub u64);

/// A dense place among the messages of one conversation, 1 and up; 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

macro_rules! number_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl $name {
            /// The next number.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// The number before, 0 stays 0.
            #[must_use]
            pub fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }
    )*};
}
number_text!(LogId, Pos, Seq);

/// An ordered, gap-free sequence of durable events: a conversation's, or a user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// Everything that concerns every member of a conversation.
    Conversation(ConversationId),
    /// What concerns one user's own devices.
    User(UserId),
}

impl StreamId {
    /// One byte of kind and the 16 of the id, as stores keep it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 17] {
        let (kind, id) = match self {
            Self::Conversation(id) => (1, id.0),
            Self::User(id) => (2, id.0),
        };
        let mut bytes = [0; 17];
        bytes[0] = kind;
        bytes[1..].copy_from_slice(id.as_bytes());
        bytes
    }

    /// The reverse of [`Self::to_bytes`].
    ///
    /// # Errors
    /// Other lengths and kinds are no stream.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedId> {
        let (kind, id) = bytes.split_first().ok_or(MalformedId)?;
        let id = Uuid::from_slice(id).map_err(|_| MalformedId)?;
        match kind {
            1 => Ok(Self::Conversation(ConversationId(id))),
            2 => Ok(Self::User(UserId(id))),
            _ => Err(MalformedId),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversation(id) => write!(f, "conversation:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
        }
    }
}

impl FromStr for StreamId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        match text.split_once(':') {
            Some(("conversation", id)) => Ok(Self::Conversation(id.parse()?)),
            Some(("user", id)) => Ok(Self::User(id.parse()?)),
            _ => Err(MalformedId),
        }
    }
}

/// A message's name: base58 of conversation id and `seq`, both big-endian, 24 bytes.
///
/// It needs no index, finds its partition, and cannot be guessed without the conversation's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The conversation it stands in.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(self.conversation.as_bytes());
        bytes[16..].copy_from_slice(&self.seq.0.to_be_bytes());
        // 24 bytes need 33 characters.
        let mut text = [0; 33];
        let length = bs58::encode(bytes).onto(&mut text[..]).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for MessageId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let mut bytes = [0; 24];
        // 33 characters hold 24 bytes; the length is looked at first because base58 costs its square.
        if text.len() > 33 || bs58::decode(text).onto(&mut bytes).ok() != Some(bytes.len()) {
            return Err(MalformedId);
        }
        let (conversation, seq) = bytes.split_at(16);
        let id = Self {
            conversation: ConversationId(Uuid::from_slice(conversation).map_err(|_| MalformedId)?),
            seq: Seq(u64::from_be_bytes(seq.try_into().map_err(|_| MalformedId)?)),
        };
        let in_range = id.seq.0 >= 1 && i64::try_from(id.seq.0).is_ok();
        if in_range && id.to_string() == text { Ok(id) } else { Err(MalformedId) }
    }
}

/// Where new ids and secrets come from.
pub trait IdSource: Send + Sync + 'static {
    /// Fills the slice with bytes nobody can predict.
    fn fill(&self, bytes: &mut [u8]);

    /// A UUIDv7 of this moment: keys made in order are stored in order.
    fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        Builder::from_unix_timestamp_millis(u64::try_from(now.0).unwrap_or(0), &random).into_uuid()
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    fn fill(&self, bytes: &mut [u8]) {
        // It fails only where the machine has no source of randomness at all; then nothing here is safe to go on.
        aws_lc_rs::rand::fill(bytes).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> ConversationId {
        "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
    }

    #[test]
    fn a_message_id_comes_back_as_it_went() {
        for seq in [1, 255, 256, 1 << 40] {
            let id = MessageId { conversation: conversation(), seq: Seq(seq) };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        let zeros = MessageId { conversation: ConversationId(Uuid::nil()), seq: Seq(1) };
        assert_eq!(zeros.to_string().parse(), Ok(zeros));
    }

    #[test]
    fn only_the_canonical_form_of_an_id_is_taken() {
        assert!("01890A5D-AC96-774B-BCCE-B302099A8057".parse::<UserId>().is_err());
        assert!("01890a5dac96774bbcceb302099a8057".parse::<UserId>().is_err());
        let id = MessageId { conversation: conversation(), seq: Seq(7) }.to_string();
        assert!(format!("1{id}").parse::<MessageId>().is_err(), "a leading zero is another spelling");
        assert!(id[1..].parse::<MessageId>().is_err());
        assert!(
            MessageId { conversation: conversation(), seq: Seq(0) }.to_string().parse::<MessageId>().is_err()
        );
        assert!("z".repeat(4000).parse::<MessageId>().is_err());
    }

    #[test]
    fn ids_of_one_moment_cannot_be_guessed_from_one_another() {
        let ids: Vec<u128> =
            (0..100).map(|_| SystemIds.uuid(Timestamp(1_700_000_000_000)).as_u128()).collect();
        let set = ids.iter().fold(0, |bits, id| bits | id);
        let clear = ids.iter().fold(0, |bits, id| bits | !id);
        assert_eq!((set & clear).count_ones(), 74, "48 are the moment, 6 say what kind of id it is");
    }

    #[test]
    fn a_stream_is_named_by_its_kind() {
        let stream = StreamId::Conversation(conversation());
        assert_eq!(stream.to_string(), "conversation:01890a5d-ac96-774b-bcce-b302099a8057");
        assert_eq!(stream.to_string().parse(), Ok(stream));
        assert_eq!(StreamId::from_bytes(&stream.to_bytes()), Ok(stream));
        assert!("room:01890a5d-ac96-774b-bcce-b302099a8057".parse::<StreamId>().is_err());
    }
}
