//! The codes that a client can act on, one list for REST and sockets.
//!
//! Each noun has its own error enum; [`Refusal`] is what a transport needs of them. To add a code: a line in `codes!`,
//! and its HTTP status in the gateway's `problem.rs`.

use std::borrow::Cow;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $title:literal;)*) => {
        /// A stable name for one kind of refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// One line for people.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or not UTF-8.
    Malformed = "malformed", "The request cannot be read";
    /// A field or parameter that is not part of the request.
    UnknownField = "unknown_field", "The request has a field that is not part of it";
    /// A field that is needed is not there.
    MissingField = "missing_field", "A needed field is missing";
    /// A field has another JSON type than it should.
    WrongType = "wrong_type", "A field has the wrong type";
    /// One or more fields break a rule; `errors` names each.
    Invalid = "invalid", "A field breaks a rule";
    /// Longer than its limit.
    TooLong = "too_long", "Too long";
    /// Shorter than it must be.
    TooShort = "too_short", "Too short";
    /// Characters or a form that is not taken.
    BadFormat = "bad_format", "Not of the form that is taken";
    /// More items than its limit.
    TooMany = "too_many", "Too many";
    /// JSON nested deeper than its limit.
    TooDeep = "too_deep", "Nested too deep";
    /// Part of the published API, not served by this version.
    NotSupported = "not_supported", "Not supported by this version";
    /// No access token was sent.
    TokenMissing = "token_missing", "An access token is needed";
    /// Not one of this server's access tokens.
    TokenInvalid = "token_invalid", "The token is not valid";
    /// Refresh and try again.
    TokenExpired = "token_expired", "The token has expired";
    /// The session was ended; log in again.
    SessionEnded = "session_ended", "The session has ended";
    /// Unknown login or wrong password, never said which.
    BadCredentials = "bad_credentials", "Login or password is wrong";
    /// Not the present password, of one who is logged in and wants another.
    WrongPassword = "wrong_password", "The current password is wrong";
    /// A participant without the right to do this.
    Forbidden = "forbidden", "Your role does not allow this";
    /// One who was a participant and is no more.
    NotParticipant = "not_participant", "You are no longer a participant";
    /// Does not exist, or is not yours to know of.
    NotFound = "not_found", "Not found";
    /// There is no such socket event.
    UnknownEvent = "unknown_event", "There is no such event";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", "The method is not allowed here";
    /// The body did not arrive in time.
    Timeout = "timeout", "The request took too long to arrive";
    /// The whole body is over its limit.
    TooLarge = "too_large", "The request is too large";
    /// The body is not `application/json`.
    UnsupportedMediaType = "unsupported_media_type", "The content type is not supported";
    /// Somebody has this username.
    UsernameTaken = "username_taken", "The username is taken";
    /// Somebody has this e-mail address.
    EmailTaken = "email_taken", "The e-mail address is taken";
    /// A user named in the request does not exist.
    UnknownUser = "unknown_user", "A user does not exist";
    /// The same `clientMessageId` came with another body.
    ClientMessageIdReused = "client_message_id_reused", "The clientMessageId was used for another message";
    /// The same `Idempotency-Key` came with another body.
    IdempotencyKeyReused = "idempotency_key_reused", "The Idempotency-Key was used for another request";
    /// The message was edited since the version that was named.
    VersionStale = "version_stale", "Another version has come since";
    /// The message was deleted.
    MessageDeleted = "message_deleted", "The message was deleted";
    /// A conversation needs an owner.
    LastOwner = "last_owner", "A group keeps an owner";
    /// A direct or self conversation's people never change.
    FixedParticipants = "fixed_participants", "The participants of this conversation cannot change";
    /// Too often; nothing was done. `retryAfterMs` says when to try again.
    RateLimited = "rate_limited", "Too often";
    /// Too many at a time.
    TooManyConnections = "too_many_connections", "Too many connections";
    /// Try again in a moment; nothing was done.
    Overloaded = "overloaded", "The server is overloaded";
    /// It may or may not have been done: retry with the same id.
    OutcomeUnknown = "outcome_unknown", "The outcome is not known";
    /// No room on the disk; nothing was done.
    StorageFull = "storage_full", "The disk is full";
    /// The server's own fault; nothing was done.
    Internal = "internal", "The server failed";
}

/// One field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer into the request (RFC 6901).
    pub pointer: String,
    /// What is wrong.
    pub code: Code,
    /// What to do about it, for people.
    pub detail: String,
}

impl FieldError {
    /// A field error.
    pub fn new(pointer: impl Into<String>, code: Code, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// The code of a request whose fields these are: the first one's, so that a client that looks at nothing else is not
/// misled. Lengths and forms are rules of one field; the request as a whole is then one that breaks a rule.
#[must_use]
pub fn code_of(fields: &[FieldError]) -> Code {
    match fields.first().map(|field| field.code) {
        None | Some(Code::TooLong | Code::TooShort | Code::BadFormat | Code::TooMany) => Code::Invalid,
        Some(code) => code,
    }
}

/// What a transport needs to know of a service's error.
pub trait Refusal {
    /// The stable name.
    fn code(&self) -> Code;
    /// What to do about it, for people.
    fn detail(&self) -> Cow<'static, str>;
    /// The fields that are wrong, if it is about fields.
    fn fields(&self) -> &[FieldError] {
        &[]
    }
    /// After how long it is worth trying again, in milliseconds, where this refusal knows it better than its code.
    fn retry_after_ms(&self) -> Option<u64> {
        None
    }
}

/// What a store can fail with beside refusing. The whole list; nothing of SQL leaves a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The writer's queue is full, or too many reads are waiting. Nothing was done.
    #[error("the store takes no more requests at the moment")]
    Overloaded,
    /// The commit was asked for and no answer came. It may stand or not.
    #[error("the outcome of the write is not known")]
    OutcomeUnknown,
    /// No room on the disk. Nothing was done.
    #[error("the disk is full")]
    Full,
    /// The store failed otherwise; it has said so in the log. Nothing was done.
    #[error("the store failed")]
    Failed,
}

impl Refusal for StoreError {
    fn code(&self) -> Code {
        match self {
            Self::Overloaded => Code::Overloaded,
            Self::OutcomeUnknown => Code::OutcomeUnknown,
            Self::Full => Code::StorageFull,
            Self::Failed => Code::Internal,
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::Overloaded => "Nothing was done. Try again in a moment.",
            Self::OutcomeUnknown => {
                "It may have been done. Send it again with the same clientMessageId or Idempotency-Key."
            }
            Self::Full => "Nothing was done. The operator has to make room on the server's disk.",
            Self::Failed => "Nothing was done. The server's log has the reason under this requestId.",
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_a_name_of_its_own() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
