//! Who may not read the messages to which something has just happened: the store is asked once, and not again with each
//! of a storm's events, until somebody comes in.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ids::{MessageId, Pos, UserId};
use crate::limits::ROSTER_BARRED_MAX;

/// Answers for the newest messages that were asked about.
#[derive(Debug, Default)]
pub(super) struct Barred {
    /// Nobody has come in after this.
    as_of: Pos,
    answers: VecDeque<(MessageId, Arc<[UserId]>)>,
}

impl Barred {
    /// What is known of the message, while nobody came in after what is known.
    pub fn find(&self, message: MessageId, newest: Pos) -> Option<Arc<[UserId]>> {
        let known = self.answers.iter().find(|(known, _)| *known == message)?;
        (self.as_of == newest).then(|| Arc::clone(&known.1))
    }

    /// Remembers an answer that was given when nobody had come in after `newest`.
    pub fn put(&mut self, message: MessageId, newest: Pos, users: Arc<[UserId]>) {
        if self.as_of != newest {
            self.answers.clear();
            self.as_of = newest;
        }
        if self.answers.len() == ROSTER_BARRED_MAX {
            self.answers.pop_front();
        }
        self.answers.push_back((message, users));
    }

    pub fn bytes(&self) -> usize {
        self.answers.iter().map(|(_, users)| size_of_val(&**users)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ConversationId, Seq};
    use uuid::Uuid;

    fn message(seq: usize) -> MessageId {
        MessageId { conversation: ConversationId(Uuid::nil()), seq: Seq(seq as u64) }
    }

    #[test]
    fn an_answer_holds_until_somebody_comes_in() {
        let mut barred = Barred::default();
        let nobody: Arc<[UserId]> = Arc::new([]);
        assert_eq!(barred.find(message(1), Pos(4)), None);
        barred.put(message(1), Pos(4), Arc::clone(&nobody));
        barred.put(message(2), Pos(4), Arc::new([UserId(Uuid::nil())]));
        assert_eq!(barred.find(message(1), Pos(4)), Some(nobody));
        assert_eq!(barred.bytes(), 16);
        assert_eq!(barred.find(message(1), Pos(5)), None, "who came with 5 may be barred too");
        barred.put(message(2), Pos(5), Arc::new([]));
        assert_eq!(barred.find(message(1), Pos(5)), None);
        assert_eq!(barred.find(message(2), Pos(5)).map(|users| users.len()), Some(0));
    }

    #[test]
    fn the_oldest_answers_go() {
        let mut barred = Barred::default();
        for seq in 0..=ROSTER_BARRED_MAX {
            barred.put(message(seq), Pos(1), Arc::new([]));
        }
        let known = (0..=ROSTER_BARRED_MAX).filter(|seq| barred.find(message(*seq), Pos(1)).is_some());
        assert_eq!(known.collect::<Vec<_>>(), (1..=ROSTER_BARRED_MAX).collect::<Vec<_>>());
    }
}
