//! Messages.

use tidings_core::error::{Code, FieldError};
use tidings_core::ids::{ConversationId, MessageId};
use tidings_core::messages::{EditMessage, HistoryPage, Message, MessageVersion, SendMessage};
use tidings_protocol::messages as wire;

use super::{moment, reactions};
use crate::decode::DecodeError;

/// A message as one reader sees it.
pub fn message(message: &Message) -> wire::Message {
    wire::Message { reactions: reactions::list(&message.reactions), ..without_reactions(message) }
}

/// A message as it stands in events, the same for everybody.
pub fn shared(message: &Message) -> wire::Message {
    wire::Message { reactions: reactions::shared(&message.reactions), ..without_reactions(message) }
}

fn without_reactions(message: &Message) -> wire::Message {
    wire::Message {
        id: message.id.to_string(),
        conversation_id: message.id.conversation.to_string(),
        seq: message.id.seq.0,
        sender_id: message.sender.to_string(),
        r#type: message.kind.as_str().to_owned(),
        content: message.content.clone(),
        // It was written from a parsed object, so that it reads again.
        metadata: message.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        client_message_id: message.client_id.to_string(),
        reply_to: None,
        thread_root_id: None,
        mentions: Vec::new(),
        attachments: Vec::new(),
        reactions: Vec::new(),
        version: message.version,
        created_at: message.created_at.rfc3339(),
        edited_at: moment(message.edited_at),
        deleted_at: moment(message.deletion.map(|deletion| deletion.at)),
        deleted_by: message.deletion.map(|deletion| deletion.by.to_string()),
    }
}

/// What a message has said.
pub fn version_list(versions: &[MessageVersion]) -> wire::MessageVersionList {
    let version = |version: &MessageVersion| wire::MessageVersion {
        version: version.version,
        content: version.content.clone(),
        at: version.written_at.rfc3339(),
    };
    wire::MessageVersionList { edits: versions.iter().map(version).collect() }
}

/// Another text for a message, from REST or a socket.
pub fn edit_message(message: MessageId, request: wire::EditMessageRequest) -> EditMessage {
    EditMessage { message, content: request.content, version: request.version }
}

/// A page of history.
pub fn history_page(page: &HistoryPage) -> wire::HistoryPage {
    wire::HistoryPage {
        messages: page.messages.iter().map(message).collect(),
        pos: page.pos.0,
        has_more_before: page.has_more_before,
        has_more_after: page.has_more_after,
    }
}

/// A message to be sent, from REST or a socket.
///
/// # Errors
/// [`Code::NotSupported`] for fields that are not served yet, [`Code::Invalid`] for a `clientMessageId` that is none.
pub fn send_message(
    conversation: ConversationId,
    request: wire::SendMessageRequest,
) -> Result<SendMessage, DecodeError> {
    let not_served = [
        ("/replyTo", request.reply_to),
        ("/threadRootId", request.thread_root_id),
        ("/attachmentIds", request.attachment_ids),
    ];
    let mut errors: Vec<FieldError> = not_served
        .iter()
        .filter(|(_, given)| given.is_some())
        .map(|(pointer, _)| FieldError::new(*pointer, Code::NotSupported, "not served by this version"))
        .collect();
    let client_message_id = request.client_message_id.and_then(|text| {
        let id = text.parse().ok();
        if id.is_none() {
            let detail = "a UUID with hyphens, in lower case";
            errors.push(FieldError::new("/clientMessageId", Code::BadFormat, detail));
        }
        id
    });
    if !errors.is_empty() {
        return Err(DecodeError::of_fields(errors));
    }
    Ok(SendMessage {
        conversation,
        client_message_id,
        kind: request.r#type,
        content: request.content,
        metadata: request.metadata,
    })
}
