//! What every store promises, as tests: one call of [`store_contract!`](crate::store_contract) holds a store to the
//! guarantees of [`tidings_core::ports::store`], one named test per promise.
//!
//! - A file per subject; in it a law is a `pub async fn` that takes a [`Desk`] and reads as a story.
//! - [`Desk`] is the store under test with people at it: short verbs for what a story needs, and what was published.
//! - [`law`] is the one law over all nouns, with random intentions: events applied to the state before give the state
//!   after.
//!
//! To add a law: the function, and its line in `store_contract!`; a test of this crate compares the two. To add a
//! store: a [`DataSet`], and one call.

#![expect(clippy::unwrap_used, reason = "laws are tests: a panic is how they fail")]

pub mod accounts;
pub mod catch_up;
pub mod changes;
pub mod conversations;
mod desk;
pub mod history;
pub mod law;
pub mod lists;
pub mod log;
pub mod marks;
pub mod messages;
pub mod participants;
pub mod presence;
pub mod reactions;
pub mod reopen;
pub mod rereading;
pub mod sessions;
pub mod streams;

use std::sync::Arc;

use async_trait::async_trait;
use tidings_core::ports::event_log::EventLog;
use tidings_core::ports::store::Store;

pub use desk::{Desk, Person, Recorder};

/// Where one store's truth is: empty at first, and still there when the store has been closed.
#[async_trait]
pub trait DataSet: Send + Sync + 'static {
    /// Opens the store on it. Only called while no other one is open on it: the one before has been dropped.
    async fn open(&self, log: Arc<dyn EventLog>) -> Arc<dyn Store>;
}

