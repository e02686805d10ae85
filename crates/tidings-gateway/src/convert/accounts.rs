//! Users.

use tidings_core::accounts::{Register, UpdateUser, User};
use tidings_protocol::accounts as wire;

use super::moment;

/// A user as others see them.
pub fn user(user: &User) -> wire::User {
    wire::User {
        id: user.id.to_string(),
        username: user.username.clone(),
        display_name: user.display_name.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        avatar_url: user.avatar_url.clone(),
        last_seen_at: moment(user.last_seen_at),
    }
}

/// A user as they see themselves.
pub fn me(me: &User) -> wire::Me {
    wire::Me {
        user: user(me),
        email: me.email.clone(),
        external_id: me.external_id.clone(),
        settings: wire::UserSettings { read_receipts: me.settings.read_receipts },
    }
}

/// A change of one's own account.
pub fn update_me(request: wire::UpdateMeRequest) -> UpdateUser {
    UpdateUser {
        display_name: request.display_name,
        first_name: request.first_name,
        last_name: request.last_name,
        avatar_url: request.avatar_url,
        read_receipts: request.settings.and_then(|settings| settings.read_receipts),
    }
}

/// A registration.
pub fn register(request: wire::RegisterRequest) -> Register {
    Register {
        username: request.username,
        password: request.password.0,
        email: request.email,
        display_name: request.display_name,
        first_name: request.first_name,
        last_name: request.last_name,
    }
}
