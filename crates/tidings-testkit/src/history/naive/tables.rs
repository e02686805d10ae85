//! The naive design's counters and its database.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::history::{Event, EventBody, Id, Listed, Message, Place};

#[derive(Default)]
pub(super) struct Tables {
    conversations: BTreeMap<Id, Conversation>,
}

#[derive(Default)]
struct Conversation {
    /// The counters in Redis.
    last_pos: u64,
    last_seq: u64,
    rows: BTreeMap<u64, EventBody>,
    by_client_id: HashMap<Uuid, Place>,
    /// Positions at which somebody was in, both inclusive.
    people: BTreeMap<Id, Vec<(u64, Option<u64>)>>,
}

impl Conversation {
    fn sees(&self, user: &Id, pos: u64) -> bool {
        let intervals = self.people.get(user).map(Vec::as_slice).unwrap_or_default();
        intervals.iter().any(|(from, to)| *from <= pos && to.is_none_or(|to| pos <= to))
    }

    /// As the database says it, whatever the counters do.
    fn last_written(&self) -> (u64, u64) {
        let seq = |body: &EventBody| match body {
            EventBody::Message(message) => Some(message.seq),
            _ => None,
        };
        let pos = self.rows.last_key_value().map_or(0, |(pos, _)| *pos);
        (pos, self.rows.values().rev().find_map(seq).unwrap_or(0))
    }

    fn is_in(&self, user: &Id) -> bool {
        self.people.get(user).and_then(|intervals| intervals.last()).is_some_and(|(_, to)| to.is_none())
    }
}

impl Tables {
    pub fn create(&mut self, people: &[Id]) -> Id {
        let id = Id::from(format!("conversation-{}", self.conversations.len()));
        let people = people.iter().map(|user| (Id::clone(user), vec![(1, None)])).collect();
        self.conversations.insert(Id::clone(&id), Conversation { people, ..Conversation::default() });
        id
    }

    pub fn roll_back(&mut self, conversation: &Id) {
        let conversation = self.at(conversation);
        if conversation.last_seq > 0 {
            conversation.last_pos -= 1;
            conversation.last_seq -= 1;
        }
    }

    pub fn draw_message(&mut self, conversation: &Id) -> (u64, u64) {
        let conversation = self.at(conversation);
        conversation.last_pos += 1;
        conversation.last_seq += 1;
        (conversation.last_pos, conversation.last_seq)
    }

    pub fn draw_event(&mut self, conversation: &Id) -> u64 {
        let conversation = self.at(conversation);
        conversation.last_pos += 1;
        conversation.last_pos
    }

    /// On conflict it does nothing, as the naive statement says.
    pub fn insert(&mut self, conversation: &Id, pos: u64, body: EventBody) {
        let conversation = self.at(conversation);
        if conversation.rows.contains_key(&pos) {
            return;
        }
        if let EventBody::Message(message) = &body {
            let place = Place { message_id: message.id.clone(), seq: message.seq, pos: Some(pos) };
            conversation.by_client_id.entry(message.client_id).or_insert(place);
        }
        conversation.rows.insert(pos, body);
    }

    pub fn find(&self, conversation: &Id, client_id: Uuid) -> Option<Place> {
        self.conversations.get(conversation)?.by_client_id.get(&client_id).cloned()
    }

    pub fn is_in(&self, conversation: &Id, user: &Id) -> bool {
        self.conversations.get(conversation).is_some_and(|conversation| conversation.is_in(user))
    }

    pub fn people(&self, conversation: &Id) -> Vec<Id> {
        let Some(conversation) = self.conversations.get(conversation) else { return Vec::new() };
        conversation.people.keys().filter(|user| conversation.is_in(user)).cloned().collect()
    }

    /// False when they are in already.
    pub fn join(&mut self, conversation: &Id, user: &Id) -> bool {
        let conversation = self.at(conversation);
        if conversation.is_in(user) {
            return false;
        }
        let from = conversation.last_pos + 1;
        conversation.people.entry(Id::clone(user)).or_default().push((from, None));
        true
    }

    /// False when they are not in.
    pub fn leave(&mut self, conversation: &Id, user: &Id) -> bool {
        let conversation = self.at(conversation);
        let to = conversation.last_pos + 1;
        let last = conversation.people.get_mut(user).and_then(|intervals| intervals.last_mut());
        match last {
            Some((_, end @ None)) => {
                *end = Some(to);
                true
            }
            _ => false,
        }
    }

    pub fn list(&self, user: &Id) -> Vec<Listed> {
        let listed = |(id, conversation): (&Id, &Conversation)| {
            let (pos, last_seq) = conversation.last_written();
            conversation.is_in(user).then(|| Listed {
                conversation: Id::clone(id),
                pos,
                last_seq,
                read_seq: 0,
            })
        };
        self.conversations.iter().filter_map(listed).collect()
    }

    pub fn history(&self, user: &Id, conversation: &Id, after_seq: u64) -> Vec<Message> {
        let events = self.stream(user, conversation, 0).into_iter();
        let messages = events.filter_map(|event| match event.body {
            EventBody::Message(message) => Some(message),
            _ => None,
        });
        messages.filter(|message| message.seq > after_seq).collect()
    }

    pub fn stream(&self, user: &Id, id: &Id, after_pos: u64) -> Vec<Event> {
        let Some(conversation) = self.conversations.get(id) else { return Vec::new() };
        let seen = conversation.rows.range(after_pos + 1..).filter(|(pos, _)| conversation.sees(user, **pos));
        seen.map(|(pos, body)| Event {
            conversation: Id::clone(id),
            pos: *pos,
            span: 1,
            next: None,
            body: body.clone(),
        })
        .collect()
    }

    fn at(&mut self, conversation: &Id) -> &mut Conversation {
        self.conversations.entry(Id::clone(conversation)).or_default()
    }
}
