//! The hot statements touch what they need and no more.

use rusqlite::Connection;
use tidings_core::clock::Timestamp;

use crate::accounts::USER;
use crate::migrations::migrate;
use crate::{accounts, catch_up, conversations, events, messages, reactions, receipts, sessions};

fn plan(sql: &str) -> String {
    let conn = Connection::open_in_memory().unwrap();
    migrate(&conn, Timestamp(0)).unwrap();
    let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = statement.raw_query_lines();
    lines.join("; ")
}

trait Lines {
    fn raw_query_lines(&mut self) -> Vec<String>;
}

impl Lines for rusqlite::Statement<'_> {
    fn raw_query_lines(&mut self) -> Vec<String> {
        // Parameters stay unbound: a plan does not look at them.
        let mut rows = self.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            lines.push(row.get(3).unwrap());
        }
        lines
    }
}

#[track_caller]
fn assert_plan(sql: &str, expected: &[&str]) {
    let plan = plan(sql);
    assert!(!plan.contains("SCAN"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    for part in expected {
        assert!(plan.contains(part), "{part:?} is not in {plan:?}");
    }
}

#[test]
fn a_duplicate_is_looked_up_by_its_client_id() {
    assert_plan(&messages::original_sql(), &["message USING INDEX message_client"]);
}

#[test]
fn history_is_read_by_the_primary_key() {
    assert_plan(
        &messages::run_sql(),
        &["SEARCH message USING PRIMARY KEY (conversation=? AND seq>? AND seq<?)"],
    );
    assert_plan(
        catch_up::SENT_SQL,
        &["SEARCH message USING PRIMARY KEY (conversation=? AND seq>? AND seq<?)"],
    );
}

#[test]
fn events_of_a_stream_are_read_by_their_index() {
    assert_plan(
        events::OTHERS_SQL,
        &["SEARCH event USING INDEX event_stream (stream=? AND pos>? AND pos<?)"],
    );
    assert_plan(
        catch_up::OTHERS_SQL,
        &["SEARCH event USING INDEX event_stream (stream=? AND pos>? AND pos<?)"],
    );
}

#[test]
fn rosters_are_read_from_the_index_alone() {
    assert_plan(
        events::ROSTER_SQL,
        &["SEARCH membership USING COVERING INDEX membership_joined (conversation=?)"],
    );
}

#[test]
fn participants_are_counted_by_the_last_joining_and_the_last_leaving() {
    assert_plan(
        conversations::JOINED_SQL,
        &["SEARCH membership USING INDEX membership_joined (conversation=? AND from_pos<?)"],
    );
    assert_plan(
        conversations::LEFT_SQL,
        &["SEARCH membership USING COVERING INDEX membership_left (conversation=? AND to_pos<?)"],
    );
}

#[test]
fn a_list_is_read_from_an_index_and_the_heads_alone() {
    let expected =
        ["SEARCH m USING COVERING INDEX membership_user (user=?)", "SEARCH h USING PRIMARY KEY (stream=?)"];
    assert_plan(&conversations::list_sql(), &expected);
}

#[test]
fn a_users_conversations_are_found_by_the_user() {
    let changed = plan(&catch_up::intervals_sql());
    assert!(!changed.contains("SCAN"), "{changed}");
    assert!(changed.contains("SEARCH m USING INDEX membership_user (user=?)"), "{changed}");
    assert!(changed.contains("SEARCH h USING PRIMARY KEY (stream=?)"), "{changed}");
}

#[test]
fn a_username_is_found_by_its_index() {
    let sql = format!("SELECT {USER} FROM users WHERE app_id = ?1 AND username = ?2");
    assert_plan(&sql, &["users USING INDEX users_username (app_id=? AND username=?)"]);
    let sql = format!("SELECT {USER} FROM users WHERE app_id = ?1 AND email = ?2");
    assert_plan(&sql, &["users USING INDEX users_email (app_id=? AND email=?)"]);
}

#[test]
fn people_are_found_by_the_range_of_a_word() {
    assert_plan(
        accounts::WORDS_SQL,
        &["SEARCH user_word USING PRIMARY KEY (app_id=? AND word>? AND word<?)"],
    );
    // Of an index that has nobody else.
    assert!(plan(accounts::HIDDEN_SQL).contains("users USING INDEX users_hidden"));
}

#[test]
fn owners_are_found_by_their_index() {
    assert_plan(
        conversations::OWNERS_SQL,
        &["SEARCH membership USING INDEX membership_owner (conversation=?)"],
    );
}

#[test]
fn what_is_to_be_pruned_is_found_by_its_index() {
    assert_plan(
        sessions::PRUNE_SESSIONS_SQL,
        &["SEARCH session USING COVERING INDEX session_expires (expires_at<?)"],
    );
    assert_plan(
        sessions::PRUNE_REVOCATIONS_SQL,
        &["SEARCH revocation USING COVERING INDEX revocation_until (until<?)"],
    );
}

#[test]
fn a_users_sessions_are_found_by_their_index() {
    assert_plan(&sessions::live_sql(), &["SEARCH session USING INDEX session_user (user=?)"]);
    assert_plan(sessions::NOT_ENDED_SQL, &["SEARCH session USING INDEX session_user (user=?)"]);
}

#[test]
fn what_is_on_a_message_is_found_by_the_message() {
    assert_plan(
        reactions::FIRST_SQL,
        &["SEARCH reaction USING COVERING INDEX reaction_first (conversation=? AND seq=? AND emoji=?)"],
    );
    assert_plan(
        reactions::OWN_SQL,
        &["SEARCH reaction USING PRIMARY KEY (conversation=? AND seq=? AND user=?)"],
    );
    // At most as many as a message may have: sorted in memory.
    let counts = plan(reactions::COUNTS_SQL);
    assert!(
        counts.contains("SEARCH reaction_count USING PRIMARY KEY (conversation=? AND seq=?)"),
        "{counts}"
    );
}

#[test]
fn who_may_not_read_is_looked_for_among_those_who_came_since() {
    let barred = plan(events::BARRED_SQL);
    assert!(
        barred.contains(
            "SEARCH m USING COVERING INDEX membership_joined (conversation=? AND from_pos>? AND from_pos<?)"
        ),
        "{barred}"
    );
    assert!(barred.contains("SEARCH o USING PRIMARY KEY (conversation=? AND user=?)"), "{barred}");
}

#[test]
fn what_is_unread_is_found_by_the_user() {
    let expected = ["SEARCH m USING INDEX membership_user (user=?)", "SEARCH h USING PRIMARY KEY (stream=?)"];
    assert_plan(&receipts::unread_sql(), &expected);
}

#[test]
fn a_refresh_token_is_found_by_its_index() {
    for column in ["token", "previous", "family"] {
        let index = format!("SEARCH session USING INDEX session_{column} ({column}_hash=?)");
        let column = format!("{column}_hash");
        assert_plan(&sessions::by_hash_sql(&column), &[&index]);
    }
}
