//! What somebody has chosen for a conversation: JSON in the row of their interval, nothing where nothing was chosen.

use rusqlite::Row;
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::conversations::{Error, Membership, Notify, Preferences};
use tidings_core::events::EventBody;
use tidings_core::ids::{Pos, StreamId};
use tidings_core::ports::store::UpdatePreferences;

use super::get_present;
use crate::events::EventRow;
use crate::rows::{bound, unreadable};
use crate::write::{Change, Draft, Failure, Tx};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreferencesJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<i64>,
    pinned: bool,
    archived: bool,
    notify: &'a str,
}

fn text(preferences: &Preferences) -> rusqlite::Result<Option<String>> {
    if *preferences == Preferences::default() {
        return Ok(None);
    }
    let json = PreferencesJson {
        muted_until: preferences.muted_until.map(|until| until.0),
        pinned: preferences.pinned,
        archived: preferences.archived,
        notify: preferences.notify.as_str(),
    };
    let text = serde_json::to_string(&json);
    text.map(Some).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn parse(text: &str) -> Option<Preferences> {
    let json: PreferencesJson<'_> = serde_json::from_str(text).ok()?;
    Some(Preferences {
        muted_until: json.muted_until.map(Timestamp),
        pinned: json.pinned,
        archived: json.archived,
        notify: Notify::parse(json.notify)?,
    })
}

/// Reads the column.
pub(super) fn preferences_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Preferences> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(Preferences::default()),
        Some(text) => parse(text).ok_or_else(|| unreadable(column, "preferences")),
    }
}

/// What an event says of them: of one person, and not their words.
pub(crate) fn encode(from_pos: Pos, preferences: &Preferences) -> Result<Vec<u8>, rusqlite::Error> {
    let mut data = from_pos.0.to_be_bytes().to_vec();
    data.extend_from_slice(text(preferences)?.unwrap_or_default().as_bytes());
    Ok(data)
}

pub(crate) fn decode(event: &EventRow) -> rusqlite::Result<(Pos, Preferences)> {
    let unreadable = || unreadable(7, "the data of preferences");
    let data = event.data.as_deref().ok_or_else(unreadable)?;
    let (from_pos, text) = data.split_first_chunk::<8>().ok_or_else(unreadable)?;
    let preferences = match std::str::from_utf8(text) {
        Ok("") => Some(Preferences::default()),
        Ok(text) => parse(text),
        Err(_) => None,
    };
    Ok((Pos(u64::from_be_bytes(*from_pos)), preferences.ok_or_else(unreadable)?))
}

pub(super) fn update_preferences(
    tx: &mut Tx<'_>,
    update: UpdatePreferences,
) -> Result<Change<Preferences>, Failure<Error>> {
    let UpdatePreferences { actor, conversation, change, now } = update;
    let Membership { from_pos, preferences: before, .. } = get_present(tx, &actor, conversation)?;
    let preferences = before.changed(change);
    if preferences == before {
        return Ok(Change::nothing(preferences));
    }
    let place = tx.next(StreamId::User(actor.user))?;
    let mut statement = tx.conn.prepare_cached(
        "UPDATE membership SET preferences = ?4 WHERE conversation = ?1 AND user = ?2 AND from_pos = ?3",
    )?;
    let (chat, user) = (conversation.as_bytes(), actor.user.as_bytes());
    statement.execute((chat, user, bound(from_pos.0), text(&preferences)?))?;
    let body = EventBody::PreferencesUpdated { conversation, from_pos, preferences };
    Ok(Change::with(preferences, Draft { place, actor: actor.user, at: now, body }, []))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_comes_back_and_nothing_is_nothing() {
        assert_eq!(text(&Preferences::default()).unwrap(), None);
        let chosen = Preferences {
            muted_until: Some(Timestamp(i64::MAX)),
            pinned: true,
            archived: false,
            notify: Notify::Nothing,
        };
        assert_eq!(parse(&text(&chosen).unwrap().unwrap()), Some(chosen));
        assert!(encode(Pos(u64::MAX), &chosen).unwrap().len() <= 256, "an event has no more room");
    }
}
