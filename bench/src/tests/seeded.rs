//! Seeded sets are what the store would have written: its own recounts find nothing.

use rusqlite::Connection;
use tidings_core::clock::{Clock as _, SystemClock};
use tidings_core::conversations::ConversationKind;
use tidings_core::ids::Seq;
use tidings_core::messages::HistoryAnchor;
use tidings_core::ports::store::{ConversationStore as _, MessageStore as _};
use tidings_core::sessions::AccessTokens;
use tidings_server::keys;
use tidings_testkit::recount::recount;

use crate::seed::{ClientIds, Plan, open_store};
use crate::world::World;

fn plan(client_ids: ClientIds) -> Plan {
    Plan { people: 10, conversations: 7, members: 3, stride: 2, messages: 1_000, client_ids }
}

#[test]
fn a_set_stands_up_to_a_recount() {
    for client_ids in [ClientIds::V4, ClientIds::V7] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        plan(client_ids).write(&data).unwrap();
        assert_eq!(recount(&data.join("tidings.db")).unwrap(), [] as [String; 0]);
        let world = World::read(&data).unwrap();
        assert_eq!((world.people.len(), world.conversations.len()), (10, 7));
        assert_eq!(world.conversations.iter().map(|conversation| conversation.seq).sum::<u64>(), 1_000);
        assert!(world.conversations.iter().all(|conversation| conversation.members.len() == 3));
    }
}

#[test]
fn tokens_outlive_every_stage() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    plan(ClientIds::V7).write(&data).unwrap();
    let world = World::read(&data).unwrap();
    let tokens = World::mint_tokens(&data, &world.people).unwrap();
    let access = AccessTokens::new(keys::load_or_make(&data).unwrap());
    assert_eq!(tokens.len(), 10);
    for now in [SystemClock.now(), SystemClock.now().plus_seconds(3_600)] {
        assert_eq!(access.verify(&tokens[3], now).unwrap().user, world.people[3].user);
    }
}

#[tokio::test]
async fn the_store_reads_what_was_seeded() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    plan(ClientIds::V7).write(&data).unwrap();
    let world = World::read(&data).unwrap();
    let store = open_store(&data).unwrap();
    let conversation = &world.conversations[3];
    let (id, viewer) =
        (conversation.id.parse().unwrap(), world.people[conversation.members[1] as usize].user);
    let view = store.find_conversation(viewer, id).await.unwrap().expect("a member sees it");
    assert_eq!(view.conversation.kind, ConversationKind::Group);
    let page = store.list_messages(viewer, id, HistoryAnchor::Before(Seq(100)), 50).await.unwrap();
    let seqs: Vec<u64> = page.messages.iter().map(|message| message.id.seq.0).collect();
    assert_eq!(seqs, (50..100).collect::<Vec<_>>());
    store.close();
}

#[test]
fn a_recount_sees_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    plan(ClientIds::V7).write(&data).unwrap();
    let db = Connection::open(data.join("tidings.db")).unwrap();
    db.execute("UPDATE membership SET read_seq = 0", []).unwrap();
    let wrong = recount(&data.join("tidings.db")).unwrap();
    assert!(wrong.len() == 1 && wrong[0].starts_with("a sender's mark is behind"), "{wrong:?}");
}

#[test]
fn a_set_is_kept_and_found_again() {
    let root = tempfile::tempdir().unwrap();
    let first = plan(ClientIds::V7).obtain(root.path()).unwrap();
    let epoch = |dir: &std::path::Path| -> Vec<u8> {
        let db = Connection::open(dir.join("tidings.db")).unwrap();
        db.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0)).unwrap()
    };
    let before = epoch(&first);
    assert_eq!(epoch(&plan(ClientIds::V7).obtain(root.path()).unwrap()), before);
    std::fs::remove_file(first.join("whole")).unwrap();
    assert_ne!(epoch(&plan(ClientIds::V7).obtain(root.path()).unwrap()), before, "half a set is made anew");
    open_store(&first).unwrap().close();
}
