//! Pages of history. `seq` is dense, so which messages a page holds is arithmetic over the viewer's intervals; the
//! database is asked for exactly those.

use std::ops::RangeInclusive;

use tidings_core::conversations::{Head, Membership};
use tidings_core::ids::{ConversationId, StreamId, UserId};
use tidings_core::messages::{HistoryAnchor, HistoryPage, Message};

use super::{Eyes, MESSAGE, message_of};
use crate::conversations::seen_pos;
use crate::rows::{Rows, bound};

/// A run of `seq`s, both ends inclusive.
type Run = RangeInclusive<u64>;

/// What may be read: the union of the intervals' histories, lowest first, as runs that do not touch.
pub(crate) fn readable(intervals: &[Membership], head: &Head) -> Vec<Run> {
    let mut runs: Vec<(u64, u64)> = intervals
        .iter()
        .map(|interval| {
            let last = interval.to_seq.map_or(head.last_seq.0, |seq| seq.0.min(head.last_seq.0));
            (interval.history_from_seq.0.max(1), last)
        })
        .filter(|(first, last)| first <= last)
        .collect();
    runs.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(runs.len());
    for (first, last) in runs {
        match merged.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged.into_iter().map(|(first, last)| first..=last).collect()
}

/// A page; none to strangers.
pub(super) fn list_messages(
    rows: Rows<'_>,
    viewer: UserId,
    conversation: ConversationId,
    anchor: HistoryAnchor,
    limit: usize,
) -> rusqlite::Result<Option<HistoryPage>> {
    let Some(head) = rows.head(StreamId::Conversation(conversation))? else { return Ok(None) };
    let intervals = rows.intervals(conversation, viewer, head.last_pos)?;
    let Some(me) = intervals.last() else { return Ok(None) };
    let pick = pick(&readable(&intervals, &head), anchor, limit as u64);
    let mut messages = Vec::new();
    for run in &pick.runs {
        read_run(rows, Eyes::of(viewer, &intervals), conversation, run, &mut messages)?;
    }
    Ok(Some(HistoryPage {
        messages,
        pos: seen_pos(me, &head),
        has_more_before: pick.more_before,
        has_more_after: pick.more_after,
    }))
}

pub(crate) fn run_sql() -> String {
    format!("SELECT {MESSAGE} FROM message WHERE conversation = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq")
}

fn read_run(
    rows: Rows<'_>,
    eyes: Eyes,
    conversation: ConversationId,
    run: &Run,
    messages: &mut Vec<Message>,
) -> rusqlite::Result<()> {
    let mut statement = rows.conn.prepare_cached(&run_sql())?;
    let found =
        statement.query_map((conversation.as_bytes(), bound(*run.start()), bound(*run.end())), message_of)?;
    for message in found {
        messages.push(rows.seen(message?, eyes)?);
    }
    Ok(())
}

/// Which messages a page holds.
#[derive(Debug, PartialEq, Eq)]
struct Pick {
    runs: Vec<Run>,
    more_before: bool,
    more_after: bool,
}

fn pick(readable: &[Run], anchor: HistoryAnchor, limit: u64) -> Pick {
    // The page is what stands below `cut` and what stands at and above it, so much of each.
    let (cut, below, above) = match anchor {
        HistoryAnchor::Latest => (u64::MAX, limit, 0),
        HistoryAnchor::Before(seq) => (seq.0, limit, 0),
        HistoryAnchor::After(seq) => (seq.0.saturating_add(1), 0, limit),
        HistoryAnchor::Around(seq) => (seq.0, limit / 2, limit - limit / 2),
    };
    let mut runs = take_below(readable, cut, below);
    runs.extend(take_above(readable, cut, above));
    let first = runs.first().map_or(cut, |run| *run.start());
    let last = runs.last().map_or(cut.saturating_sub(1), |run| *run.end());
    Pick {
        more_before: readable.first().is_some_and(|run| *run.start() < first),
        more_after: readable.last().is_some_and(|run| *run.end() > last),
        runs,
    }
}

/// The highest `count` below `cut`, lowest run first.
fn take_below(readable: &[Run], cut: u64, mut count: u64) -> Vec<Run> {
    let mut runs = Vec::new();
    for run in readable.iter().rev() {
        let last = (*run.end()).min(cut.saturating_sub(1));
        if count == 0 || last < *run.start() {
            continue;
        }
        let first = last.saturating_sub(count - 1).max(*run.start());
        count -= last - first + 1;
        runs.push(first..=last);
    }
    runs.reverse();
    runs
}

/// The lowest `count` at `cut` and above.
fn take_above(readable: &[Run], cut: u64, mut count: u64) -> Vec<Run> {
    let mut runs = Vec::new();
    for run in readable {
        let first = (*run.start()).max(cut);
        if count == 0 || first > *run.end() {
            continue;
        }
        let last = first.saturating_add(count - 1).min(*run.end());
        count -= last - first + 1;
        runs.push(first..=last);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_core::ids::Seq;

    fn page(readable: &[Run], anchor: HistoryAnchor, limit: u64) -> (Vec<u64>, bool, bool) {
        let pick = pick(readable, anchor, limit);
        (pick.runs.into_iter().flatten().collect(), pick.more_before, pick.more_after)
    }

    #[test]
    fn a_page_skips_what_lies_between_two_intervals() {
        let readable = [1..=4, 8..=10];
        assert_eq!(page(&readable, HistoryAnchor::Latest, 5), (vec![3, 4, 8, 9, 10], true, false));
        assert_eq!(page(&readable, HistoryAnchor::Latest, 9), (vec![1, 2, 3, 4, 8, 9, 10], false, false));
        assert_eq!(page(&readable, HistoryAnchor::Before(Seq(8)), 2), (vec![3, 4], true, true));
        assert_eq!(page(&readable, HistoryAnchor::After(Seq(4)), 2), (vec![8, 9], true, true));
        assert_eq!(page(&readable, HistoryAnchor::After(Seq(3)), 2), (vec![4, 8], true, true));
    }

    #[test]
    fn around_is_half_before_the_one_and_the_rest_after() {
        let readable = [1..=100];
        assert_eq!(
            page(&readable, HistoryAnchor::Around(Seq(50)), 5),
            (vec![48, 49, 50, 51, 52], true, true)
        );
        assert_eq!(page(&readable, HistoryAnchor::Around(Seq(50)), 4), (vec![48, 49, 50, 51], true, true));
        assert_eq!(page(&readable, HistoryAnchor::Around(Seq(50)), 1), (vec![50], true, true));
        assert_eq!(page(&readable, HistoryAnchor::Around(Seq(1)), 4), (vec![1, 2], false, true));
    }

    #[test]
    fn the_edges_are_said_right() {
        let readable = [3..=5];
        assert_eq!(page(&readable, HistoryAnchor::Before(Seq(3)), 2), (vec![], false, true));
        assert_eq!(page(&readable, HistoryAnchor::After(Seq(5)), 2), (vec![], true, false));
        assert_eq!(page(&readable, HistoryAnchor::Before(Seq(0)), 2), (vec![], false, true));
        assert_eq!(page(&readable, HistoryAnchor::After(Seq(u64::MAX)), 2), (vec![], true, false));
        assert_eq!(page(&readable, HistoryAnchor::Around(Seq(u64::MAX)), 2), (vec![5], true, false));
        assert_eq!(page(&[], HistoryAnchor::Latest, 2), (vec![], false, false));
        assert_eq!(page(&readable, HistoryAnchor::Latest, 3), (vec![3, 4, 5], false, false));
    }
}
