//! Conversations and their participants.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::accounts::User;
use crate::messages::Message;

/// A conversation as everybody in it sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SharedConversation {
    /// The conversation.
    pub id: String,
    /// `direct`, `group` or `self`.
    pub kind: String,
    /// Groups have one.
    #[schema(required)]
    pub title: Option<String>,
    /// Where a picture is.
    #[schema(required)]
    pub avatar_url: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The user who made it.
    pub created_by: String,
    /// Who may do what.
    pub settings: ConversationSettings,
    /// How many are in it.
    pub participant_count: u64,
    /// All in direct and self, the first 20 in groups.
    pub participants: Vec<Participant>,
    /// The last message, 0 before the first.
    pub last_seq: u64,
}

/// A conversation as one of its people sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// What everybody sees.
    #[serde(flatten)]
    pub shared: SharedConversation,
    /// The stream's position when this was read: what came later comes live.
    pub pos: u64,
    /// The last message that the viewer may read.
    #[schema(required)]
    pub last_message: Option<Message>,
    /// Messages that the viewer has not read.
    pub unread: u64,
    /// Of these, those that name the viewer.
    pub mentions: u64,
    /// The viewer's own part in it.
    pub me: MyParticipation,
}

/// Who may do what in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationSettings {
    /// Who may send: `members` or `admins`.
    pub send: String,
    /// Who may add people: `members` or `admins`.
    pub add: String,
    /// Who may change title and settings: `members` or `admins`.
    pub edit: String,
    /// From where newcomers may read: `joining` or `all`.
    pub history: String,
}

/// The viewer's own part in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MyParticipation {
    /// `member`, `left` or `removed`.
    pub state: String,
    /// `owner`, `admin` or `member`.
    pub role: String,
    /// Read up to here, on any of the viewer's devices.
    pub read_seq: u64,
    /// Arrived up to here.
    pub delivered_seq: u64,
    /// The first message that the viewer may read.
    pub history_from_seq: u64,
    /// What the viewer has chosen.
    #[serde(flatten)]
    pub preferences: Preferences,
}

/// What somebody has chosen for a conversation, for themselves alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preferences {
    /// Quiet until then.
    #[schema(required, format = DateTime)]
    pub muted_until: Option<String>,
    /// Kept at the top.
    pub pinned: bool,
    /// Out of the way.
    pub archived: bool,
    /// What notifies: `all`, `mentions` or `none`.
    pub notify: String,
}

/// `PUT /api/conversations/:id/preferences`: what is there changes, the rest stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreferencesRequest {
    /// Quiet until then; null for not at all.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub muted_until: Option<Option<String>>,
    /// Kept at the top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// Out of the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// `all`, `mentions` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
}

/// A field that is there, null or not.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Somebody in a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// Who.
    pub user_id: String,
    /// As others see them.
    pub user: User,
    /// `owner`, `admin` or `member`.
    pub role: String,
    /// When they came in.
    #[schema(format = DateTime)]
    pub joined_at: String,
    /// Read up to here, as far as they let others see.
    pub read_seq: u64,
    /// Arrived up to here.
    pub delivered_seq: u64,
}

/// `GET /api/conversations`, latest message first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationList {
    /// One page.
    pub conversations: Vec<Conversation>,
    /// For `cursor`, if there is another page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// `GET /api/conversations/:id/participants`, first who joined first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantList {
    /// One page.
    pub participants: Vec<Participant>,
    /// For `cursor`, if there is another page.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// The answer to `POST /api/conversations/:id/participants`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddedParticipants {
    /// All of the request, as they stand now.
    pub participants: Vec<Participant>,
}

/// `PATCH /api/conversations/:id/participants/:userId`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateParticipantRequest {
    /// `owner`, `admin` or `member`.
    pub role: String,
}

/// `POST /api/conversations/:id/participants`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddParticipantsRequest {
    /// Whom to add.
    pub user_ids: Vec<String>,
}

/// `POST /api/conversations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum CreateConversationRequest {
    /// With one other person; found again when it stands.
    #[serde(rename_all = "camelCase")]
    Direct {
        /// The other.
        user_id: String,
    },
    /// With any number of people beside the creator.
    #[serde(rename_all = "camelCase")]
    Group {
        /// What it is called.
        title: String,
        /// The others; the creator need not be named.
        user_ids: Vec<String>,
    },
    /// Notes to oneself; found again when it stands.
    #[serde(rename = "self")]
    SelfNotes {},
}

/// The fields of every kind. Serde reads a tagged enum through a buffer, in which the path of a mistake gets lost.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AnyKind {
    kind: KindName,
    user_id: Option<String>,
    title: Option<String>,
    user_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum KindName {
    Direct,
    Group,
    #[serde(rename = "self")]
    SelfNotes,
}

impl<'de> Deserialize<'de> for CreateConversationRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let AnyKind { kind, user_id, title, user_ids } = AnyKind::deserialize(deserializer)?;
        let fields: &'static [&'static str] = match kind {
            KindName::Direct => &["kind", "userId"],
            KindName::Group => &["kind", "title", "userIds"],
            KindName::SelfNotes => &["kind"],
        };
        let given =
            [("userId", user_id.is_some()), ("title", title.is_some()), ("userIds", user_ids.is_some())];
        if let Some((name, _)) = given.iter().find(|(name, given)| *given && !fields.contains(name)) {
            return Err(D::Error::unknown_field(name, fields));
        }
        let missing = D::Error::missing_field;
        Ok(match kind {
            KindName::Direct => Self::Direct { user_id: user_id.ok_or_else(|| missing("userId"))? },
            KindName::Group => Self::Group {
                title: title.ok_or_else(|| missing("title"))?,
                user_ids: user_ids.ok_or_else(|| missing("userIds"))?,
            },
            KindName::SelfNotes => Self::SelfNotes {},
        })
    }
}
