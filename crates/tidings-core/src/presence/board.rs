//! What is known of who is here, as far as somebody looks.

use std::collections::{HashMap, HashSet, VecDeque};

use parking_lot::RwLock;

use crate::accounts::UserSettings;
use crate::clock::Timestamp;
use crate::ids::{ConversationId, UserId};
use crate::limits::{PRESENCE_COUNTED_MS, PRESENCE_GRACE_MS, PRESENCE_NAMED_MAX, PRESENCE_TOLD_MAX};
use crate::ports::screens::Screens;
use crate::signals::Signal;

use super::{Presence, Present, Status};

/// Who would rather not be seen. Everybody's choice is known to every node.
#[derive(Debug, Default)]
pub(crate) struct Hidden(RwLock<HashMap<UserId, UserSettings>>);

#[derive(Debug, Default)]
pub(crate) struct Board {
    /// Conversations that are open on some screen.
    watched: HashMap<ConversationId, Watched>,
    /// The people of those that are small.
    people: HashMap<UserId, Person>,
    /// Of whom something may be news.
    touched: HashSet<UserId>,
    /// Who went a moment ago and may come back.
    gone: HashMap<UserId, Gone>,
    /// When the moment is over, first to last. Who has gone twice stands here twice.
    due: VecDeque<(Timestamp, UserId)>,
    /// Those that are large, by turns.
    large: VecDeque<ConversationId>,
}

#[derive(Debug)]
struct Watched {
    /// By so many connections.
    screens: usize,
    people: People,
}

#[derive(Debug)]
enum People {
    /// The store is being asked; who has come and gone meanwhile, in order.
    Asked(Vec<(UserId, Option<Present>)>),
    /// Each is named.
    Few(Vec<UserId>),
    /// They are counted.
    Many(Counted),
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    /// So many were here
    online: usize,
    /// then, or when the last who looked has gone.
    at: Timestamp,
}

#[derive(Debug)]
struct Person {
    /// The watched ones that they are in.
    conversations: Vec<ConversationId>,
    last_seen_at: Option<Timestamp>,
    shown: Presence,
}

#[derive(Debug, Clone, Copy)]
struct Gone {
    at: Timestamp,
    was: Status,
}

/// Who is in, as the store says.
#[derive(Debug)]
pub(crate) enum Loaded {
    /// Each of them.
    Few(Vec<Present>),
    /// So many are here.
    Many(usize),
}

/// What somebody sees who begins to look.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub presence: Vec<Presence>,
    pub online: usize,
}

/// What is to be told.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub signals: Vec<(Signal, Vec<ConversationId>)>,
    /// Who has gone for good, and when.
    pub gone: Vec<(UserId, Timestamp)>,
}

impl Hidden {
    pub fn new(hidden: Vec<(UserId, UserSettings)>) -> Self {
        Self(RwLock::new(hidden.into_iter().collect()))
    }

    pub fn set(&self, user: UserId, settings: UserSettings) {
        if settings.typing && settings.presence {
            self.0.write().remove(&user);
        } else {
            self.0.write().insert(user, settings);
        }
    }

    pub fn typing(&self, user: UserId) -> bool {
        self.0.read().get(&user).is_some_and(|settings| !settings.typing)
    }

    fn presence(&self, user: UserId) -> bool {
        self.0.read().get(&user).is_some_and(|settings| !settings.presence)
    }
}

impl Board {
    /// Conversations at which somebody looks.
    pub fn watched(&self) -> usize {
        self.watched.values().filter(|watched| watched.screens > 0).count()
    }

    /// One more connection looks. False where the store has to be asked who is in: then [`Self::load`] follows.
    pub fn begin(&mut self, conversation: ConversationId) -> bool {
        let asked = || Watched { screens: 0, people: People::Asked(Vec::new()) };
        let watched = self.watched.entry(conversation).or_insert_with(asked);
        watched.screens += 1;
        self.knows(conversation)
    }

    /// Whether the store need not be asked, or not any more.
    pub fn knows(&self, conversation: ConversationId) -> bool {
        let watched = self.watched.get(&conversation);
        watched.is_some_and(|watched| !matches!(watched.people, People::Asked(_)))
    }

