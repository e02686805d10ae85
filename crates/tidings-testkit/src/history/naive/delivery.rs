//! The naive design's pub/sub, its sockets, and the lists of those who are offline.

use std::collections::BTreeMap;

use fastrand::Rng;
use tokio::sync::mpsc;

use super::{FAULT_ONE_IN, Fault};
use crate::history::{Arrival, Event, EventBody, Id};

/// How many publications a node misses while it is not subscribed.
const AWAY_PUBLICATIONS: u32 = 5;

pub(super) struct Devices {
    rng: Rng,
    fault: Option<Fault>,
    devices: Vec<Device>,
    by_user: BTreeMap<Id, Vec<usize>>,
    /// Publications that the second node will still miss.
    away_for: u32,
}

#[derive(Default)]
struct Device {
    /// Everything that was for it. A token is a place in here.
    list: Vec<Event>,
    /// What will be put on the list when the device has just drained it.
    late: Vec<Event>,
    socket: Option<mpsc::UnboundedSender<Arrival>>,
}

impl Devices {
    pub fn new(seed: u64, fault: Option<Fault>) -> Self {
        let rng = Rng::with_seed(!seed);
        Self { rng, fault, devices: Vec::new(), by_user: BTreeMap::new(), away_for: 0 }
    }

    pub fn connect(&mut self, user: &Id, since: Option<&str>) -> mpsc::UnboundedReceiver<Arrival> {
        let (index, taken) = since.and_then(read_token).unwrap_or_else(|| {
            self.by_user.entry(Id::clone(user)).or_default().push(self.devices.len());
            self.devices.push(Device::default());
            (self.devices.len() - 1, 0)
        });
        let (sender, receiver) = mpsc::unbounded_channel();
        let device = &mut self.devices[index];
        for event in &device.list[taken..] {
            let _ = sender.send(Arrival::Event(event.clone()));
        }
        let _ = sender.send(Arrival::Ready { next: token(index, device.list.len()) });
        device.socket = Some(sender);
        // Drained: what comes to the list now waits for the next time.
        let late = std::mem::take(&mut device.late);
        device.list.extend(late);
        receiver
    }

    /// Called for each user who should get the event.
    pub fn deliver(&mut self, user: &Id, conversation: &Id, pos: u64, body: &EventBody) {
        for index in self.by_user.get(user).cloned().unwrap_or_default() {
            let is_on_second_node = index % 2 == 1;
            if self.away_for > 0 && is_on_second_node {
                continue;
            }
            let is_late = self.fault == Some(Fault::PushAfterDrain) && self.rng.bool();
            let device = &mut self.devices[index];
            let event = Event {
                conversation: Id::clone(conversation),
                pos,
                span: 1,
                next: Some(token(index, device.list.len() + 1)),
                body: body.clone(),
            };
            let is_online = device.socket.as_ref().is_some_and(|socket| !socket.is_closed());
            if !is_online && is_late {
                device.late.push(event);
                continue;
            }
            device.list.push(event.clone());
            if let Some(socket) = &device.socket {
                let _ = socket.send(Arrival::Event(event));
            }
        }
    }

    /// Called after each publication.
    pub fn published(&mut self) {
        self.away_for = self.away_for.saturating_sub(1);
        if self.fault == Some(Fault::SubscriberAway) && self.rng.u32(..FAULT_ONE_IN) == 0 {
            self.away_for = AWAY_PUBLICATIONS;
        }
    }
}

fn token(device: usize, taken: usize) -> String {
    format!("{device}#{taken}")
}

fn read_token(token: &str) -> Option<(usize, usize)> {
    let (device, taken) = token.split_once('#')?;
    Some((device.parse().ok()?, taken.parse().ok()?))
}
