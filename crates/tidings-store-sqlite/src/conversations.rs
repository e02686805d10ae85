//! Conversations and who is in them.

mod add;
mod count;
mod create;
mod list;
mod membership;
mod preferences;
mod remove;
mod update;
mod view;

#[cfg(test)]
pub(crate) use count::{JOINED_SQL, LEFT_SQL};
pub(crate) use create::role_at_creation;
#[cfg(test)]
pub(crate) use list::list_sql;
pub(crate) use membership::{MEMBERSHIP, PRESENT};
pub(crate) use preferences::{decode as decode_preferences, encode as encode_preferences};
#[cfg(test)]
pub(crate) use remove::OWNERS_SQL;
pub(crate) use view::seen_pos;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use tidings_core::clock::Timestamp;
use tidings_core::conversations::{
    Audience, Conversation, ConversationCursor, ConversationFilter, ConversationKind, ConversationPage,
    ConversationView, CreatedConversation, Error, Membership, MembershipState, NewcomerHistory, Participant,
    ParticipantCursor, ParticipantPage, Preferences, Settings,
};
use tidings_core::error::{Code, FieldError, StoreError};
use tidings_core::ids::{AppId, ConversationId, StreamId, UserId};
use tidings_core::ports::store::{
    AddParticipants, ConversationStore, NewConversation, RemoveParticipant, UpdateParticipant,
    UpdatePreferences,
};
use tidings_core::presence::Present;
use tidings_core::sessions::Actor;

use crate::SqliteStore;
use crate::rows::{Rows, named, unreadable};
use crate::write::{Failure, Tx};

/// The columns that [`conversation_of`] reads.
const CONVERSATION: &str = "id, app_id, kind, title, avatar_url, settings, created_at, created_by";

fn conversation_of(row: &Row<'_>) -> rusqlite::Result<Conversation> {
    Ok(Conversation {
        id: ConversationId::from_bytes(row.get(0)?),
        app: AppId(row.get(1)?),
        kind: named(row, 2, ConversationKind::parse)?,
        title: row.get(3)?,
        avatar_url: row.get(4)?,
        settings: named(row, 5, parse_settings)?,
        created_at: Timestamp(row.get(6)?),
        created_by: UserId::from_bytes(row.get(7)?),
    })
}

/// Settings as the column keeps them: JSON with the wire's names, so that a new setting is a new field.
#[derive(Serialize, Deserialize)]
struct SettingsJson<'a> {
    send: &'a str,
    add: &'a str,
    edit: &'a str,
    history: &'a str,
}

fn parse_settings(text: &str) -> Option<Settings> {
    let json: SettingsJson<'_> = serde_json::from_str(text).ok()?;
    Some(Settings {
        send: Audience::parse(json.send)?,
        add: Audience::parse(json.add)?,
        edit: Audience::parse(json.edit)?,
        history: NewcomerHistory::parse(json.history)?,
    })
}

