//! What can be wrong with a history. Each violation has one meaning and a name that says it.

use std::fmt;

/// A promise that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Violation {
    /// A send was answered with success, and the message does not stand.
    AcknowledgedLost,
    /// A message stands, but with another place, id, sender or text than was acknowledged or sent.
    OtherThanAcknowledged,
    /// Two answers of success to the same client message id name different messages.
    AnswersDiffer,
    /// Two messages were acknowledged at the same place of a conversation.
    PlaceAcknowledgedTwice,
    /// A message that was sent after another one had been acknowledged stands before it.
    OvertookAcknowledged,
    /// An acknowledged message stands more than once.
    StoredTwice,
    /// A message without an answer stands more than once.
    UnknownStoredTwice,
    /// A message was refused, and stands.
    RefusedStored,
    /// A message stands that nobody sent.
    NobodySent,
    /// A position of a stream was given twice.
    PositionTwice,
    /// A position of a stream was not given.
    PositionHole,
    /// A `seq` of a conversation was given twice.
    SequenceTwice,
    /// A `seq` of a conversation was not given.
    SequenceHole,
    /// Of two messages the one with the smaller `pos` has the greater `seq`.
    SequenceAgainstPosition,
    /// The stream has an event for a message that the history lacks.
    HistoryLacks,
    /// The history has a message for which the stream has no event.
    StreamLacks,
    /// A list of conversations gives another last position or `seq` than stands.
    HeadDiffers,
    /// What was compared in an earlier round reads otherwise at the end.
    HistoryChanged,
    /// No device at all was delivered a message that stands.
    NeverDelivered,
    /// A device that was connected all the while was not shown a message that others were.
    NotShown,
    /// A device that was away was not shown a message that it should have caught up with.
    NotCaughtUp,
    /// A device showed a message twice.
    ShownTwice,
    /// A device showed a message after a later one.
    ShownOutOfOrder,
    /// A device showed a message of a time in which its user was not in the conversation.
    ShownToStranger,
    /// A device showed a message that does not stand.
    ShownNotStored,
    /// A device showed another id, sender or text than stands at that place.
    ShownOtherwise,
    /// A read mark of a user went back.
    ReadMarkWentBack,
}

/// What kind of harm a violation does, for the line that every run prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Somebody lacks a message.
    Lost,
    /// Somebody has a message twice.
    Doubled,
    /// Somebody has messages in another order.
    Reordered,
    /// Anything else.
    Other,
}

impl Violation {
    /// The harm that it does.
    #[must_use]
    pub fn harm(self) -> Harm {
        match self {
            Self::AcknowledgedLost
            | Self::HistoryLacks
            | Self::NeverDelivered
            | Self::NotShown
            | Self::NotCaughtUp
            | Self::ShownNotStored => Harm::Lost,
            Self::StoredTwice | Self::UnknownStoredTwice | Self::ShownTwice => Harm::Doubled,
            Self::OvertookAcknowledged | Self::SequenceAgainstPosition | Self::ShownOutOfOrder => {
                Harm::Reordered
            }
            Self::OtherThanAcknowledged
            | Self::AnswersDiffer
            | Self::PlaceAcknowledgedTwice
            | Self::RefusedStored
            | Self::NobodySent
            | Self::PositionTwice
            | Self::PositionHole
            | Self::SequenceTwice
            | Self::SequenceHole
            | Self::StreamLacks
            | Self::HeadDiffers
            | Self::HistoryChanged
            | Self::ShownToStranger
            | Self::ShownOtherwise
            | Self::ReadMarkWentBack => Harm::Other,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One place at which a promise was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which promise.
    pub violation: Violation,
    /// Where, for people.
    pub what: String,
}
