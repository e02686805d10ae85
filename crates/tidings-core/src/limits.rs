//! Every limit that a client can meet, with its name, default and unit.
//!
//! The names are the keys of `[limits]` in the configuration and of `limits` in `GET /api/server`. To add one: a line
//! in the table below.

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $default:expr, $min:expr, $max:expr;)*) => {
        /// The limits of one installation. Bytes are bytes of UTF-8, characters are Unicode scalar values.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* pub $name: usize,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// Every limit as `(name, value)`, in the order of the table.
            #[must_use]
            pub fn list(&self) -> Vec<(&'static str, usize)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            /// Sets one limit by name.
            ///
            /// # Errors
            /// An unknown name, or a value outside of the range that the server can keep.
            pub fn set(&mut self, name: &str, value: usize) -> Result<(), LimitError> {
                match name {
                    $(stringify!($name) => {
                        if !($min..=$max).contains(&value) {
                            return Err(LimitError::OutOfRange { min: $min, max: $max });
                        }
                        self.$name = value;
                    })*
                    _ => return Err(LimitError::Unknown),
                }
                Ok(())
            }
        }
    };
}

impl Limits {
    /// What one event may take as JSON, in bytes, at the most: text that is all escapes grows sixfold, an emoji names
    /// ten people with 39 bytes each, and 32 KiB are plenty for everything else in a frame.
    #[must_use]
    pub fn frame_bytes_max(&self) -> usize {
        6 * self.content_bytes_max + self.metadata_bytes_max + 600 * self.message_emoji_max + 32 * 1024
    }
}

/// Why a limit could not be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no limit of that name.
    #[error("there is no limit of that name")]
    Unknown,
    /// The server cannot keep that value.
    #[error("must be from {min} to {max}")]
    OutOfRange {
        /// The smallest value taken.
        min: usize,
        /// The largest value taken.
        max: usize,
    },
}

limits! {
    /// The text of one message, in bytes.
    content_bytes_max = 16 * 1024, 1, 128 * 1024;
    /// A message's metadata as compact JSON, in bytes.
    metadata_bytes_max = 4 * 1024, 2, 32 * 1024;
    /// How deep a message's metadata may nest.
    metadata_levels_max = 8, 1, 32;
    /// Versions of one message that are kept, the present one among them; then it can be edited no more.
    message_versions_max = 100, 1, 500;
    /// Different emoji on one message.
    message_emoji_max = 32, 1, 100;
    /// Emoji of one user on one message.
    user_emoji_max = 8, 1, 100;
    /// The name of an emoji of one's own, `:name:`, in characters with its colons.
    emoji_chars_max = 34, 3, 64;
    /// A conversation's title, in characters.
    title_chars_max = 200, 1, 1000;
    /// A user's display, first or last name, in characters.
    name_chars_max = 100, 1, 1000;
    /// The shortest username, in characters.
    username_chars_min = 3, 1, 32;
    /// The longest username, in characters.
    username_chars_max = 32, 3, 64;
    /// The shortest password, in characters.
    password_chars_min = 8, 8, 128;
    /// The longest password, in characters.
    password_chars_max = 128, 64, 1024;
    /// An e-mail address, in bytes.
    email_bytes_max = 254, 64, 254;
    /// The address of a user's picture, in bytes.
    avatar_url_bytes_max = 1024, 64, 2048;
    /// A device's name in a login, in characters.
    device_chars_max = 100, 1, 1000;
    /// `userIds` in one request.
    user_ids_max = 100, 1, 500;
    /// People in one conversation.
    participants_max = 10_000, 2, 100_000;
    /// The body of one request, in bytes.
    body_bytes_max = 256 * 1024, 4 * 1024, 16 * 1024 * 1024;
    /// How deep any JSON of a client may nest.
    json_levels_max = 32, 8, 100;
    /// One packet of a socket, in bytes.
    socket_payload_bytes_max = 256 * 1024, 4 * 1024, 16 * 1024 * 1024;
    /// What may wait for one connection that reads slowly, in bytes.
    connection_queue_bytes_max = 1024 * 1024, 64 * 1024, 64 * 1024 * 1024;
    /// Events of one connection that are being handled at a time.
    connection_in_flight_max = 32, 1, 1024;
    /// Connections of one user at a time.
    user_connections_max = 20, 1, 10_000;
    /// Logins of one user at a time; one more ends the one that was used longest ago.
    user_sessions_max = 100, 1, 500;
    /// Connections of the whole process at a time.
    connections_max = 100_000, 1, 10_000_000;
    /// Connections of one address, or one IPv6 network of 64 bits. This machine's own are not counted.
    address_connections_max = 2_000, 1, 10_000_000;
    /// Conversations that one connection has open at a time: what is on its screen.
    open_conversations_max = 20, 1, 1_000;
    /// Messages that one user sends within a minute.
    messages_per_minute = 30, 1, 1_000_000;
    /// Edits of one user within a minute.
    edits_per_minute = 20, 1, 1_000_000;
    /// Deletions of one user within a minute.
    deletes_per_minute = 10, 1, 1_000_000;
    /// Reactions that one user puts or takes within a minute.
    reactions_per_minute = 100, 1, 1_000_000;
    /// Conversations that one user makes within an hour.
    conversations_per_hour = 20, 1, 1_000_000;
    /// Typing, presence and opened conversations of one user within a minute.
    signals_per_minute = 600, 1, 1_000_000;
    /// Searches for people and conversations of one user within a minute.
    searches_per_minute = 60, 1, 1_000_000;
    /// Logins of one user within an hour, each with the right password.
    logins_per_hour = 60, 1, 1_000_000;
    /// Accounts that are made from one address, or one IPv6 network of 64 bits, within an hour.
    registrations_per_hour = 20, 1, 1_000_000;
    /// Requests of one session about sessions and the password within a minute.
    sessions_per_minute = 60, 1, 1_000_000;
    /// Everything else of one user within a minute.
    requests_per_minute = 1_200, 1, 1_000_000;
    /// Messages in one page of history.
    history_page_max = 200, 1, 1000;
    /// What is looked for in a list, in characters.
    query_chars_max = 100, 1, 1_000;
    /// Conversations or participants in one page of a list.
    list_page_max = 100, 1, 500;
    /// Events in one page of catch-up.
    sync_page_max = 2_000, 1, 10_000;
    /// Events in one page of catch-up, in bytes as they stand in memory; one is given whatever its size.
    sync_page_bytes_max = 1024 * 1024, 64 * 1024, 64 * 1024 * 1024;
    /// Events of one stream that a catch-up replays; with more the stream is `skipped`.
    sync_stream_events_max = 200, 1, 10_000;
    /// Changed streams that a catch-up replays; with more the answer is `reset`.
    sync_streams_max = 1_000, 1, 10_000;
    /// Catch-ups from the store that run at a time.
    sync_cold_max = 64, 1, 1_000;
    /// Idempotency keys, in bytes.
    idempotency_key_bytes_max = 255, 36, 255;
}