fn settings_text(settings: &Settings) -> rusqlite::Result<String> {
    let json = SettingsJson {
        send: settings.send.as_str(),
        add: settings.add.as_str(),
        edit: settings.edit.as_str(),
        history: settings.history.as_str(),
    };
    serde_json::to_string(&json).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

impl Rows<'_> {
    pub(crate) fn conversation(&self, id: ConversationId) -> rusqlite::Result<Option<Conversation>> {
        let sql = format!("SELECT {CONVERSATION} FROM conversation WHERE id = ?1");
        self.conn.prepare_cached(&sql)?.query_row([id.as_bytes()], conversation_of).optional()
    }

    /// A conversation that another row names.
    pub(crate) fn named_conversation(&self, id: ConversationId) -> rusqlite::Result<Conversation> {
        self.conversation(id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}

/// Reads what a sender needs to know: settings from a column.
pub(crate) fn settings_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Settings> {
    named(row, column, parse_settings)
}

#[async_trait]
impl ConversationStore for SqliteStore {
    async fn insert_conversation(&self, new: NewConversation) -> Result<CreatedConversation, Error> {
        self.writer.write(move |tx| create::insert_conversation(tx, &new)).await
    }

    async fn find_conversation(
        &self,
        viewer: UserId,
        id: ConversationId,
    ) -> Result<Option<ConversationView>, StoreError> {
        self.readers.read(move |reader| Ok(reader.conversation(id)?.rows().view(viewer, id)?)).await
    }

    async fn find_membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Membership>, StoreError> {
        self.readers
            .read(move |reader| {
                let snapshot = reader.conversation(conversation)?;
                let rows = snapshot.rows();
                let Some(head) = rows.head(StreamId::Conversation(conversation))? else { return Ok(None) };
                Ok(rows.intervals(conversation, user, head.last_pos)?.pop())
            })
            .await
    }

    async fn list_present(&self, conversation: ConversationId) -> Result<Vec<Present>, StoreError> {
        self.readers
            .read(move |reader| {
                Ok(view::list_present(reader.conversation(conversation)?.rows(), conversation)?)
            })
            .await
    }

    async fn list_conversations(
        &self,
        viewer: UserId,
        filter: ConversationFilter,
        after: Option<ConversationCursor>,
        limit: usize,
    ) -> Result<ConversationPage, StoreError> {
        self.readers
            .read(move |reader| {
                Ok(list::list_conversations(reader.user(viewer)?.rows(), viewer, &filter, after, limit)?)
            })
            .await
    }

    async fn list_participants(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        after: Option<ParticipantCursor>,
        limit: usize,
    ) -> Result<ParticipantPage, Error> {
        self.readers
            .read(move |reader| {
                let snapshot = reader.conversation(conversation)?;
                let page = view::list_participants(snapshot.rows(), viewer, conversation, after, limit)?;
                page.ok_or(Failure::Refused(Error::NotFound))
            })
            .await
    }

    async fn add_participants(&self, add: AddParticipants) -> Result<Vec<Participant>, Error> {
        self.writer.write(move |tx| add::add_participants(tx, &add)).await
    }

    async fn update_participant(&self, update: UpdateParticipant) -> Result<Participant, Error> {
        self.writer.write(move |tx| update::update_participant(tx, update)).await
    }

    async fn update_preferences(&self, update: UpdatePreferences) -> Result<Preferences, Error> {
        self.writer.write(move |tx| preferences::update_preferences(tx, update)).await
    }

    async fn remove_participant(&self, remove: RemoveParticipant) -> Result<(), Error> {
        self.writer.write(move |tx| remove::remove_participant(tx, &remove)).await
    }
}

/// The actor's present interval.
pub(crate) fn get_present(
    tx: &Tx<'_>,
    actor: &Actor,
    conversation: ConversationId,
) -> Result<Membership, Failure<Error>> {
    check_session(tx, actor)?;
    let latest = tx.rows().intervals(conversation, actor.user, PRESENT)?.pop();
    let me = latest.ok_or(Failure::Refused(Error::NotFound))?;
    if me.state == MembershipState::Active { Ok(me) } else { Err(Failure::Refused(Error::NotParticipant)) }
}

fn check_session(tx: &Tx<'_>, actor: &Actor) -> Result<(), Failure<Error>> {
    if tx.has_ended(actor.session) { Err(Failure::Refused(Error::SessionEnded)) } else { Ok(()) }
}

/// Which of the users do not exist in the actor's app, by the pointer of each in the request.
fn check_users(
    tx: &Tx<'_>,
    app: AppId,
    users: &[UserId],
    pointer: impl Fn(usize) -> String,
) -> Result<(), Failure<Error>> {
    let mut unknown = Vec::new();
    for (index, user) in users.iter().enumerate() {
        if tx.rows().user_of_app(app, *user)?.is_none() {
            unknown.push(FieldError::new(pointer(index), Code::UnknownUser, "no user has this id"));
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(Failure::Refused(Error::UnknownUsers(unknown))) }
}

/// A row that names what is not there.
fn missing(what: &str) -> Failure<Error> {
    Failure::from(unreadable(0, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_went() {
        let settings =
            Settings { send: Audience::Admins, history: NewcomerHistory::All, ..Settings::default() };
        let text = settings_text(&settings).unwrap();
        assert_eq!(text, r#"{"send":"admins","add":"admins","edit":"admins","history":"all"}"#);
        assert_eq!(parse_settings(&text), Some(settings));
        assert_eq!(parse_settings("{}"), None);
    }
}