/// Holds a store to its contract: one test per law, each on a data set of its own.
///
/// `$data_set` is an expression that makes an empty [`DataSet`](crate::contract::DataSet). The calling crate needs
/// `tokio`.
#[macro_export]
macro_rules! store_contract {
    ($data_set:expr) => {
        $crate::store_contract! { @laws $data_set;
            accounts {
                a_new_user_is_found_by_id_username_and_email
                a_username_is_given_once
                an_email_address_is_given_once
                of_two_that_want_one_name_at_once_one_gets_it
                another_app_has_its_own_users
                a_new_user_is_the_first_event_of_their_own_stream
                a_changed_account_is_told_to_ones_own_devices
                a_user_is_found_by_the_beginnings_of_their_names
            }
            sessions {
                a_refresh_token_becomes_the_next_one
                within_the_grace_a_used_token_gives_the_same_next_one
                a_used_token_with_another_next_one_ends_the_session
                a_token_from_long_before_ends_the_session
                a_token_used_again_after_the_grace_ends_the_session
                an_unknown_or_expired_token_is_refused
                of_many_that_rotate_one_token_at_once_all_get_the_same
                ending_a_session_twice_is_once
                nobody_ends_another_ones_session
                one_whose_session_has_ended_ends_no_other
                a_revocation_matters_until_its_tokens_expire
                an_ended_session_changes_nothing_any_more
                all_sessions_end_at_once
                a_refresh_that_comes_after_the_end_is_refused
                the_list_has_what_is_alive
                a_user_has_a_bounded_number_of_sessions
                a_new_password_ends_the_other_sessions
                a_password_is_changed_by_who_knows_the_present_one
                a_login_by_a_password_that_was_just_changed_is_refused
                an_address_that_was_used_is_known
            }
            conversations {
                a_direct_conversation_is_found_again_by_both
                twenty_at_once_make_one
                notes_are_for_oneself_alone
                a_group_has_an_owner_and_folds_repetitions
                unknown_users_are_named_by_pointer
                a_key_finds_what_it_made
                a_key_is_for_one_request_of_one_user
                a_key_is_kept_for_a_day
                a_stranger_sees_nothing
                a_big_group_shows_its_first_people
            }
            participants {
                a_newcomer_joins_with_an_event_and_reads_from_there
                who_is_in_already_stays_as_they_are
                one_who_comes_back_has_a_new_interval
                who_may_add
                nobody_is_added_when_one_is_unknown
                a_group_has_a_limit
                an_addition_is_done_once_under_its_key
                who_may_remove_whom
                removing_twice_is_once
                owners_give_roles
                who_may_give_roles
                the_last_owner_stays
                direct_and_self_conversations_keep_their_people
                the_list_is_walked_page_by_page
                one_who_left_sees_who_was_in
            }
            messages {
                positions_are_dense_however_many_send_at_once
                sends_of_one_caller_keep_their_order
                a_retry_gets_the_original
                many_retries_at_once_make_one_message
                a_retry_gets_the_original_also_after_its_sender_left
                a_client_id_is_for_one_body
                a_client_id_is_the_senders_own_in_each_conversation
                who_may_send
                a_removal_and_a_send_at_once_agree
                a_message_is_found_by_those_who_may_read_it
                what_was_sent_is_what_is_read
            }
            changes {
                an_edit_replaces_the_text_and_keeps_the_versions
                an_edit_that_was_made_is_not_made_again
                an_edit_of_another_version_is_refused
                only_the_author_edits
                a_text_stays_visible_and_has_so_many_versions
                a_deleted_message_leaves_its_place
                who_may_delete
                a_message_that_one_may_not_read_is_not_there
                one_who_left_changes_nothing
                one_who_left_sees_it_as_it_was
                reactions_to_what_was_deleted_are_nothing
                a_newcomer_is_not_told_what_happens_to_older_messages
                who_may_not_read_a_message_is_known_by_position
            }
            reactions {
                a_reaction_is_there_once
                the_first_ten_are_named_and_all_are_counted
                the_emoji_that_came_first_is_first
                there_is_room_for_so_many
                of_a_hundred_at_once_each_counts
                what_is_gone_has_no_reactions
            }
            marks {
                sending_moves_the_senders_marks_alone
                unread_counts_from_joining_and_ends_with_leaving
                what_was_read_is_told_once_and_never_taken_back
                what_was_received_is_told_where_it_was_not_read
                many_receipts_are_told_together
                one_refused_receipt_stops_nobody_else
                marking_unread_goes_back_for_oneself_alone
                in_a_large_group_receipts_are_the_readers_own
                one_who_shows_no_receipts_reads_for_themselves
                marks_stand_after_a_restart
            }
            history {
                the_latest_page_and_back_to_the_beginning
                forward_from_any_place_to_the_end
                around_a_message
                every_page_says_exactly_whether_there_is_more
                a_newcomer_reads_from_joining_on
                one_who_left_reads_up_to_leaving
                one_who_came_back_reads_the_union
                a_stranger_reads_nothing
            }
            presence {
                who_is_in_is_known
                of_many_nobody_is_looked_up
                when_somebody_was_last_seen_goes_forward
                who_hides_is_known
            }
            lists {
                the_latest_message_comes_first
                a_walk_sees_each_conversation_once
                only_those_one_is_in_and_of_the_kind_asked_for
                every_view_in_the_list_is_the_view_alone
                pinned_ones_come_first_and_archived_ones_are_told_apart
                a_conversation_is_found_by_what_it_is_called
            }
            log {
                the_log_is_dense_and_holds_what_was_published
                a_refusal_leaves_no_trace
                a_range_of_a_stream_is_exact
                rosters_hold_every_interval_that_had_not_ended
            }
            streams {
                a_member_reads_the_stream_page_by_page
                spans_reach_over_what_is_not_theirs
                a_page_is_bounded_in_bytes
                one_who_left_reads_up_to_leaving
                own_streams_are_for_oneself
            }
            catch_up {
                nothing_happened
                pages_continue_exactly
                pages_are_bounded_in_bytes
                a_fixed_end_is_kept_while_others_write
                only_what_is_after_the_token
                a_newcomer_gets_nothing_from_before
                one_who_left_gets_their_leaving_last
                one_who_came_back_gets_both_intervals
                a_long_stream_is_skipped
                too_many_streams_start_over
                the_own_stream_is_part_of_it
            }
            rereading {
                an_event_is_read_as_it_was_committed
                also_after_a_restart
            }
            reopen {
                everything_is_as_it_was
                numbers_go_on
                retries_find_the_original
                an_ended_session_stays_ended
            }
            law {
                events_give_the_state_of_quiet_groups
                events_give_the_state_of_busy_groups
            }
        }
    };
    (@laws $data_set:expr; $($subject:ident { $($law:ident)* })*) => {
        $(
            mod $subject {
                use super::*;

                $crate::store_contract! { @tests $data_set; $subject; $($law)* }
            }
        )*
    };
    (@tests $data_set:expr; law; $($law:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                $crate::contract::law::$law(|| $data_set).await
            }
        )*
    };
    (@tests $data_set:expr; $subject:ident; $($law:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let desk = $crate::contract::Desk::open($data_set).await;
                $crate::contract::$subject::$law(desk).await
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// A law that nobody runs holds nobody to anything.
    #[test]
    fn every_law_is_in_the_macro() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract");
        let listed: Vec<&str> = include_str!("contract.rs").lines().map(str::trim).collect();
        for file in
            fs::read_dir(&here).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
        {
            let text = fs::read_to_string(&file).unwrap();
            let laws = text.lines().filter_map(|line| line.strip_prefix("pub async fn "));
            for law in laws.filter_map(|line| line.split(['(', '<']).next()) {
                assert!(listed.contains(&law), "{law} of {} is not in store_contract!", file.display());
            }
        }
    }
}
