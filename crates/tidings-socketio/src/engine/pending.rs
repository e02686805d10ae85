//! Frames that wait to be taken: mostly none or one, which then needs no memory of its own.

use std::collections::VecDeque;

use crate::frame::SharedFrame;

/// Room for frames that an idle connection keeps.
const IDLE_FRAMES: usize = 16;

/// In the order in which they came.
#[derive(Default)]
pub(super) struct Pending {
    first: Option<SharedFrame>,
    /// None where there is no first.
    rest: VecDeque<SharedFrame>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn push(&mut self, frame: SharedFrame) {
        if self.first.is_none() {
            self.first = Some(frame);
        } else {
            self.rest.push_back(frame);
        }
    }

    /// Gives the only one, or puts all of them into the empty queue `several`. Where there is none it takes back the
    /// room for the next burst.
    pub(super) fn take(&mut self, several: &mut VecDeque<SharedFrame>) -> Option<SharedFrame> {
        if self.first.is_none() && several.capacity() > 0 {
            std::mem::swap(&mut self.rest, several);
            self.rest.shrink_to(IDLE_FRAMES);
            several.shrink_to(IDLE_FRAMES);
        }
        if self.rest.is_empty() {
            return self.first.take();
        }
        std::mem::swap(&mut self.rest, several);
        if let Some(first) = self.first.take() {
            several.push_front(first);
        }
        None
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SharedFrame> {
        self.first.iter().chain(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_taken_in_the_order_in_which_they_came() {
        let (mut pending, mut several) = (Pending::default(), VecDeque::new());
        let frame = |tag| SharedFrame::event("a", "1", tag);
        for count in 0..4 {
            (1..=count).for_each(|tag| pending.push(frame(tag)));
            let tags: Vec<u64> = pending.iter().map(SharedFrame::tag).collect();
            let single = pending.take(&mut several);
            assert_eq!(single.is_some(), count == 1, "{count}");
            let taken: Vec<u64> =
                single.into_iter().chain(several.drain(..)).map(|frame| frame.tag()).collect();
            assert_eq!(taken, (1..=count).collect::<Vec<_>>());
            assert_eq!(taken, tags);
            assert!(pending.is_empty());
        }
    }
}
