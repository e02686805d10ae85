//! Editing: the row takes the new text, the old one becomes a version.

use std::sync::Arc;

use tidings_core::clock::Timestamp;
use tidings_core::error::{Code, FieldError};
use tidings_core::events::EventBody;
use tidings_core::ids::{Pos, StreamId};
use tidings_core::messages::{Error, Message, MessageVersion};
use tidings_core::ports::store::EditMessage;

use super::{Until, get_to_change};
use crate::conversations::PRESENT;
use crate::rows::{Rows, bound};
use crate::write::{Change, Draft, Failure, Tx};

pub(super) fn edit_message(tx: &mut Tx<'_>, edit: &EditMessage) -> Result<Change<Message>, Failure<Error>> {
    let (message, _) = get_to_change(tx, &edit.actor, edit.message)?;
    if message.sender != edit.actor.user {
        return Err(Failure::Refused(Error::NotAuthor));
    }
    if message.deletion.is_some() {
        return Err(Failure::Refused(Error::Deleted));
    }
    if is_done(&message, edit)? {
        return Ok(Change::nothing(as_seen(tx, message, edit)?));
    }
    message.kind.check_visible(edit.is_visible).map_err(refused)?;
    let max = edit.versions_max;
    if usize::try_from(message.version).is_ok_and(|versions| versions >= max) {
        let detail = format!("{max} versions of a message are kept: send another one");
        return Err(refused(FieldError::new("/content", Code::TooMany, detail)));
    }
    let place = tx.next(StreamId::Conversation(edit.message.conversation))?;
    keep(tx, &message, place.pos)?;
    let edited = Message {
        content: edit.content.clone(),
        version: message.version + 1,
        edited_at: Some(edit.now),
        ..message
    };
    let mut statement = tx.conn.prepare_cached(
        "UPDATE message SET body = ?3, version = ?4, edited_at = ?5 WHERE conversation = ?1 AND seq = ?2",
    )?;
    let id = edited.id;
    statement.execute((
        id.conversation.as_bytes(),
        bound(id.seq.0),
        &edited.content,
        edited.version,
        edit.now.0,
    ))?;
    let answer = as_seen(tx, edited.clone(), edit)?;
    let body = EventBody::MessageEdited(Arc::new(edited));
    Ok(Change::with(answer, Draft { place, actor: edit.actor.user, at: edit.now, body }, []))
}

fn refused(error: FieldError) -> Failure<Error> {
    Failure::Refused(Error::Invalid(vec![error]))
}

/// Whether it says that already, and the author has seen this version, or the one before: the answer was lost then.
fn is_done(message: &Message, edit: &EditMessage) -> Result<bool, Failure<Error>> {
    let says_so = message.content == edit.content;
    match edit.version {
        None => Ok(says_so),
        Some(seen) if seen == message.version => Ok(says_so),
        Some(seen) if says_so && seen.checked_add(1) == Some(message.version) => Ok(true),
        Some(_) => Err(Failure::Refused(Error::VersionStale(message.version))),
    }
}

/// The author may have put something on it.
fn as_seen(tx: &Tx<'_>, mut message: Message, edit: &EditMessage) -> rusqlite::Result<Message> {
    message.reactions = tx.rows().reactions_to(edit.actor.user, message.id, message.reactions)?;
    Ok(message)
}

fn keep(tx: &Tx<'_>, message: &Message, replaced_pos: Pos) -> rusqlite::Result<()> {
    let mut statement = tx.conn.prepare_cached(
        "INSERT INTO message_version (conversation, seq, version, body, written_at, replaced_pos)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute((
        message.id.conversation.as_bytes(),
        bound(message.id.seq.0),
        message.version,
        &message.content,
        message.edited_at.unwrap_or(message.created_at).0,
        bound(replaced_pos.0),
    ))?;
    Ok(())
}

/// What the message said, first to last, and what it says, to who may know of it.
pub(super) fn versions(
    rows: Rows<'_>,
    message: Message,
    until: Option<Until>,
) -> rusqlite::Result<Vec<MessageVersion>> {
    if message.deletion.is_some() {
        return Ok(Vec::new());
    }
    let mut statement = rows.conn.prepare_cached(
        "SELECT version, body, written_at FROM message_version
         WHERE conversation = ?1 AND seq = ?2 AND replaced_pos <= ?3 ORDER BY version",
    )?;
    let last = until.map_or(PRESENT, |until| until.pos);
    let key = (message.id.conversation.as_bytes(), bound(message.id.seq.0), bound(last.0));
    let kept = statement.query_map(key, |row| {
        Ok(MessageVersion { version: row.get(0)?, content: row.get(1)?, written_at: Timestamp(row.get(2)?) })
    })?;
    let mut versions = kept.collect::<rusqlite::Result<Vec<_>>>()?;
    versions.push(MessageVersion {
        version: message.version,
        content: message.content,
        written_at: message.edited_at.unwrap_or(message.created_at),
    });
    Ok(versions)
}
