//! Many people at once: stored through the port, because a request each would be most of a test's time.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::try_join_all;
use tidings_core::accounts::{Passwords, User};
use tidings_core::clock::SystemClock;
use tidings_core::ids::SystemIds;
use tidings_core::memory::InProcessLog;
use tidings_core::ports::store::AccountStore as _;
use tidings_store_sqlite::{Options, SqliteStore, Upkeep};
use tidings_testkit::actors::Person;
use tidings_testkit::builders::Values;

/// As many as the writer takes in one batch.
const AT_ONCE: usize = 512;

/// Stores people with these names, who log in with the password of everybody; gives their ids. No server may run over
/// the directory.
pub async fn populate(data_dir: &Path, names: &[String]) -> Vec<String> {
    let options = Options {
        data_dir: data_dir.to_owned(),
        vfs: None,
        readers: 1,
        on_fatal: Arc::new(|reason| panic!("{reason}")),
        upkeep: Upkeep::default(),
        ids: Arc::new(SystemIds),
        clock: Arc::new(SystemClock),
    };
    let store = SqliteStore::open(options, InProcessLog::new()).expect("a store");
    let password = Passwords::quick().hash(Person::PASSWORD.to_owned()).await.expect("a hash");
    let make = Values::seeded(1);
    let mut stored = Vec::with_capacity(names.len());
    for names in names.chunks(AT_ONCE) {
        let users: Vec<User> = names.iter().map(|name| make.user(name)).collect();
        try_join_all(users.iter().map(|user| store.insert_user(user, &password))).await.expect("free names");
        stored.extend(users.iter().map(|user| user.id.to_string()));
    }
    store.close();
    stored
}
