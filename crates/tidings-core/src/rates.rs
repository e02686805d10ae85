//! Rate limits: how often a person may do something, whatever device, connection or transport they do it by, and how
//! often strangers of one address may register. Logins have a guard of their own, with the accounts.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::error::{Code, Refusal};
use crate::ids::{SessionId, UserId};
use crate::limits::Limits;
use crate::ports::rate_limit::Taken;
use crate::services::Services;
use crate::sessions::Actor;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Sending messages.
    Messages,
    /// Editing them.
    Edits,
    /// Deleting them.
    Deletes,
    /// Putting emoji on them and taking them away.
    Reactions,
    /// Making conversations.
    Conversations,
    /// Typing, presence, and what is on the screen.
    Signals,
    /// Looking for people and conversations.
    Searches,
    /// Logging in, with the right password.
    Logins,
    /// Making accounts.
    Registrations,
    /// Looking after one's sessions, each session by itself: somebody who has found a token keeps nobody from ending
    /// it.
    Sessions,
    /// Everything else.
    General,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// So many
    pub quota: usize,
    /// within so many milliseconds.
    pub window_ms: i64,
}

/// Who does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateKey {
    /// Somebody who is logged in.
    User(Action, UserId),
    /// One of their devices.
    Session(Action, SessionId),
    /// Somebody who is not: from an address, or an IPv6 network of 64 bits.
    Address(Action, IpAddr),
}

/// How it stands with a limit after something was counted, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Of what.
    pub action: Action,
    /// By which rule.
    pub policy: Policy,
    /// How many more may be done at once.
    pub remaining: usize,
    /// When there will be more, in milliseconds from now.
    pub more_in_ms: u64,
}

/// Too often. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too often")]
pub struct Limited(pub Standing);

impl Action {
    /// The name in headers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Edits => "edits",
            Self::Deletes => "deletes",
            Self::Reactions => "reactions",
            Self::Conversations => "conversations",
            Self::Signals => "signals",
            Self::Searches => "searches",
            Self::Logins => "logins",
            Self::Registrations => "registrations",
            Self::Sessions => "sessions",
            Self::General => "general",
        }
    }

    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Messages,
        Self::Edits,
        Self::Deletes,
        Self::Reactions,
        Self::Conversations,
        Self::Signals,
        Self::Searches,
        Self::Logins,
        Self::Registrations,
        Self::Sessions,
        Self::General,
    ];

    fn policy(self, limits: &Limits) -> Policy {
        const MINUTE_MS: i64 = 60_000;
        let (quota, window_ms) = match self {
            Self::Messages => (limits.messages_per_minute, MINUTE_MS),
            Self::Edits => (limits.edits_per_minute, MINUTE_MS),
            Self::Deletes => (limits.deletes_per_minute, MINUTE_MS),
            Self::Reactions => (limits.reactions_per_minute, MINUTE_MS),
            Self::Conversations => (limits.conversations_per_hour, 60 * MINUTE_MS),
            Self::Signals => (limits.signals_per_minute, MINUTE_MS),
            Self::Searches => (limits.searches_per_minute, MINUTE_MS),
            Self::Logins => (limits.logins_per_hour, 60 * MINUTE_MS),
            Self::Registrations => (limits.registrations_per_hour, 60 * MINUTE_MS),
            Self::Sessions => (limits.sessions_per_minute, MINUTE_MS),
            Self::General => (limits.requests_per_minute, MINUTE_MS),
        };
        Policy { quota, window_ms }
    }
}

impl Refusal for Limited {
    fn code(&self) -> Code {
        Code::RateLimited
    }

    fn detail(&self) -> Cow<'static, str> {
        let Standing { action, policy: Policy { quota, window_ms }, .. } = self.0;
        let window = if window_ms > 60_000 { "an hour" } else { "a minute" };
        format!("{quota} {} {window} at most. Nothing was done: wait, then try again.", action.as_str())
            .into()
    }

    fn retry_after_ms(&self) -> Option<u64> {
        Some(self.0.more_in_ms)
    }
}

impl Services {
    /// Counts one more of what the actor does. Nothing where nobody counts.
    ///
    /// # Errors
    /// [`Limited`]: it is not to be done now.
    pub async fn take(&self, actor: &Actor, action: Action) -> Result<Option<Standing>, Limited> {
        match action {
            Action::Sessions => self.take_of(RateKey::Session(action, actor.session), action).await,
            _ => self.take_of_user(actor.user, action).await,
        }
    }

    pub(crate) async fn take_of_user(
        &self,
        user: UserId,
        action: Action,
    ) -> Result<Option<Standing>, Limited> {
        self.take_of(RateKey::User(action, user), action).await
    }

    /// The same of a stranger. This machine's own addresses are a proxy, and so everybody: they are not counted.
    ///
    /// # Errors
    /// [`Limited`]: it is not to be done now.
    pub async fn take_of_address(
        &self,
        address: IpAddr,
        action: Action,
    ) -> Result<Option<Standing>, Limited> {
        match key_of_address(action, address) {
            Some(key) => self.take_of(key, action).await,
            None => Ok(None),
        }
    }

    async fn take_of(&self, key: RateKey, action: Action) -> Result<Option<Standing>, Limited> {
        let Some(rates) = &self.rates else { return Ok(None) };
        let policy = action.policy(&self.limits);
        let standing = |remaining, more_in_ms| Standing { action, policy, remaining, more_in_ms };
        match rates.take(key, policy, self.clock.now()).await {
            Taken::Given { remaining, more_in_ms } => Ok(Some(standing(remaining, more_in_ms))),
            Taken::Refused { again_in_ms } => {
                self.counters.limited(action);
                Err(Limited(standing(0, again_in_ms)))
            }
        }
    }
}

fn key_of_address(action: Action, address: IpAddr) -> Option<RateKey> {
    (!address.to_canonical().is_loopback()).then(|| RateKey::Address(action, network_of(address)))
}

/// Of IPv6 the first 64 bits, which is what one customer has; IPv4 as it is, in either form.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("2001:db8:1:2::9"), network("2001:db8:1:2:ffff::1"));
        let key = |text: &str| key_of_address(Action::Registrations, text.parse().unwrap());
        assert_eq!(key("127.0.0.1").or(key("::1")).or(key("::ffff:127.0.0.1")), None, "a proxy is everybody");
        assert!(key("192.0.2.7").is_some());
    }
}
