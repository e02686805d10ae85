//! The shadow of one file: what is surely on the disk, and what only may be.

/// The unit that a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

use super::Dice;

/// What is rewritten behind SQLite's back reaches the disk in pieces of this size.
const REWRITTEN_BYTES: usize = 4_096;

/// One file, by path. It outlives handles on the file, and the file itself.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    /// Open handles.
    pub(super) handles: usize,
    /// Length as connections see it.
    pub(super) length: u64,
    /// The content as connections see it, written or not; `None`: there is no file of this name.
    seen: Option<Vec<u8>>,
    /// The content as of the last sync; `None`: the disk knows no file of this name.
    durable: Option<Vec<u8>>,
    /// What happened since, oldest first.
    unsynced: Vec<Unsynced>,
    changes: u64,
    /// Syncs that failed, of any handle.
    pub(super) failures: u64,
}

#[derive(Debug)]
struct Unsynced {
    number: u64,
    change: Change,
    /// A sync of it failed: the next one will pass over it.
    given_up: bool,
}

#[derive(Debug)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    Truncate { length: u64 },
    Delete,
}

/// The changes up to some instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

impl Shadow {
    /// The file is opened for the first time, or again after all handles were closed, and holds `content`; `None`: it
    /// is new. If that is not what was left here, somebody replaced the file (a restore); it then counts as synced. If
    /// it is, and somebody wrote it once more, all of it is dirty.
    pub(super) fn meet(&mut self, content: Option<Vec<u8>>, rewritten: bool) {
        if self.seen != content {
            *self = Self {
                length: content.as_ref().map_or(0, |content| content.len() as u64),
                seen: content.clone(),
                durable: content,
                ..Self::default()
            };
        } else if rewritten {
            let pieces = content.iter().flat_map(|content| content.chunks(REWRITTEN_BYTES));
            for (piece, offset) in pieces.zip((0..).step_by(REWRITTEN_BYTES)) {
                self.write(offset, piece);
            }
        }
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        self.length = self.length.max(offset + data.len() as u64);
        self.push(Change::Write { offset, data: data.to_vec() });
    }

    pub(super) fn truncate(&mut self, length: u64) {
        self.length = length;
        self.push(Change::Truncate { length });
    }

    pub(super) fn delete(&mut self) {
        self.length = 0;
        self.push(Change::Delete);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.changes)
    }

    /// What happened up to `mark` is on the disk, and so is the file's name.
    pub(super) fn sync(&mut self, mark: Mark) {
        let later = self.unsynced.partition_point(|unsynced| unsynced.number <= mark.0);
        for Unsynced { change, given_up, .. } in self.unsynced.drain(..later) {
            // Lengths and names are metadata, which file systems journal apart from the data.
            if !(given_up && matches!(change, Change::Write { .. })) {
                change.apply(&mut self.durable);
            }
        }
        self.durable.get_or_insert_default();
        self.seen.get_or_insert_default();
    }

    /// A sync up to `mark` failed.
    pub(super) fn sync_failed(&mut self, mark: Mark) {
        let tried = self.unsynced.iter_mut().filter(|unsynced| unsynced.number <= mark.0);
        tried.for_each(|unsynced| unsynced.given_up = true);
        self.failures += 1;
    }

    /// The directory was synced: a deletion is final, and with it what was done to the deleted file.
    pub(super) fn sync_name(&mut self) {
        let deletion = self.unsynced.iter().rposition(|unsynced| matches!(unsynced.change, Change::Delete));
        if let Some(deletion) = deletion {
            self.unsynced.drain(..=deletion);
            self.durable = None;
        }
    }

    /// The content that a power cut now leaves, by the dice.
    pub(super) fn crash(&self, dice: &mut Dice) -> Option<Vec<u8>> {
        // Up to a random instant most changes arrive, after it few: a uniform part of them would almost never leave a
        // long intact WAL with a damaged end.
        let instant = dice.below(self.unsynced.len() as u64 + 1);
        let weather = Weather {
            percent_before: dice.one_of([50, 90, 100]),
            percent_after: dice.one_of([0, 10, 50]),
            percent_torn: dice.one_of([0, 50, 100]),
        };
        let mut content = self.durable.clone();
        for (index, unsynced) in (0..).zip(&self.unsynced) {
            match (weather.fate(index < instant, dice), &unsynced.change) {
                (Fate::Arrives, change) => change.apply(&mut content),
                (Fate::Torn, Change::Write { offset, data }) => tear(&mut content, *offset, data, dice),
                // The name still leads to the old file; what came later was done to a new one without a name.
                (_, Change::Delete) => break,
                (Fate::Torn | Fate::Lost, _) => {}
            }
        }
        content
    }

    fn push(&mut self, change: Change) {
        self.changes += 1;
        change.apply(&mut self.seen);
        self.unsynced.push(Unsynced { number: self.changes, change, given_up: false });
    }
}

impl Change {
    fn apply(&self, content: &mut Option<Vec<u8>>) {
        match self {
            Self::Write { offset, data } => put(content, *offset, data),
            Self::Truncate { length } => content.get_or_insert_default().resize(index(*length), 0),
            Self::Delete => *content = None,
        }
    }
}

