//! What requests take and refuse.

use serde::de::DeserializeOwned;
use tidings_protocol::conversations::CreateConversationRequest;
use tidings_protocol::messages::SendMessageRequest;
use tidings_protocol::not_served::NotServed;
use tidings_protocol::secret::Secret;

fn refusal<T: DeserializeOwned>(json: &str) -> String {
    serde_json::from_str::<T>(json).err().expect("it is refused").to_string()
}

#[test]
fn a_conversation_takes_the_fields_of_its_kind_in_any_order() {
    let direct: CreateConversationRequest =
        serde_json::from_str(r#"{"userId":"b","kind":"direct"}"#).unwrap();
    assert_eq!(direct, CreateConversationRequest::Direct { user_id: "b".into() });
    let refusal = refusal::<CreateConversationRequest>;
    assert!(refusal(r#"{"kind":"self","userId":"b"}"#).starts_with("unknown field `userId`"));
    assert!(refusal(r#"{"kind":"group","title":"Tea"}"#).starts_with("missing field `userIds`"));
    assert!(refusal(r#"{"kind":"channel"}"#).starts_with("unknown variant `channel`"));
    assert!(refusal(r#"{"kind":"self","colour":1}"#).starts_with("unknown field `colour`"));
}

#[test]
fn what_is_not_served_is_remembered_and_what_is_unknown_is_refused() {
    let request: SendMessageRequest =
        serde_json::from_str(r#"{"content":"hi","replyTo":"m","attachmentIds":[1],"threadRootId":null}"#)
            .unwrap();
    assert_eq!(request.reply_to, Some(NotServed));
    assert_eq!(request.attachment_ids, Some(NotServed));
    assert_eq!(request.thread_root_id, None);
    assert!(
        refusal::<SendMessageRequest>(r#"{"content":"hi","mine":true}"#).starts_with("unknown field `mine`")
    );
}

#[test]
fn a_secret_does_not_print() {
    assert_eq!(format!("{:?}", Secret::from("hunter22")), "Secret(…)");
}
