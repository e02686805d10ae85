//! Conversations, who is in them, and what was said: in the order of the primary keys.

use rusqlite::Statement;
use tidings_core::clock::Timestamp;
use tidings_core::conversations::{ConversationKind, MembershipState, Role};
use tidings_core::ids::{AppId, ConversationId, IdSource as _, StreamId, SystemIds};
use uuid::{Builder, Uuid};

use super::{ClientIds, Plan, Tables};

/// The number of the event that tells of a new conversation.
const CREATED: i64 = 1;
/// The number of the event that tells of a message.
const SENT: i64 = 0;
/// What everybody may do in a group, as the store writes it where nothing else was said.
const SETTINGS: &str = r#"{"send":"members","add":"admins","edit":"admins","history":"joining"}"#;

/// What a send of the server writes into `message`.
pub(crate) fn message_columns() -> &'static str {
    "INSERT INTO message (conversation, seq, pos, log_id, ord, sender, client_id, request_mac, created_at, version,
                          type, body)
     VALUES (?1, ?2, ?3, ?4, ?2, ?5, ?6, ?7, ?8, 1, 'text', ?9)"
}

/// One conversation while it is written.
struct Room {
    id: ConversationId,
    members: Vec<[u8; 16]>,
    created_log: i64,
    messages: i64,
}

/// Writes all conversations from the place `log` in the log on; gives the last place.
pub(super) fn write(tables: &Tables, plan: &Plan, mut log: i64) -> anyhow::Result<i64> {
    let people = list_people(tables)?;
    let mut ids: Vec<_> = (0..plan.conversations).map(|_| SystemIds.uuid(Timestamp(tables.now))).collect();
    ids.sort_unstable();
    if plan.client_ids == ClientIds::V4 {
        tables.drop_client_index()?;
    }
    for (n, id) in (0_u64..).zip(ids) {
        let (count, stride) = (people.len() as u64, u64::from(plan.stride));
        let member = |k: u64| people[usize::try_from((n * stride + k) % count).unwrap_or(0)];
        let mut members: Vec<_> = (0..u64::from(plan.members)).map(member).collect();
        members.sort_unstable();
        let rooms = u64::from(plan.conversations);
        let messages = plan.messages / rooms + u64::from(n < plan.messages % rooms);
        log += 1;
        let room =
            Room { id: ConversationId(id), members, created_log: log, messages: messages.cast_signed() };
        write_room(tables, &room)?;
        write_messages(tables, plan, &room)?;
        log += room.messages;
    }
    if plan.client_ids == ClientIds::V4 {
        tables.make_client_index()?;
    }
    Ok(log)
}

fn list_people(tables: &Tables) -> rusqlite::Result<Vec<[u8; 16]>> {
    let mut statement = tables.db.prepare("SELECT id FROM users ORDER BY id")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn write_room(tables: &Tables, room: &Room) -> anyhow::Result<()> {
    let (db, now, log) = (&tables.db, tables.now, room.created_log);
    let (id, owner, stream) =
        (room.id.as_bytes(), &room.members[0], StreamId::Conversation(room.id).to_bytes());
    db.prepare_cached(
        "INSERT INTO conversation (id, app_id, kind, title, settings, created_at, created_by)
         VALUES (?1, ?2, ?3, 'bench', ?4, ?5, ?6)",
    )?
    .execute((id, AppId::DEFAULT.0, ConversationKind::Group.as_str(), SETTINGS, now, owner))?;
    db.prepare_cached(
        "INSERT INTO event (log_id, stream, pos, kind, actor, at, data) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6)",
    )?
    .execute((log, stream, CREATED, owner, now, [0_u8; 16]))?;
    db.prepare_cached(
        "INSERT INTO head (stream, kind, last_pos, last_seq, last_ord, last_all, last_log, last_sent_log)
         VALUES (?1, ?2, ?3 + 1, ?3, ?3, 0, ?4, ?4)",
    )?
    .execute((stream, stream[0], room.messages, log + room.messages))?;
    let mut insert = db.prepare_cached(
        "INSERT INTO membership (conversation, user, from_pos, from_seq, history_from_seq, from_log, joined_at, role,
             state, read_seq, read_ord, read_all, public_read_seq, delivered_seq, marks_log)
         VALUES (?1, ?2, 1, 1, 1, ?3, ?4, ?5, ?8, ?6, ?6, 0, ?6, ?6, ?7)",
    )?;
    for (k, member) in (0..).zip(&room.members) {
        let read = last_sent_by(room, k);
        let marks_log = log + read;
        let role = if k == 0 { Role::Owner } else { Role::Member };
        let state = MembershipState::Active.as_str();
        insert.execute((id, member, log, now, role.as_str(), read, marks_log, state))?;
    }
    Ok(())
}

/// The members speak in turn; the last `seq` of the one at place `k`, or 0.
fn last_sent_by(room: &Room, k: i64) -> i64 {
    let members = i64::try_from(room.members.len()).unwrap_or(1);
    let last = room.messages - 1;
    if last < k { 0 } else { last - (last - k).rem_euclid(members) + 1 }
}

fn write_messages(tables: &Tables, plan: &Plan, room: &Room) -> anyhow::Result<()> {
    let mut message = tables.db.prepare_cached(message_columns())?;
    let mut event = tables.db.prepare_cached(
        "INSERT INTO event (log_id, stream, pos, kind, actor, at, ref, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let stream = StreamId::Conversation(room.id).to_bytes();
    for (sender, seq) in room.members.iter().cycle().zip(1..=room.messages) {
        write_message(&mut message, tables, plan, room, sender, seq)?;
        let ord = seq.to_be_bytes();
        let zeros = ord.iter().take_while(|byte| **byte == 0).count();
        let data = [&[0], &ord[zeros..]].concat();
        event.execute((room.created_log + seq, stream, seq + 1, SENT, sender, tables.now, seq, data))?;
    }
    Ok(())
}

fn write_message(
    insert: &mut Statement<'_>,
    tables: &Tables,
    plan: &Plan,
    room: &Room,
    sender: &[u8; 16],
    seq: i64,
) -> anyhow::Result<()> {
    let log = room.created_log + seq;
    let client_id = client_id(plan.client_ids, tables.now, log);
    let text = format!(
        "seeded {seq:010} the quick brown fox jumps over the lazy dog, and the dog over the fox again"
    );
    insert.execute((
        room.id.as_bytes(),
        seq,
        seq + 1,
        log,
        sender,
        client_id.as_bytes(),
        [0_u8; 16],
        tables.now,
        text,
    ))?;
    Ok(())
}

/// A client id for the message at this place in the log; its time lies in the past, so that a run's ids come after it.
fn client_id(version: ClientIds, now: i64, log: i64) -> Uuid {
    let scattered = (log.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let scattered = (u128::from(scattered) << 64) | u128::from(scattered.wrapping_mul(0xd6e8_feb8_6659_fd93));
    match version {
        ClientIds::V4 => Builder::from_random_bytes(scattered.to_be_bytes()).into_uuid(),
        ClientIds::V7 => {
            let mut random = [0; 10];
            random.copy_from_slice(&scattered.to_be_bytes()[..10]);
            // The first bytes go on with the order within a millisecond.
            let past = (now - 86_400_000 + log / 100).cast_unsigned();
            random[0] = u8::try_from(log % 100).unwrap_or(0) >> 4;
            random[1] = u8::try_from(log % 100).unwrap_or(0) << 4;
            Builder::from_unix_timestamp_millis(past, &random).into_uuid()
        }
    }
}
