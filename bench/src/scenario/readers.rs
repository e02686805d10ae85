//! Who asks for pages, by the clock, and looks at each of them.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::crowd::{Answer, Crowd, PATIENCE, Run};
use crate::dialect::read_page;
use crate::engine::{Engine, LinkId, Nanos};
use crate::latency::Latency;
use crate::measure::nanos;
use crate::schedule::Schedule;
use crate::wire::http;

/// Messages in a page: the default.
pub(super) const PAGE: u64 = 50;
/// Pages that are asked for at a time.
const LINKS: usize = 64;
/// Pages a second, by the clock.
const PER_SECOND: f64 = 200.0;

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// History at random depths.
    History,
    /// The first page of somebody's conversations.
    Lists,
}

/// A page that is under way.
#[derive(Debug, Clone, Copy)]
struct Asked {
    intended: Nanos,
    wanted: Wanted,
}

#[derive(Debug, Clone, Copy)]
enum Wanted {
    Before(u64),
    List,
}

/// Connections on which pages are asked for.
pub(super) struct Readers {
    what: What,
    free: Vec<LinkId>,
    asked: HashMap<LinkId, Asked>,
    random: u64,
}

impl Readers {
    /// Each round reads at places of its own.
    pub(super) fn connect(
        engine: &mut Engine,
        crowd: &mut Crowd,
        what: What,
        round: usize,
    ) -> anyhow::Result<Self> {
        let free = (0..LINKS).map(|_| crowd.connect_plain(engine)).collect::<anyhow::Result<_>>()?;
        let random = 0x9e37_79b9_7f4a_7c15_u64.rotate_left(u32::try_from(round)?);
        Ok(Self { what, free, asked: HashMap::new(), random })
    }

    pub(super) fn leave(self, engine: &mut Engine) {
        for link in self.free {
            engine.drop_link(link);
        }
    }

    /// Asks by the clock; the latency counts from the intended moment. The sends of the crowd's run go on beside it,
    /// and end with it.
    ///
    /// # Errors
    /// At the first page that is refused or not whole.
    pub(super) fn read_for(
        &mut self,
        engine: &mut Engine,
        crowd: &mut Crowd,
        time: Duration,
    ) -> anyhow::Result<Latency> {
        let begin = engine.now();
        let count = (time.as_secs_f64() * PER_SECOND).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
        let mut schedule = Schedule::new(begin, PER_SECOND, count as u64);
        let (mut latency, until) = (Latency::new(), begin + nanos(time) + PATIENCE);
        while schedule.next_at().is_some() || !self.asked.is_empty() {
            ensure!(engine.now() < until, "pages have not been answered");
            crowd.send_due(engine);
            while let Some(intended) =
                (!self.free.is_empty()).then(|| schedule.take_due(engine.now())).flatten()
            {
                self.ask(engine, crowd, intended);
            }
            let next = schedule.next_at().unwrap_or(until).min(engine.now() + 1_000_000);
            let due = crowd.run.as_ref().and_then(Run::next_at).unwrap_or(until);
            engine.turn(crowd, next.min(due))?;
            ensure!(crowd.ended.is_empty(), "connections ended: {:?}", crowd.ended);
            while let Some(answer) = crowd.answers.pop_front() {
                if let Some(Asked { intended, wanted }) = self.asked.remove(&answer.link) {
                    check(&answer, wanted)?;
                    latency.record(answer.at - intended);
                    self.free.push(answer.link);
                }
            }
        }
        if let Some(run) = &mut crowd.run {
            run.is_over = true;
        }
        Ok(latency)
    }

    fn ask(&mut self, engine: &mut Engine, crowd: &Crowd, intended: Nanos) {
        let Some(link) = self.free.pop() else { return };
        let (path, person, wanted) = match self.what {
            What::History => self.a_page(crowd),
            What::Lists => {
                let person = usize::try_from(self.random() % crowd.tokens.len() as u64).unwrap_or(0);
                (format!("/api/conversations?limit={PAGE}"), person, Wanted::List)
            }
        };
        let token = &crowd.tokens[person];
        engine.send(link, |out| http::write_get(out, &path, token));
        self.asked.insert(link, Asked { intended, wanted });
    }

    fn a_page(&mut self, crowd: &Crowd) -> (String, usize, Wanted) {
        let conversations = &crowd.world.conversations;
        let place = usize::try_from(self.random() % conversations.len() as u64).unwrap_or(0);
        let conversation = &conversations[place];
        // A page before the 51st is the first whole one, a page before the next to come the last.
        let before = PAGE + 1 + self.random() % (conversation.seq - PAGE + 1);
        let path = format!("/api/conversations/{}/messages?before={before}&limit={PAGE}", conversation.id);
        (path, conversation.members[0] as usize, Wanted::Before(before))
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

/// A whole page; of history one without a hole, that ends where it was asked for.
fn check(answer: &Answer, wanted: Wanted) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 200, "a page was refused: {} {text}", answer.status);
    let before = match wanted {
        Wanted::Before(before) => before,
        Wanted::List => {
            // One of each conversation, and of the page itself.
            let unread = memchr::memmem::find_iter(&answer.body, b"\"unread\":").count() as u64;
            let goes_on = memchr::memmem::find(&answer.body, b"\"nextCursor\":\"").is_some();
            ensure!(unread == PAGE && goes_on, "{unread} conversations: {text}");
            return Ok(());
        }
    };
    let seqs = read_page(&answer.body).with_context(|| format!("not a page: {text}"))?;
    ensure!(seqs.iter().copied().eq(before - PAGE..before), "the page before {before} is {seqs:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, seqs: impl Iterator<Item = u64>) -> Answer {
        let messages: Vec<_> = seqs.map(|seq| format!("{{\"id\":\"m\",\"seq\":{seq}}}")).collect();
        let body = format!("{{\"messages\":[{}],\"pos\":900}}", messages.join(",")).into_bytes();
        Answer { link: LinkId(0), at: 0, status, body }
    }

    #[test]
    fn only_a_whole_page_that_ends_where_it_was_asked_for_is_one() {
        assert!(check(&page(200, 51..101), Wanted::Before(101)).is_ok());
        let wrong = [
            page(403, 51..101),
            page(200, 52..101),
            page(200, 50..100),
            page(200, (50..101).filter(|seq| *seq != 60)),
            page(200, (51..101).rev()),
            Answer { body: b"[]".to_vec(), ..page(200, 51..101) },
        ];
        for answer in wrong {
            assert!(check(&answer, Wanted::Before(101)).is_err(), "{answer:?}");
        }
    }
}