    /// A connection does not look any more. How many are here of many is remembered for a while.
    pub fn close(&mut self, conversation: ConversationId, now: Timestamp) {
        let Some(watched) = self.watched.get_mut(&conversation) else { return };
        watched.screens = watched.screens.saturating_sub(1);
        match &mut watched.people {
            _ if watched.screens > 0 => {}
            People::Many(counted) => counted.at = now,
            People::Asked(_) | People::Few(_) => {
                if let Some(Watched { people: People::Few(users), .. }) = self.watched.remove(&conversation) {
                    users.into_iter().for_each(|user| self.forget(conversation, user));
                }
            }
        }
    }

    /// Takes in who is in, if nobody else has asked meanwhile.
    pub fn load(&mut self, eyes: &Eyes<'_>, conversation: ConversationId, loaded: Loaded) {
        let Some(Watched { people: People::Asked(changes), .. }) = self.watched.get_mut(&conversation) else {
            return;
        };
        let changes = std::mem::take(changes);
        let people = match loaded {
            Loaded::Many(online) => {
                self.large.push_back(conversation);
                People::Many(Counted { online, at: eyes.now })
            }
            Loaded::Few(mut present) => {
                for (user, change) in changes {
                    present.retain(|one| one.user != user);
                    present.extend(change);
                }
                present.iter().for_each(|one| self.know(eyes, conversation, *one));
                People::Few(present.into_iter().map(|one| one.user).collect())
            }
        };
        if let Some(watched) = self.watched.get_mut(&conversation) {
            watched.people = people;
        }
    }

    /// How it is now, as all others who look have been told: what is pending comes as a signal.
    pub fn seen(&self, conversation: ConversationId) -> Seen {
        match self.watched.get(&conversation).map(|watched| &watched.people) {
            Some(People::Few(users)) => {
                let known = users.iter().filter_map(|user| self.people.get(user));
                let presence: Vec<_> = known.map(|person| person.shown).collect();
                let online = presence.iter().filter(|one| one.status != Status::Offline).count();
                Seen { presence, online }
            }
            Some(People::Many(counted)) => Seen { presence: Vec::new(), online: counted.online },
            Some(People::Asked(_)) | None => Seen::default(),
        }
    }

    pub fn joined(&mut self, eyes: &Eyes<'_>, conversation: ConversationId, present: Present) {
        let user = present.user;
        match self.watched.get_mut(&conversation).map(|watched| &mut watched.people) {
            Some(People::Asked(changes)) => changes.push((user, Some(present))),
            Some(People::Few(users)) if !users.contains(&user) => {
                users.push(user);
                let is_large = users.len() > PRESENCE_NAMED_MAX;
                self.know(eyes, conversation, present);
                if is_large {
                    self.stop_naming(eyes, conversation);
                }
            }
            _ => {}
        }
    }

    pub fn left(&mut self, conversation: ConversationId, user: UserId) {
        match self.watched.get_mut(&conversation).map(|watched| &mut watched.people) {
            Some(People::Asked(changes)) => changes.push((user, None)),
            Some(People::Few(users)) => {
                users.retain(|other| *other != user);
                self.forget(conversation, user);
            }
            _ => {}
        }
    }

    /// A connection of theirs is here.
    pub fn arrived(&mut self, user: UserId) {
        self.gone.remove(&user);
        self.touch(user);
    }

    /// The last of their connections has gone.
    pub fn departed(&mut self, user: UserId, was: Status, now: Timestamp) {
        self.gone.insert(user, Gone { at: now, was });
        self.due.push_back((now, user));
    }

    /// Something of them may have changed.
    pub fn touch(&mut self, user: UserId) {
        if self.people.contains_key(&user) {
            self.touched.insert(user);
        }
    }

    /// What has changed for those who look, since it was asked the last time.
    pub fn take_news(&mut self, eyes: &Eyes<'_>) -> News {
        let mut news = News::default();
        while let Some((at, user)) = self.due.front().copied().filter(|(at, _)| !is_grace(*at, eyes.now)) {
            self.due.pop_front();
            if self.gone.get(&user).is_some_and(|gone| gone.at == at) {
                self.gone.remove(&user);
                if eyes.screens.status(user) == Status::Offline {
                    news.gone.push((user, at));
                    if let Some(person) = self.people.get_mut(&user) {
                        person.last_seen_at = Some(at);
                        self.touched.insert(user);
                    }
                }
            }
        }
        let touched: Vec<UserId> = self.touched.iter().take(PRESENCE_TOLD_MAX).copied().collect();
        for user in touched {
            self.touched.remove(&user);
            let Some(person) = self.people.get(&user) else { continue };
            let present = self.presence(eyes, user, person.last_seen_at);
            if present != person.shown {
                news.signals.push((Signal::PresenceChanged(present), person.conversations.clone()));
            }
            if let Some(person) = self.people.get_mut(&user) {
                person.shown = present;
            }
        }
        news
    }

