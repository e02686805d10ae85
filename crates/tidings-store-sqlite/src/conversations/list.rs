//! The conversations that somebody is in: pinned ones first, then by the latest message.

use std::cmp::Reverse;

use tidings_core::conversations::{
    ConversationCursor, ConversationFilter, ConversationKind, ConversationPage, MembershipState, Preferences,
};
use tidings_core::ids::{ConversationId, LogId, StreamId, UserId};

use super::preferences::preferences_of;
use crate::heads::{HEAD, head_of};
use crate::rows::{Rows, bound, later, named};

/// One of the list, in its order.
type Entry = (Reverse<bool>, Reverse<LogId>, ConversationId);

pub(super) fn list_conversations(
    rows: Rows<'_>,
    viewer: UserId,
    filter: &ConversationFilter,
    after: Option<ConversationCursor>,
    limit: usize,
) -> rusqlite::Result<ConversationPage> {
    let mut entries = list_entries(rows, viewer, filter)?;
    if let Some(after) = after {
        let after = (Reverse(after.pinned), Reverse(after.last_sent_log), after.conversation);
        entries.retain(|entry| *entry > after);
    }
    entries.sort_unstable();
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| has_more);
    let next = last.map(|(Reverse(pinned), Reverse(last_sent_log), conversation)| ConversationCursor {
        pinned: *pinned,
        last_sent_log: *last_sent_log,
        conversation: *conversation,
    });
    // Messages and people are read for the page only.
    let mut conversations = Vec::with_capacity(entries.len());
    for (_, _, conversation) in entries {
        let view = rows.view(viewer, conversation)?;
        // The view reads the head again, which may be newer than the list: one who has just left is not in it.
        conversations.extend(view.filter(|view| view.me.state == MembershipState::Active));
    }
    Ok(ConversationPage { conversations, next })
}

/// Every conversation that the viewer is in, with its order.
fn list_entries(rows: Rows<'_>, viewer: UserId, filter: &ConversationFilter) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = rows.conn.prepare_cached(&list_sql())?;
    // Who left after the state that is read is still in, and who came after it is not yet.
    let mut found = statement.query((viewer.as_bytes(), bound(rows.newer.as_of().0)))?;
    let mut entries = Vec::new();
    while let Some(row) = found.next()? {
        let id = ConversationId::from_bytes(row.get(0)?);
        let Preferences { pinned, archived, .. } = preferences_of(row, 1)?;
        if filter.archived.is_none_or(|wanted| wanted == archived) && is_wanted(rows, viewer, id, filter)? {
            let head = later(Some(head_of(row, 2)?), rows.newer.head(StreamId::Conversation(id)));
            entries.extend(head.map(|head| (Reverse(pinned), Reverse(head.last_sent_log), id)));
        }
    }
    Ok(entries)
}

/// Whether it is of the kind and called so; each is looked at only where that is asked for.
fn is_wanted(
    rows: Rows<'_>,
    viewer: UserId,
    id: ConversationId,
    filter: &ConversationFilter,
) -> rusqlite::Result<bool> {
    if filter.kind.is_none() && filter.words.is_empty() {
        return Ok(true);
    }
    let mut statement = rows.conn.prepare_cached("SELECT kind, title FROM conversation WHERE id = ?1")?;
    let (kind, title) = statement
        .query_row([id.as_bytes()], |row| Ok((named(row, 0, ConversationKind::parse)?, row.get(1)?)))?;
    Ok(filter.kind.is_none_or(|wanted| wanted == kind)
        && (filter.words.is_empty() || is_called(rows, viewer, id, title, &filter.words)?))
}

/// Whether each of the words stands in its title, or in the names of whom one talks to there.
fn is_called(
    rows: Rows<'_>,
    viewer: UserId,
    id: ConversationId,
    title: Option<String>,
    words: &[String],
) -> rusqlite::Result<bool> {
    let called = match title {
        Some(title) => title,
        None => rows.names_of_other(id, viewer)?,
    };
    let called = called.to_lowercase();
    Ok(words.iter().all(|word| called.contains(word)))
}

impl Rows<'_> {
    /// The names of the other in a direct conversation; of notes to oneself one's own.
    fn names_of_other(&self, id: ConversationId, viewer: UserId) -> rusqlite::Result<String> {
        let mut statement = self.conn.prepare_cached(
            "SELECT u.display_name || ' ' || u.username FROM membership AS m CROSS JOIN users AS u ON u.id = m.user
             WHERE m.conversation = ?1 ORDER BY m.user = ?2 LIMIT 1",
        )?;
        statement.query_row((id.as_bytes(), viewer.as_bytes()), |row| row.get(0))
    }
}

pub(crate) fn list_sql() -> String {
    format!(
        "SELECT m.conversation, m.preferences, {HEAD}
         FROM membership AS m
         CROSS JOIN head AS h ON h.stream = CAST(x'01' || m.conversation AS BLOB)
         WHERE m.user = ?1 AND m.from_log <= ?2 AND (m.to_log IS NULL OR m.to_log > ?2)"
    )
}
