//! Appending a message: duplicates first, then the right to send, then the numbers, then the rows.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use tidings_core::conversations::Role;
use tidings_core::events::EventBody;
use tidings_core::fail_points::{FailPoint, reached};
use tidings_core::idempotency::RequestMac;
use tidings_core::ids::{ConversationId, MessageId, UserId};
use tidings_core::messages::{Error, Message, Sent};
use tidings_core::ports::store::AppendMessage;

use super::{Eyes, MESSAGE, Stored, message_of};
use crate::conversations::{PRESENT, settings_of};
use crate::rows::{int, named, pos};
use crate::state::Sender;
use crate::write::{Change, Draft, Failure, MessagePlace, Tx, Unexpected};

pub(super) fn append_message(
    tx: &mut Tx<'_>,
    append: &AppendMessage,
) -> Result<Change<Sent>, Failure<Error>> {
    if tx.has_ended(append.actor.session) {
        return Err(Failure::Refused(Error::SessionEnded));
    }
    let known = tx.known_sender(append.conversation, append.actor.user).filter(Sender::may_send);
    let sender = match known {
        Some(sender) => sender,
        None => {
            // Before membership: the retry of one who has been removed meanwhile still gets the original.
            if let Some(original) = find_original(tx.conn, append)? {
                return replay(tx, append, original);
            }
            get_sender(tx, append.conversation, append.actor.user)?
        }
    };
    // Who may send needs no look for the original: the index finds it while it takes the row. Numbers are given only
    // once the row stands, so a retry draws none.
    let planned = tx.plan_message(append.conversation)?;
    if !insert(tx.conn, append, &planned)? {
        let original = find_original(tx.conn, append)?;
        return replay(tx, append, original.ok_or(Unexpected::Broken("a duplicate without its original"))?);
    }
    reached(FailPoint::MessageInserted);
    let given = tx.next_message(append.conversation, append.actor.user, sender)?;
    reached(FailPoint::NumbersGiven);
    if given != planned {
        return Err(Unexpected::Broken("a message was stored at another place than it was given").into());
    }
    let message = Arc::new(message_at(append, &given));
    let body = EventBody::MessageSent(Arc::clone(&message));
    let draft = Draft { place: given.place, actor: append.actor.user, at: append.now, body };
    Ok(Change::with(Sent { message, replayed: false }, draft, []))
}

/// The answer to a retry: the message as its sender sees it now, if it is the same that was asked for.
fn replay(
    tx: &Tx<'_>,
    append: &AppendMessage,
    (stored, mac): (Stored, RequestMac),
) -> Result<Change<Sent>, Failure<Error>> {
    if mac == append.request_mac {
        let sender = append.actor.user;
        let eyes = if stored.is_as_sent() {
            Eyes::EVERYBODY
        } else {
            Eyes::of(sender, &tx.rows().intervals(append.conversation, sender, PRESENT)?)
        };
        let message = tx.rows().seen(stored, eyes)?;
        Ok(Change::nothing(Sent { message: Arc::new(message), replayed: true }))
    } else {
        Err(Failure::Refused(Error::ClientMessageIdReused))
    }
}

fn message_at(append: &AppendMessage, given: &MessagePlace) -> Message {
    Message {
        id: MessageId { conversation: append.conversation, seq: given.seq },
        pos: given.place.pos,
        ord: given.ord,
        sender: append.actor.user,
        client_id: append.client_id,
        kind: append.kind,
        content: append.content.clone(),
        metadata: append.metadata.clone(),
        version: 1,
        created_at: append.now,
        edited_at: None,
        deletion: None,
        reactions: Vec::new(),
    }
}

pub(crate) fn original_sql() -> String {
    format!(
        "SELECT {MESSAGE}, request_mac FROM message WHERE client_id = ?1 AND conversation = ?2 AND sender = ?3"
    )
}

fn find_original(
    conn: &Connection,
    append: &AppendMessage,
) -> rusqlite::Result<Option<(Stored, RequestMac)>> {
    let mut statement = conn.prepare_cached(&original_sql())?;
    let key = (append.client_id.as_bytes(), append.conversation.as_bytes(), append.actor.user.as_bytes());
    let found = statement.query_row(key, |row| Ok((message_of(row)?, RequestMac(row.get(15)?)))).optional();
    reached(FailPoint::OriginalLookedUp);
    found
}

/// The membership under which a send stands, as the requests before it have left it.
fn get_sender(tx: &mut Tx<'_>, conversation: ConversationId, user: UserId) -> Result<Sender, Failure<Error>> {
    let found = find_sender(tx.conn, conversation, user)?;
    reached(FailPoint::MembershipLookedUp);
    let sender = match found {
        None => return Err(Failure::Refused(Error::NotFound)),
        Some(None) => return Err(Failure::Refused(Error::NotParticipant)),
        Some(Some(sender)) => sender,
    };
    tx.remember_sender(conversation, user, sender);
    if sender.may_send() { Ok(sender) } else { Err(Failure::Refused(Error::Forbidden)) }
}

pub(crate) const SENDER: &str = "SELECT m.from_pos, m.to_pos IS NULL, m.role, c.settings
    FROM membership AS m CROSS JOIN conversation AS c ON c.id = m.conversation
    WHERE m.conversation = ?1 AND m.user = ?2 ORDER BY m.from_pos DESC LIMIT 1";

/// The latest interval: none for a stranger, nothing in it for one who has left.
fn find_sender(
    conn: &Connection,
    conversation: ConversationId,
    user: UserId,
) -> rusqlite::Result<Option<Option<Sender>>> {
    let mut statement = conn.prepare_cached(SENDER)?;
    let found = statement.query_row((conversation.as_bytes(), user.as_bytes()), |row| {
        let is_in: bool = row.get(1)?;
        let sender = Sender {
            from_pos: pos(row, 0)?,
            role: named(row, 2, Role::parse)?,
            send: settings_of(row, 3)?.send,
        };
        Ok(is_in.then_some(sender))
    });
    found.optional()
}

/// False where a message under this client id stands already: then nothing was written.
fn insert(conn: &Connection, append: &AppendMessage, given: &MessagePlace) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO message (conversation, seq, pos, log_id, ord, sender, client_id, request_mac, created_at, version,
                              type, body, metadata)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?11, ?12)
         ON CONFLICT (client_id, conversation, sender) DO NOTHING",
    )?;
    let inserted = statement.execute((
        append.conversation.as_bytes(),
        int(given.seq.0)?,
        int(given.place.pos.0)?,
        int(given.place.log_id.0)?,
        int(given.ord)?,
        append.actor.user.as_bytes(),
        append.client_id.as_bytes(),
        append.request_mac.0,
        append.now.0,
        append.kind.as_str(),
        &append.content,
        &append.metadata,
    ))?;
    Ok(inserted == 1)
}
