//! Many people at once: stored through the port, because a request each would be most of a test's time.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::try_join_all;
use tidings_core::accounts::{Passwords, User};
use tidings_core::clock::{Clock as _, SystemClock};
use tidings_core::ids::{AppId, IdSource as _, SystemIds, UserId};
use tidings_core::memory::InProcessLog;
use tidings_core::ports::store::AccountStore as _;
use tidings_store_sqlite::{Options, SqliteStore, Upkeep};
use tidings_testkit::actors::Person;

/// As many as the writer takes in one batch.
const AT_ONCE: usize = 512;

/// Stores people with these names, who log in with the password of everybody; gives their ids. No server may run over
/// the directory.
pub async fn populate(data_dir: &Path, names: &[String]) -> Vec<String> {
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let options = Options {
        data_dir: data_dir.to_owned(),
        vfs: None,
        readers: 1,
        on_fatal: Arc::new(|reason| panic!("{reason}")),
        upkeep: Upkeep::default(),
        ids: ids.clone(),
        clock: clock.clone(),
    };
    let store = SqliteStore::open(options, InProcessLog::new()).expect("a store");
    let password = Passwords::quick().hash(Person::PASSWORD.to_owned()).await.expect("a hash");
    let mut stored = Vec::with_capacity(names.len());
    for names in names.chunks(AT_ONCE) {
        let users: Vec<User> = names
            .iter()
            .map(|name| User {
                id: UserId(ids.uuid(clock.now())),
                app: AppId::DEFAULT,
                external_id: None,
                username: name.clone(),
                email: None,
                first_name: None,
                last_name: None,
                display_name: name.clone(),
                avatar_url: None,
                created_at: clock.now(),
                last_seen_at: None,
            })
            .collect();
        try_join_all(users.iter().map(|user| store.insert_user(user, &password))).await.expect("free names");
        stored.extend(users.iter().map(|user| user.id.to_string()));
    }
    store.close();
    stored
}
