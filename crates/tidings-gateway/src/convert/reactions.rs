//! Reactions.

use tidings_core::reactions::Reaction;
use tidings_protocol::messages as wire;

/// What is on a message, as one reader sees it.
pub fn list(reactions: &[Reaction]) -> Vec<wire::Reaction> {
    reactions.iter().map(|one| reaction(one, Some(one.mine))).collect()
}

/// The same for everybody.
pub fn shared(reactions: &[Reaction]) -> Vec<wire::Reaction> {
    reactions.iter().map(|one| reaction(one, None)).collect()
}

fn reaction(reaction: &Reaction, mine: Option<bool>) -> wire::Reaction {
    wire::Reaction {
        emoji: reaction.emoji.clone(),
        count: reaction.count,
        user_ids: reaction.users.iter().map(ToString::to_string).collect(),
        mine,
    }
}
