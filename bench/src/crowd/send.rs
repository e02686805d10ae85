//! Sends: when the next one is due, who sends it where, and how long it took.

use std::collections::VecDeque;

use uuid::Builder;

use super::Crowd;
use crate::dialect::{Send, content_of, event_parts};
use crate::engine::{Engine, Nanos};
use crate::latency::Latency;
use crate::schedule::Schedule;
use crate::seed::ClientIds;
use crate::world::Conversation;

/// Sends that may wait for a free connection for requests; with more the rate is beyond what can be measured.
const BACKLOG_MAX: usize = 65_536;

/// Through which door sends go in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Rest,
    Socket,
}

/// Where the next send goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// To each conversation in turn.
    InTurn,
    /// To any.
    Random,
}

/// What says when the next send is due.
#[derive(Debug)]
pub(crate) enum Pace {
    /// The answer to one before: how much can it take?
    Closed { in_flight: usize },
    /// The clock: how long do people wait?
    Open(Schedule),
}

/// One send.
#[derive(Debug, Clone, Copy)]
struct Planned {
    intended: Nanos,
    conversation: u32,
    sender: u32,
}

/// One measured series of sends.
#[derive(Debug)]
pub(crate) struct Run {
    pub door: Door,
    pub choice: Choice,
    pub client_ids: ClientIds,
    /// Sends intended within count: from here, up to here.
    pub window: (Nanos, Nanos),
    /// Nothing new is sent any more.
    pub is_over: bool,
    /// From the intended moment to the answer.
    pub answered: Latency,
    /// From the intended moment to the last member who has parsed it.
    pub shown: Latency,
    /// Answers that came within the window.
    pub answers: u64,
    /// Frames that came within the window.
    pub deliveries: u64,
    pub refused: u64,
    /// What the first refusal said.
    pub refusal: Option<String>,
    /// The rate was beyond what could be measured.
    pub is_overrun: bool,
    /// The most that a send left later than intended because the generator was not there, in nanoseconds.
    pub late_max: Nanos,
    pace: Pace,
    first: u64,
    planned: Vec<Planned>,
    backlog: VecDeque<u64>,
    random: u64,
    epoch_ms: u64,
}

impl Run {
    pub(crate) fn new(door: Door, choice: Choice, client_ids: ClientIds, pace: Pace, epoch_ms: u64) -> Self {
        Self {
            door,
            choice,
            client_ids,
            window: (0, Nanos::MAX),
            is_over: false,
            answered: Latency::new(),
            shown: Latency::new(),
            answers: 0,
            deliveries: 0,
            refused: 0,
            refusal: None,
            is_overrun: false,
            late_max: 0,
            pace,
            first: 0,
            planned: Vec::new(),
            backlog: VecDeque::new(),
            random: epoch_ms | 1,
            epoch_ms,
        }
    }

    /// The next moment at which something is due by the clock.
    pub(crate) fn next_at(&self) -> Option<Nanos> {
        match &self.pace {
            Pace::Open(schedule) if !self.is_over => schedule.next_at(),
            Pace::Open(_) | Pace::Closed { .. } => None,
        }
    }

    /// Where an operation of this run was sent.
    pub(crate) fn conversation_of(&self, operation: u64) -> Option<u32> {
        self.planned_of(operation).map(|planned| planned.conversation)
    }

    pub(super) fn on_shown(&mut self, operation: u64, is_last: bool, now: Nanos) {
        self.deliveries += u64::from(self.is_within(now));
        if let Some(intended) = self.intended_at(operation).filter(|at| is_last && self.is_within(*at)) {
            self.shown.record(now - intended);
        }
    }

    pub(super) fn on_taken(&mut self, operation: u64, is_taken: bool, said: &[u8], now: Nanos) {
        if !is_taken {
            self.refused += 1;
            self.refusal.get_or_insert_with(|| String::from_utf8_lossy(said).into_owned());
            return;
        }
        self.answers += u64::from(self.is_within(now));
        if let Some(intended) = self.intended_at(operation).filter(|at| self.is_within(*at)) {
            self.answered.record(now - intended);
        }
    }

    fn is_within(&self, at: Nanos) -> bool {
        (self.window.0..self.window.1).contains(&at)
    }

    fn intended_at(&self, operation: u64) -> Option<Nanos> {
        self.planned_of(operation).map(|planned| planned.intended)
    }

