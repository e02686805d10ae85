//! Rows of `membership`: intervals, with the marks that senders have moved since.

use rusqlite::{Connection, OptionalExtension, Row};
use tidings_core::clock::Timestamp;
use tidings_core::conversations::{Marks, Membership, MembershipState, Participant, ParticipantCursor, Role};
use tidings_core::ids::{ConversationId, LogId, Pos, Seq, UserId};

use super::preferences::preferences_of;
use crate::rows::{Rows, bound, int, limit as sql_limit, log_id, named, opt_uint, pos, seq, uint};

/// The position to read at in a transaction, which sees nothing that it should not.
pub(crate) const PRESENT: Pos = Pos(u64::MAX);

/// The columns that [`Rows::membership_of`] reads, of a table named `m`.
pub(crate) const MEMBERSHIP: &str =
    "m.conversation, m.user, m.from_pos, m.to_pos, m.from_seq, m.to_seq, m.history_from_seq,
    m.from_log, m.to_log, m.joined_at, m.role, m.state, m.read_seq, m.read_ord, m.read_all, m.public_read_seq,
    m.delivered_seq, m.marks_log, m.preferences";

impl Rows<'_> {
    /// All intervals of one user, first to last, as they were after the event at `at`: what came later has not begun,
    /// or has not ended. A reader gives its head's position, which may be older than the rows; a transaction reads
    /// the [`PRESENT`].
    pub(crate) fn intervals(
        &self,
        conversation: ConversationId,
        user: UserId,
        at: Pos,
    ) -> rusqlite::Result<Vec<Membership>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {MEMBERSHIP} FROM membership AS m WHERE m.conversation = ?1 AND m.user = ?2 ORDER BY m.from_pos"
        ))?;
        let mut rows = statement.query((conversation.as_bytes(), user.as_bytes()))?;
        let mut intervals = Vec::new();
        while let Some(row) = rows.next()? {
            let membership = self.membership_of(row)?;
            if membership.from_pos <= at {
                intervals.push(membership.before_end(at));
            }
        }
        Ok(intervals)
    }

    /// The interval that began at this position.
    pub(crate) fn interval_from(
        &self,
        conversation: ConversationId,
        user: UserId,
        from_pos: Pos,
    ) -> rusqlite::Result<Membership> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {MEMBERSHIP} FROM membership AS m
             WHERE m.conversation = ?1 AND m.user = ?2 AND m.from_pos = ?3"
        ))?;
        let key = (conversation.as_bytes(), user.as_bytes(), bound(from_pos.0));
        statement.query_row(key, |row| self.membership_of(row))
    }

    /// The interval that ended at this position.
    pub(crate) fn interval_to(
        &self,
        conversation: ConversationId,
        user: UserId,
        to_pos: Pos,
    ) -> rusqlite::Result<Membership> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {MEMBERSHIP} FROM membership AS m
             WHERE m.conversation = ?1 AND m.user = ?2 AND m.to_pos = ?3"
        ))?;
        let key = (conversation.as_bytes(), user.as_bytes(), bound(to_pos.0));
        statement.query_row(key, |row| self.membership_of(row))
    }

    /// Who was in after the event at `at`, first who joined first.
    pub(crate) fn participants_at(
        &self,
        conversation: ConversationId,
        at: Pos,
        after: Option<ParticipantCursor>,
        limit: usize,
    ) -> rusqlite::Result<Vec<Participant>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {MEMBERSHIP} FROM membership AS m INDEXED BY membership_joined
             WHERE m.conversation = ?1 AND m.from_pos <= ?2 AND (m.to_pos IS NULL OR m.to_pos > ?2)
               AND (m.from_pos, m.user) > (?3, ?4)
             ORDER BY m.from_pos, m.user LIMIT ?5"
        ))?;
        // Positions begin at 1: nobody is before the first.
        let (from_pos, user) =
            after.map_or((0, [0; 16]), |after| (bound(after.from_pos.0), *after.user.as_bytes()));
        let mut rows =
            statement.query((conversation.as_bytes(), bound(at.0), from_pos, user, sql_limit(limit)))?;
        let mut participants = Vec::new();
        while let Some(row) = rows.next()? {
            let membership = self.membership_of(row)?.before_end(at);
            participants.push(Participant { user: self.named_user(membership.user)?, membership });
        }
        Ok(participants)
    }

    /// What somebody might do after the event at `at`, where it has changed since.
    pub(crate) fn role_at(&self, membership: &Membership, at: Pos) -> rusqlite::Result<Option<Role>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT role FROM former_role
             WHERE conversation = ?1 AND user = ?2 AND from_pos = ?3 AND until_pos > ?4 ORDER BY until_pos LIMIT 1",
        )?;
        let Membership { conversation, user, from_pos, .. } = membership;
        let key = (conversation.as_bytes(), user.as_bytes(), bound(from_pos.0), bound(at.0));
        statement.query_row(key, |row| named(row, 0, Role::parse)).optional()
    }

    /// Reads [`MEMBERSHIP`].
    pub(crate) fn membership_of(&self, row: &Row<'_>) -> rusqlite::Result<Membership> {
        let mut membership = Membership {
            conversation: ConversationId::from_bytes(row.get(0)?),
            user: UserId::from_bytes(row.get(1)?),
            from_pos: pos(row, 2)?,
            to_pos: opt_uint(row, 3)?.map(Pos),
            from_seq: seq(row, 4)?,
            to_seq: opt_uint(row, 5)?.map(Seq),
            history_from_seq: seq(row, 6)?,
            from_log: log_id(row, 7)?,
            to_log: opt_uint(row, 8)?.map(LogId),
            joined_at: Timestamp(row.get(9)?),
            role: named(row, 10, Role::parse)?,
            state: named(row, 11, MembershipState::parse)?,
            marks: Marks {
                read_seq: seq(row, 12)?,
                read_ord: uint(row, 13)?,
                read_all: uint(row, 14)?,
                public_read_seq: seq(row, 15)?,
                delivered_seq: seq(row, 16)?,
            },
            preferences: preferences_of(row, 18)?,
        };
        self.move_marks(&mut membership, log_id(row, 17)?);
        Ok(membership)
    }

    /// Sending moves the sender's own marks, in the row only a moment later.
    fn move_marks(&self, membership: &mut Membership, marks_log: LogId) {
        let Some(mark) = self.newer.mark(membership.conversation, membership.user) else { return };
        if mark.from_pos == membership.from_pos && mark.log > marks_log {
            let marks = &mut membership.marks;
            marks.read_seq = mark.seq;
            marks.read_ord = mark.ord;
            marks.public_read_seq = marks.public_read_seq.max(mark.seq);
            marks.delivered_seq = marks.delivered_seq.max(mark.seq);
        }
    }
}