/// Writes as a file does: what lies between the old end and the offset is zero.
fn put(content: &mut Option<Vec<u8>>, offset: u64, data: &[u8]) {
    let content = content.get_or_insert_default();
    let start = index(offset);
    let end = start + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(data);
}

/// Each sector of the write arrives or not. Bytes beside the write are never harmed, which SQLite relies on
/// (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`).
fn tear(content: &mut Option<Vec<u8>>, mut offset: u64, mut data: &[u8], dice: &mut Dice) {
    while !data.is_empty() {
        let in_sector = index(SECTOR_BYTES - offset % SECTOR_BYTES).min(data.len());
        let (sector, rest) = data.split_at(in_sector);
        if dice.percent(50) {
            put(content, offset, sector);
        }
        offset += in_sector as u64;
        data = rest;
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("test files fit in memory")
}

struct Weather {
    percent_before: u64,
    percent_after: u64,
    /// Of those that do not arrive whole.
    percent_torn: u64,
}

enum Fate {
    Arrives,
    Torn,
    Lost,
}

impl Weather {
    fn fate(&self, before: bool, dice: &mut Dice) -> Fate {
        if dice.percent(if before { self.percent_before } else { self.percent_after }) {
            Fate::Arrives
        } else if dice.percent(self.percent_torn) {
            Fate::Torn
        } else {
            Fate::Lost
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synced(content: &[u8]) -> Shadow {
        let mut file = Shadow::default();
        file.meet(Some(content.to_vec()), false);
        file
    }

    fn images(file: &Shadow) -> Vec<Option<Vec<u8>>> {
        let mut images: Vec<_> = (0..500).map(|seed| file.crash(&mut Dice::new(seed))).collect();
        images.sort();
        images.dedup();
        images
    }

    #[test]
    fn unsynced_writes_arrive_in_any_combination() {
        let mut file = synced(b"--");
        file.write(0, b"a");
        file.write(1, b"b");
        let expected = [b"--", b"-b", b"a-", b"ab"].map(|image| Some(image.to_vec()));
        assert_eq!(images(&file), expected);
    }

    #[test]
    fn a_sync_covers_what_came_before_it() {
        let mut file = synced(b"--");
        file.write(0, b"a");
        let mark = file.mark();
        file.write(1, b"b");
        file.sync(mark);
        assert_eq!(images(&file), [b"a-", b"ab"].map(|image| Some(image.to_vec())));
    }

    #[test]
    fn after_a_failed_sync_the_next_one_does_not_help() {
        let mut file = synced(b"--");
        file.write(0, b"a");
        file.sync_failed(file.mark());
        file.write(1, b"b");
        assert_eq!(images(&file).len(), 4);
        file.sync(file.mark());
        assert_eq!(images(&file), [Some(b"-b".to_vec())]);
    }

    #[test]
    fn a_failed_sync_is_not_forgotten_when_a_later_one_succeeds_and_the_file_is_opened_again() {
        let mut file = synced(b"--");
        file.write(0, b"a");
        file.sync_failed(file.mark());
        file.sync(file.mark());
        file.meet(Some(b"a-".to_vec()), false);
        assert_eq!(images(&file), [Some(b"--".to_vec())]);
    }

    #[test]
    fn after_a_failed_sync_the_same_bytes_written_once_more_are_taken_by_the_next() {
        let mut file = synced(b"--");
        file.write(0, b"ab");
        file.sync_failed(file.mark());
        file.meet(Some(b"ab".to_vec()), true);
        assert_eq!(images(&file).len(), 2, "not before it");
        file.sync(file.mark());
        assert_eq!(images(&file), [Some(b"ab".to_vec())]);
    }

    #[test]
    fn a_write_is_torn_between_sectors() {
        let mut file = synced(&[0; 1_536]);
        file.write(256, &[1; 1_024]);
        let images = images(&file);
        assert_eq!(images.len(), 8, "three sectors");
        for image in images.into_iter().flatten() {
            assert!(image[..256].iter().chain(&image[1_280..]).all(|byte| *byte == 0), "beside the write");
            assert!(
                [&image[256..512], &image[512..1_024], &image[1_024..1_280]]
                    .into_iter()
                    .all(|sector| { sector.iter().all(|byte| *byte == sector[0]) })
            );
        }
    }

    #[test]
    fn a_deleted_file_may_return_as_it_was() {
        let mut file = synced(b"old");
        file.delete();
        file.write(0, b"new");
        assert_eq!(images(&file), [None, Some(b"new".to_vec()), Some(b"old".to_vec())]);
        file.sync_name();
        assert_eq!(images(&file), [None, Some(b"new".to_vec())]);
    }

    #[test]
    fn a_new_file_is_only_there_once_synced() {
        let mut file = Shadow::default();
        file.meet(None, false);
        assert_eq!(images(&file), [None]);
        file.sync(file.mark());
        assert_eq!(images(&file), [Some(Vec::new())]);
    }
}
