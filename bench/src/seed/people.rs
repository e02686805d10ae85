//! Users, each with one session.

use tidings_core::clock::Timestamp;
use tidings_core::ids::{AppId, IdSource as _, StreamId, SystemIds, UserId};

use super::{Plan, Tables};

/// The number of the event that tells of a registration.
const USER_REGISTERED: i64 = 4;
/// Sessions of a set last this long, in milliseconds: sets are kept for weeks.
const SESSION_MS: i64 = 365 * 24 * 3600 * 1000;

/// Writes everybody; gives the last place in the log.
pub(super) fn write(tables: &Tables, plan: &Plan) -> anyhow::Result<i64> {
    let mut ids: Vec<_> = (0..plan.people).map(|_| SystemIds.uuid(Timestamp(tables.now))).collect();
    ids.sort_unstable();
    let mut log = 0;
    for (n, id) in ids.iter().enumerate() {
        log += 1;
        write_person(tables, UserId(*id), n, log)?;
    }
    Ok(log)
}

fn write_person(tables: &Tables, user: UserId, n: usize, log: i64) -> anyhow::Result<()> {
    let (db, now, app) = (&tables.db, tables.now, AppId::DEFAULT.0);
    let name = format!("person{n}");
    db.prepare_cached(
        "INSERT INTO users (id, app_id, username, display_name, created_at) VALUES (?1, ?2, ?3, ?3, ?4)",
    )?
    .execute((user.as_bytes(), app, name, now))?;
    let stream = StreamId::User(user).to_bytes();
    db.prepare_cached(
        "INSERT INTO event (log_id, stream, pos, kind, actor, at, ref) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?4)",
    )?
    .execute((log, stream, USER_REGISTERED, user.as_bytes(), now))?;
    db.prepare_cached(
        "INSERT INTO head (stream, kind, last_pos, last_seq, last_ord, last_all, last_log, last_sent_log)
         VALUES (?1, ?2, 1, 0, 0, 0, ?3, ?3)",
    )?
    .execute((stream, stream[0], log))?;
    let mut refresh = [0_u8; 32];
    SystemIds.fill(&mut refresh);
    db.prepare_cached(
        "INSERT INTO session (id, app_id, user, created_at, last_used_at, expires_at, token_hash)
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)",
    )?
    .execute((
        SystemIds.uuid(Timestamp(now)).as_bytes(),
        app,
        user.as_bytes(),
        now,
        now + SESSION_MS,
        refresh,
    ))?;
    Ok(())
}
