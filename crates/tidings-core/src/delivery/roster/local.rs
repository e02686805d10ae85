//! Those members of a large group who are on this node.

use crate::ids::UserId;

use super::super::tracked::TrackedUsers;

/// A sorted list that follows the members and who is here.
#[derive(Debug, Default)]
pub(super) struct Local {
    users: Vec<UserId>,
    /// Members who came in since the list was last looked at.
    newcomers: Vec<UserId>,
    /// The comings and goings that the list knows; nothing before the first look.
    seen: Option<u64>,
}

impl Local {
    /// The members who are here now, all of them; and how many had to be looked up to know it.
    ///
    /// Whoever comes after this look is not in the list. They find the event in the tail, or in the store, if the
    /// tail stays locked from this look until the event is in it.
    pub fn look(&mut self, members: &[UserId], tracked: &TrackedUsers) -> (&[UserId], usize) {
        let all = members.len().min(tracked.len());
        let changes = self.seen.and_then(|seen| tracked.changes_since(seen));
        let look_ups = match changes.filter(|changes| changes.len() <= all) {
            Some(changes) => {
                let look_ups = changes.len() + self.newcomers.len();
                for user in changes.chain(self.newcomers.drain(..)) {
                    let is_in = tracked.contains(user) && members.binary_search(&user).is_ok();
                    set(&mut self.users, user, is_in);
                }
                look_ups
            }
            None => {
                self.users.clear();
                if members.len() <= tracked.len() {
                    self.users.extend(members.iter().copied().filter(|user| tracked.contains(*user)));
                } else {
                    self.users.extend(tracked.users().filter(|user| members.binary_search(user).is_ok()));
                    self.users.sort_unstable();
                }
                self.newcomers.clear();
                all
            }
        };
        self.seen = Some(tracked.changed());
        (&self.users, look_ups)
    }

    /// Somebody has come into the group.
    pub fn come(&mut self, user: UserId) {
        self.newcomers.push(user);
    }

    /// Somebody has left the group.
    pub fn go(&mut self, user: UserId) {
        set(&mut self.users, user, false);
    }

    pub fn bytes(&self) -> usize {
        (self.users.capacity() + self.newcomers.capacity()) * size_of::<UserId>()
    }
}

/// Puts the user into a sorted list, or takes them out.
fn set(sorted: &mut Vec<UserId>, user: UserId, is_in: bool) {
    match (sorted.binary_search(&user), is_in) {
        (Err(index), true) => sorted.insert(index, user),
        (Ok(index), false) => drop(sorted.remove(index)),
        (Ok(_), true) | (Err(_), false) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LogId;
    use crate::limits::TAIL_MS;
    use uuid::Uuid;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn members(numbers: std::ops::Range<u128>) -> Vec<UserId> {
        numbers.map(user).collect()
    }

    #[test]
    fn members_are_looked_up_once_and_then_only_who_has_come_or_gone() {
        let (members, mut tracked, mut local) =
            (members(0..10_000), TrackedUsers::default(), Local::default());
        for n in 9_000..11_000 {
            tracked.enter(user(n), LogId(0));
        }
        let (here, look_ups) = local.look(&members, &tracked);
        assert_eq!((here, look_ups), (&members[9_000..], 2_000), "the smaller of both sides is gone through");
        assert_eq!(local.look(&members, &tracked).1, 0);
        tracked.enter(user(7), LogId(0));
        tracked.leave(user(9_000), 0);
        tracked.forget(TAIL_MS + 1);
        tracked.enter(user(12_000), LogId(0));
        let (here, look_ups) = local.look(&members, &tracked);
        assert_eq!((here.len(), here[0], here[1], look_ups), (1_000, user(7), user(9_001), 3));
    }

    #[test]
    fn who_comes_into_the_group_is_found_wherever_they_are() {
        let (mut members, mut tracked, mut local) =
            (members(0..300), TrackedUsers::default(), Local::default());
        tracked.enter(user(300), LogId(0));
        assert_eq!(local.look(&members, &tracked).0, []);
        for n in 300..302 {
            members.push(user(n));
            local.come(user(n));
        }
        assert_eq!(local.look(&members, &tracked).0, [user(300)]);
        tracked.enter(user(301), LogId(0));
        assert_eq!(local.look(&members, &tracked).0, [user(300), user(301)]);
        members.retain(|member| *member != user(300));
        local.go(user(300));
        assert_eq!(local.look(&members, &tracked).0, [user(301)]);
        tracked.leave(user(300), 0);
        tracked.enter(user(300), LogId(0));
        assert_eq!(local.look(&members, &tracked).0, [user(301)], "coming back is not coming in");
    }

    #[test]
    fn more_changes_than_members_are_one_look_at_all() {
        let (members, mut tracked, mut local) = (members(0..300), TrackedUsers::default(), Local::default());
        assert_eq!(local.look(&members, &tracked), (&[][..], 0));
        for n in 0..100_000 {
            tracked.enter(user(n), LogId(0));
        }
        assert_eq!(local.look(&members, &tracked), (&members[..], 300));
    }
}
