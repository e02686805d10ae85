//! What refresh tokens and old sessions cost.

use std::time::Duration;

use tidings_core::clock::Timestamp;
use tidings_core::error::StoreError;
use tidings_core::ids::SessionId;
use tidings_core::ports::store::{Rotation, SessionStore};
use tidings_core::sessions::{Actor, Error, RefreshFamilyHash, RefreshTokenHash, Session};

use super::desk::{Desk, new_session};
use crate::write::{Change, Failure};

const DAY: i64 = 24 * 3600 * 1000;

fn rotation(presented: u8, next: u8) -> Rotation {
    Rotation {
        presented: RefreshTokenHash([presented; 32]),
        next: RefreshTokenHash([next; 32]),
        family: RefreshFamilyHash([presented; 32]),
        now: Timestamp(100),
        expires_at: Timestamp(10_000),
        grace_from: Timestamp(50),
        grace_to: Timestamp(150),
    }
}

fn session(desk: &Desk, who: &Actor, created_at: i64, expires_at: i64) -> Session {
    Session {
        id: SessionId(desk.uuid()),
        app: who.app,
        user: who.user,
        device: None,
        created_at: Timestamp(created_at),
        last_used_at: Timestamp(created_at),
        expires_at: Timestamp(expires_at),
    }
}

/// Whoever has no token cannot fill the queue of those who have.
#[tokio::test]
async fn what_cannot_be_rotated_takes_no_place_in_the_writers_queue() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    let stored = session(&desk, &alice, 1, 5_000);
    desk.store.insert_session(new_session(&stored, RefreshTokenHash([1; 32]))).await.unwrap();
    let expired = session(&desk, &alice, 1, 99);
    desk.store.insert_session(new_session(&expired, RefreshTokenHash([2; 32]))).await.unwrap();
    let batches = desk.store.stats().batch_requests;
    let hold = desk.hold();
    let refuse = async |presented| {
        let rotating = desk.store.rotate_refresh_token(rotation(presented, 7));
        let refused = tokio::time::timeout(Duration::from_secs(5), rotating).await;
        refused.expect("the writer is not asked").unwrap_err()
    };
    assert!(matches!(refuse(9).await, Error::RefreshTokenInvalid));
    assert!(matches!(refuse(2).await, Error::RefreshTokenExpired));
    drop(hold);
    assert_eq!(desk.store.rotate_refresh_token(rotation(1, 3)).await.unwrap().id, stored.id);
    assert_eq!(desk.store.rotate_refresh_token(rotation(1, 3)).await.unwrap().id, stored.id, "in the grace");
    assert_eq!(desk.store.stats().batch_requests - batches, 3, "the hold and the two");
}

async fn count(desk: &Desk, table: &'static str) -> i64 {
    let counted = desk.store.writer.write(move |tx| {
        let sql = format!("SELECT count(*) FROM {table}");
        let count = tx.conn.query_row(&sql, [], |row| row.get(0))?;
        Ok::<_, Failure<StoreError>>(Change::nothing(count))
    });
    counted.await.unwrap()
}

#[tokio::test]
async fn old_sessions_and_revocations_go_a_few_at_a_time() {
    let desk = Desk::new();
    let alice = desk.person("alice").await;
    for n in 0..40 {
        let old = session(&desk, &alice, 1, DAY);
        desk.store.insert_session(new_session(&old, RefreshTokenHash([n; 32]))).await.unwrap();
        desk.store.end_session(alice, old.id, Timestamp(2), Timestamp(DAY)).await.unwrap();
    }
    let recent = session(&desk, &alice, 1, 2 * DAY);
    desk.store.insert_session(new_session(&recent, RefreshTokenHash([50; 32]))).await.unwrap();
    assert_eq!((count(&desk, "session").await, count(&desk, "revocation").await), (41, 40));
    let mut counts = Vec::new();
    for n in 0..4 {
        // More than thirty days after the old ones expired, and just thirty after the recent one.
        let new = session(&desk, &alice, 32 * DAY, 62 * DAY);
        desk.store.insert_session(new_session(&new, RefreshTokenHash([60 + n; 32]))).await.unwrap();
        counts.push((count(&desk, "session").await, count(&desk, "revocation").await));
    }
    assert_eq!(counts, [(26, 24), (11, 8), (4, 0), (5, 0)]);
    let kept = Rotation { now: Timestamp(32 * DAY), ..rotation(50, 51) };
    let refused = desk.store.rotate_refresh_token(kept).await;
    assert!(matches!(refused, Err(Error::RefreshTokenExpired)), "{refused:?}");
}