/// How long a password is being hashed at a time: one per core would starve everything else, so this many at once.
pub const PASSWORD_HASHES_AT_ONCE: usize = 2;
/// Logins and registrations that may wait for a hash; the next is refused as overloaded.
pub const PASSWORD_HASHES_WAITING_MAX: usize = 64;
/// Access tokens live this long, in seconds.
pub const ACCESS_TOKEN_SECONDS: i64 = 600;
/// A token from so far ahead, in seconds, is none: clocks differ, and one may have been an hour ahead a moment ago.
pub const CLOCKS_DIFFER_SECONDS: i64 = 2 * 3600;
/// A revocation outlives the access tokens that it means by this long, in seconds: clocks differ, and one that is an
/// hour ahead when a token is issued or a revocation is swept may be right again a moment later.
pub const REVOCATION_MARGIN_SECONDS: i64 = 2 * 3600;
/// Refresh tokens live this long, in seconds.
pub const REFRESH_TOKEN_SECONDS: i64 = 30 * 24 * 3600;
/// A refresh token that was just rotated is answered once more within this time, in seconds: two tabs, or a lost
/// answer.
pub const REFRESH_GRACE_SECONDS: i64 = 30;
/// Idempotency keys are kept this long, in seconds.
pub const IDEMPOTENCY_SECONDS: i64 = 24 * 3600;
/// The tail in memory reaches back this long, in milliseconds.
pub const TAIL_MS: i64 = 60_000;
/// The tail in memory holds at most this much, in bytes.
pub const TAIL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Rosters in memory hold at most this much, in bytes.
pub const ROSTER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Groups with more members keep a list of those who are on the node; below, looking each up is as cheap.
pub const ROSTER_LOCAL_ABOVE: usize = 256;
/// Messages of a roster of which it is remembered who may not read them.
pub const ROSTER_BARRED_MAX: usize = 8;
/// Groups with more people tell nobody who has read what, but each reader's own devices.
pub const RECEIPTS_PARTICIPANTS_MAX: usize = 100;
/// Receipts that one event carries: 32 bytes each of the 256 that an event may say.
pub const RECEIPTS_AN_EVENT: usize = 8;
/// Receipts of a conversation are written at most this often, in milliseconds.
pub const RECEIPTS_GATHERED_MS: u64 = 500;
/// Devices whose receipts in one conversation may wait for that; the next is refused as overloaded.
pub const RECEIPTS_WAITING_MAX: usize = 10_000;
/// Marks of one device that may wait together; the next is refused as overloaded.
pub const RECEIPTS_OF_DEVICE_MAX: usize = 128;
/// People whose receipts one commit takes.
pub const RECEIPTS_WRITTEN_MAX: usize = 128;
/// Conversations in the answer to what is unread.
pub const UNREAD_CONVERSATIONS_MAX: usize = 1_000;
/// Who writes is thought to write for this long after the last word of it, in milliseconds.
pub const TYPING_MS: i64 = 5_000;
/// While somebody writes others are told again this often, in milliseconds.
pub const TYPING_AGAIN_MS: i64 = 2_000;
/// Of one conversation it is told so often within a second, of all together, that somebody begins or stops to write.
pub const TYPING_TOLD_A_SECOND: u32 = 40;
/// That somebody begins to write is told at most once in this time, in milliseconds.
pub const TYPING_STARTS_MS: i64 = 1_000;
/// People of a conversation who are shown writing at once; the others when one of them has stopped.
pub const TYPING_TOLD_MAX: usize = 20;
/// What has changed in who is here is told this often, in milliseconds.
pub const SIGNALS_EVERY_MS: u64 = 500;
/// Who has gone is thought to be here for this long, in milliseconds: most come back.
pub const PRESENCE_GRACE_MS: i64 = 20_000;
/// Conversations with more people are told how many are here, and not who.
pub const PRESENCE_NAMED_MAX: usize = 100;
/// People of whom it is told at a time that they have come or gone; the others follow the next time.
pub const PRESENCE_TOLD_MAX: usize = 2_000;
/// People of large conversations that are counted within a second, of all together.
pub const PRESENCE_COUNTED_A_SECOND: u32 = 20_000;
/// One large conversation is counted at most this often, and remembered for so long after the last look, in
/// milliseconds.
pub const PRESENCE_COUNTED_MS: i64 = 5_000;
/// People of whom one commit says when they were last seen.
pub const LAST_SEEN_WRITTEN_MAX: usize = 128;
/// People of whom it waits to be written when they were last seen; of more the oldest are forgotten.
pub const LAST_SEEN_WAITING_MAX: usize = 200_000;
/// Who does what how often is counted for so many at a time, each about 100 bytes.
pub const RATE_KEYS_MAX: usize = 500_000;
/// The first delay of who guesses passwords, in milliseconds; it doubles
pub const LOGIN_DELAY_MS: i64 = 1_000;
/// up to so many.
pub const LOGIN_DELAY_MS_MAX: i64 = 60_000;
/// Failed logins before the first delay, of an account from one address: people mistype.
pub const LOGIN_FREE_OF_PAIR: u32 = 3;
/// The same of an account, from wherever they come.
pub const LOGIN_FREE_OF_ACCOUNT: u32 = 10;
/// The same of an address, whatever the account: many share one.
pub const LOGIN_FREE_OF_ADDRESS: u32 = 30;
/// Failed logins are forgotten after this long without another, in milliseconds.
pub const LOGIN_FORGOTTEN_MS: i64 = 3_600_000;
/// Accounts and addresses of which failed logins are counted at a time.
pub const LOGIN_TRIES_KEPT_MAX: usize = 100_000;
/// Characters of a word of a name by which somebody is found; what is behind them is not looked at.
pub const NAME_WORD_CHARS_MAX: usize = 40;
/// Words of somebody's names by which they are found, their username's first.
pub const NAME_WORDS_MAX: usize = 16;
/// People that a search by name finds.
pub const USERS_FOUND_MAX: usize = 50;
/// People that a search by name looks at, of those of whom the rarest word is the beginning of a name.
pub const USERS_LOOKED_AT_MAX: usize = 1_000;
/// Addresses of a user that are remembered as their own.
pub const KNOWN_ADDRESSES_MAX: usize = 20;
/// Verified access tokens that are remembered, each about 150 bytes.
pub const VERIFIED_TOKENS_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_set_by_its_name_and_within_its_range() {
        let mut limits = Limits::default();
        assert_eq!(limits.set("content_bytes_max", 100), Ok(()));
        assert_eq!(limits.content_bytes_max, 100);
        assert_eq!(
            limits.set("content_bytes_max", 0),
            Err(LimitError::OutOfRange { min: 1, max: 128 * 1024 })
        );
        assert_eq!(limits.set("content", 1), Err(LimitError::Unknown));
    }

    #[test]
    fn defaults_are_within_their_own_ranges() {
        let mut limits = Limits::default();
        for (name, value) in Limits::default().list() {
            assert_eq!(limits.set(name, value), Ok(()), "{name}");
        }
    }
}
