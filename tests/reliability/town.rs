//! A real server whose groups have very many more members than those of a workload: most of them away.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use serde_json::json;
use tidings_testkit::actors::{Api, Person};
use tidings_testkit::history::{
    Answer, Arrivals, HistoryPage, Id, Listed, Messenger, Outgoing, Real, StreamPage,
};

/// How many are taken in by one request.
const ADDED_AT_ONCE: usize = 100;

/// Adds everybody to the group, in as few requests as may be.
pub async fn add_all(owner: &Person, group: &str, ids: &[String]) {
    for ids in ids.chunks(ADDED_AT_ONCE) {
        let path = format!("/api/conversations/{group}/participants");
        let _ = owner.post(&path, json!({ "userIds": ids })).await.assert_ok(200);
    }
}

/// The server; every group that is made takes the crowd in as well.
pub struct Town {
    api: Api,
    real: Real,
    crowd: Vec<String>,
    names: Mutex<HashMap<Id, String>>,
}

impl Town {
    pub fn at(api: &Api, crowd: Vec<String>) -> Self {
        Self { real: Real::at(&api.url), api: api.clone(), crowd, names: Mutex::default() }
    }
}

#[async_trait]
impl Messenger for Town {
    async fn user(&self, name: &str) -> Id {
        let id = self.real.user(name).await;
        self.names.lock().unwrap().insert(Id::clone(&id), name.to_owned());
        id
    }

    async fn group(&self, owner: &Id, others: &[Id]) -> Id {
        let group = self.real.group(owner, others).await;
        let name = self.names.lock().unwrap()[owner].clone();
        add_all(&Person::login(&self.api, &name, "desk").await, &group, &self.crowd).await;
        group
    }

    async fn send(&self, message: &Outgoing) -> Answer {
        self.real.send(message).await
    }

    async fn add(&self, owner: &Id, group: &Id, user: &Id) -> Option<()> {
        self.real.add(owner, group, user).await
    }

    async fn remove(&self, owner: &Id, group: &Id, user: &Id) -> Option<()> {
        self.real.remove(owner, group, user).await
    }

    async fn connect(&self, user: &Id, since: Option<&str>) -> Option<Box<dyn Arrivals>> {
        self.real.connect(user, since).await
    }

    async fn list(&self, user: &Id) -> Option<Vec<Listed>> {
        self.real.list(user).await
    }

    async fn history(&self, user: &Id, conversation: &Id, after_seq: u64) -> Option<HistoryPage> {
        self.real.history(user, conversation, after_seq).await
    }

    async fn stream(&self, user: &Id, conversation: &Id, after_pos: u64) -> Option<StreamPage> {
        self.real.stream(user, conversation, after_pos).await
    }
}