    /// A large conversation that has not been counted for a while, each in its turn. One at which nobody has looked
    /// since is forgotten.
    pub fn next_large(&mut self, now: Timestamp) -> Option<ConversationId> {
        for _ in 0..self.large.len() {
            let conversation = self.large.pop_front()?;
            let Some(watched) = self.watched.get_mut(&conversation) else { continue };
            let People::Many(counted) = &mut watched.people else { continue };
            let is_fresh = (0..PRESENCE_COUNTED_MS).contains(&(now.0 - counted.at.0));
            if !is_fresh && watched.screens == 0 {
                self.watched.remove(&conversation);
                continue;
            }
            self.large.push_back(conversation);
            if !is_fresh {
                counted.at = now;
                return Some(conversation);
            }
        }
        None
    }

    /// So many of its people are here now. Whether that is news.
    pub fn counted(&mut self, conversation: ConversationId, now_online: usize) -> bool {
        match self.watched.get_mut(&conversation).map(|watched| &mut watched.people) {
            Some(People::Many(counted)) => std::mem::replace(&mut counted.online, now_online) != now_online,
            _ => false,
        }
    }

    /// Everybody who went and has not come back.
    pub fn take_gone(&mut self) -> Vec<(UserId, Timestamp)> {
        self.due.clear();
        std::mem::take(&mut self.gone).into_iter().map(|(user, gone)| (user, gone.at)).collect()
    }

    fn know(&mut self, eyes: &Eyes<'_>, conversation: ConversationId, present: Present) {
        let Present { user, last_seen_at } = present;
        let shown = self.presence(eyes, user, last_seen_at);
        let new = || Person { conversations: Vec::new(), last_seen_at, shown };
        self.people.entry(user).or_insert_with(new).conversations.push(conversation);
    }

    fn forget(&mut self, conversation: ConversationId, user: UserId) {
        if let Some(person) = self.people.get_mut(&user) {
            person.conversations.retain(|other| *other != conversation);
            if person.conversations.is_empty() {
                self.people.remove(&user);
                self.touched.remove(&user);
            }
        }
    }

    /// Too many for that; until nobody looks any more.
    fn stop_naming(&mut self, eyes: &Eyes<'_>, conversation: ConversationId) {
        let Some(watched) = self.watched.get_mut(&conversation) else { return };
        let People::Few(users) = &watched.people else { return };
        let people: Vec<_> = users.iter().map(|user| Present { user: *user, last_seen_at: None }).collect();
        watched.people = People::Many(Counted { online: eyes.count(&people), at: eyes.now });
        people.iter().for_each(|one| self.forget(conversation, one.user));
        self.large.push_back(conversation);
    }

    /// What is shown of somebody whom the store has seen last at a moment.
    fn presence(&self, eyes: &Eyes<'_>, user: UserId, last_seen_at: Option<Timestamp>) -> Presence {
        if eyes.hidden.presence(user) {
            return Presence { user, status: Status::Offline, last_seen_at: None };
        }
        let status = match (eyes.screens.status(user), self.gone.get(&user)) {
            (Status::Offline, Some(gone)) if is_grace(gone.at, eyes.now) => gone.was,
            (status, _) => status,
        };
        Presence { user, status, last_seen_at: last_seen_at.filter(|_| status == Status::Offline) }
    }
}

/// How it is now, and who is not to be looked at.
pub(crate) struct Eyes<'a> {
    pub screens: &'a dyn Screens,
    pub hidden: &'a Hidden,
    pub now: Timestamp,
}

impl Eyes<'_> {
    /// How many of them are here, as far as they show it. Who went a moment ago is not: it is a number.
    pub fn count(&self, people: &[Present]) -> usize {
        let is_here = |one: &&Present| {
            self.screens.status(one.user) != Status::Offline && !self.hidden.presence(one.user)
        };
        people.iter().filter(is_here).count()
    }
}

/// Whether who went then may still come back unnoticed. Where the clock went back it is over.
fn is_grace(at: Timestamp, now: Timestamp) -> bool {
    (0..PRESENCE_GRACE_MS).contains(&(now.0 - at.0))
}

#[cfg(test)]
mod tests;