    fn planned_of(&self, operation: u64) -> Option<Planned> {
        let place = usize::try_from(operation.checked_sub(self.first)?).ok()?;
        self.planned.get(place).copied()
    }

    /// Who sends the next one where.
    fn plan(&mut self, intended: Nanos, conversations: &[Conversation]) -> Planned {
        let (count, sent) = (conversations.len(), self.planned.len());
        let (conversation, turn) = match self.choice {
            Choice::InTurn => (sent % count, sent / count),
            Choice::Random => (below(self.random(), count), below(self.random(), 1 << 16)),
        };
        let members = &conversations[conversation].members;
        let sender = members[turn % members.len()];
        Planned { intended, conversation: u32::try_from(conversation).unwrap_or(u32::MAX), sender }
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn client_id(&mut self, now: Nanos) -> String {
        let random = (u128::from(self.random()) << 64) | u128::from(self.random());
        let random = random.to_be_bytes();
        let id = match self.client_ids {
            ClientIds::V4 => Builder::from_random_bytes(random),
            ClientIds::V7 => {
                let mut tail = [0; 10];
                tail.copy_from_slice(&random[..10]);
                Builder::from_unix_timestamp_millis(self.epoch_ms + now / 1_000_000, &tail)
            }
        };
        id.into_uuid().to_string()
    }
}

fn below(random: u64, count: usize) -> usize {
    usize::try_from(random % (count as u64)).unwrap_or(0)
}

impl Crowd {
    /// Begins a series of sends.
    pub(crate) fn begin_run(&mut self, engine: &mut Engine, mut run: Run) {
        run.first = self.checker.next_operation();
        let at_once = match run.pace {
            Pace::Closed { in_flight } => in_flight,
            Pace::Open(_) => 0,
        };
        self.run = Some(run);
        for _ in 0..at_once {
            self.send_at(engine, engine.now());
        }
    }

    /// Sends everything that is due by the clock.
    pub(crate) fn send_due(&mut self, engine: &mut Engine) {
        let now = engine.now();
        while let Some(run) = self.run.as_mut().filter(|run| !run.is_over) {
            let Pace::Open(schedule) = &mut run.pace else { return };
            let Some(intended) = schedule.take_due(now) else { return };
            run.late_max = run.late_max.max(now - intended);
            self.send_at(engine, intended);
        }
    }

    /// There is a free place: in a closed loop the next send is due, in an open one somebody may wait.
    pub(super) fn after_answer(&mut self, engine: &mut Engine) {
        let Some(run) = &mut self.run else { return };
        if let Some(operation) = run.backlog.pop_front() {
            self.dispatch(engine, operation);
        } else if matches!(run.pace, Pace::Closed { .. }) && !run.is_over {
            let now = engine.now();
            self.send_at(engine, now);
        }
    }

    fn send_at(&mut self, engine: &mut Engine, intended: Nanos) {
        let Some(run) = &mut self.run else { return };
        let planned = run.plan(intended, &self.world.conversations);
        let members = self.world.conversations[planned.conversation as usize].members.len();
        let online = if self.devices.is_empty() { 0 } else { u32::try_from(members).unwrap_or(u32::MAX) };
        run.planned.push(planned);
        let operation = self.checker.begin(online);
        self.dispatch(engine, operation);
    }

    fn dispatch(&mut self, engine: &mut Engine, operation: u64) {
        let Some(run) = &mut self.run else { return };
        let Some(planned) = run.planned_of(operation) else { return };
        let post = match run.door {
            Door::Socket => None,
            Door::Rest => match self.free_posts.pop() {
                Some(post) => Some(post),
                None if run.backlog.len() < BACKLOG_MAX => return run.backlog.push_back(operation),
                None => {
                    (run.is_over, run.is_overrun) = (true, true);
                    return;
                }
            },
        };
        let (client_id, content) = (run.client_id(engine.now()), content_of(operation));
        let conversation = &self.world.conversations[planned.conversation as usize].id;
        let send = Send { conversation, client_id: &client_id, content: &content };
        if let Some(post) = post {
            let (dialect, token) = (self.dialect, &self.tokens[planned.sender as usize]);
            self.posts[post as usize].operation = Some(operation);
            engine.send(self.posts[post as usize].link, |out| dialect.write_post(out, token, send));
        } else {
            let device = &mut self.devices[planned.sender as usize];
            device.waiting.push_back((device.acks, operation));
            let number = device.acks.to_string();
            device.acks += 1;
            engine.send_packet(device.link, &event_parts(&number, send));
        }
    }
}