/// An interval as it was after the event at a position: before its end it was open.
trait Earlier {
    fn before_end(self, at: Pos) -> Self;
}

impl Earlier for Membership {
    fn before_end(self, at: Pos) -> Self {
        if self.to_pos.is_none_or(|to| to <= at) {
            return self;
        }
        Self { to_pos: None, to_seq: None, to_log: None, state: MembershipState::Active, ..self }
    }
}

/// Writes the role of an interval, and keeps the one before, which ends at this event.
pub(crate) fn set_role(
    conn: &Connection,
    membership: &Membership,
    before: Role,
    at: Pos,
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO former_role (conversation, user, from_pos, until_pos, role) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute((
        membership.conversation.as_bytes(),
        membership.user.as_bytes(),
        bound(membership.from_pos.0),
        bound(at.0),
        before.as_str(),
    ))?;
    let mut statement = conn.prepare_cached(
        "UPDATE membership SET role = ?4 WHERE conversation = ?1 AND user = ?2 AND from_pos = ?3",
    )?;
    statement.execute((
        membership.conversation.as_bytes(),
        membership.user.as_bytes(),
        bound(membership.from_pos.0),
        membership.role.as_str(),
    ))?;
    Ok(())
}

/// Writes a new interval, with how many are in after its beginning.
pub(crate) fn insert(conn: &Connection, membership: &Membership, count: usize) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO membership (conversation, user, from_pos, from_seq, history_from_seq, from_log, joined_at, role,
                                 state, read_seq, read_ord, read_all, public_read_seq, delivered_seq, marks_log,
                                 count_at_from)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?6, ?15)",
    )?;
    let marks = &membership.marks;
    statement.execute((
        membership.conversation.as_bytes(),
        membership.user.as_bytes(),
        int(membership.from_pos.0)?,
        int(membership.from_seq.0)?,
        int(membership.history_from_seq.0)?,
        int(membership.from_log.0)?,
        membership.joined_at.0,
        membership.role.as_str(),
        membership.state.as_str(),
        int(marks.read_seq.0)?,
        int(marks.read_ord)?,
        int(marks.read_all)?,
        int(marks.public_read_seq.0)?,
        int(marks.delivered_seq.0)?,
        int(count as u64)?,
    ))?;
    Ok(())
}

/// Writes an interval's end, with how many are in after it, and the marks that its sends have moved: the overlay knows
/// only one interval of a user.
pub(crate) fn close(conn: &Connection, membership: &Membership, count: usize) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached(
        "UPDATE membership SET to_pos = ?4, to_seq = ?5, to_log = ?6, state = ?7, read_seq = ?8, read_ord = ?9,
                public_read_seq = ?10, delivered_seq = ?11, marks_log = ?6, count_at_to = ?12
         WHERE conversation = ?1 AND user = ?2 AND from_pos = ?3",
    )?;
    let marks = &membership.marks;
    let end = |value: Option<u64>| value.map(int).transpose();
    statement.execute((
        membership.conversation.as_bytes(),
        membership.user.as_bytes(),
        int(membership.from_pos.0)?,
        end(membership.to_pos.map(|pos| pos.0))?,
        end(membership.to_seq.map(|seq| seq.0))?,
        end(membership.to_log.map(|log| log.0))?,
        membership.state.as_str(),
        int(marks.read_seq.0)?,
        int(marks.read_ord)?,
        int(marks.public_read_seq.0)?,
        int(marks.delivered_seq.0)?,
        int(count as u64)?,
    ))?;
    Ok(())
}
