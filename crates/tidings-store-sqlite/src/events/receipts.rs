//! What events say of receipts: numbers only, up to eight people in 256 bytes.

use tidings_core::clock::Timestamp;
use tidings_core::conversations::Marks;
use tidings_core::ids::{Pos, Seq, UserId};
use tidings_core::receipts::Receipt;

use super::EventRow;
use crate::rows::unreadable;

/// Who, how far, and when.
const RECEIPT_BYTES: usize = 16 + 8 + 8;

pub(super) fn encode(receipts: &[Receipt]) -> Vec<u8> {
    let mut data = Vec::with_capacity(receipts.len() * RECEIPT_BYTES);
    for receipt in receipts {
        data.extend_from_slice(receipt.user.as_bytes());
        data.extend_from_slice(&receipt.seq.0.to_be_bytes());
        data.extend_from_slice(&receipt.at.0.to_be_bytes());
    }
    data
}

pub(super) fn decode(event: &EventRow) -> rusqlite::Result<Vec<Receipt>> {
    let (receipts, rest) = event.data.as_deref().unwrap_or_default().as_chunks::<RECEIPT_BYTES>();
    if !rest.is_empty() {
        return Err(unreadable(7, "the data of receipts"));
    }
    let receipt = |bytes: &[u8; RECEIPT_BYTES]| {
        let (user, numbers) = bytes.split_first_chunk::<16>()?;
        let (seq, at) = numbers.split_first_chunk::<8>()?;
        Some(Receipt {
            user: UserId::from_bytes(*user),
            seq: Seq(u64::from_be_bytes(*seq)),
            at: Timestamp(i64::from_be_bytes(at.try_into().ok()?)),
        })
    };
    receipts.iter().map(receipt).collect::<Option<_>>().ok_or_else(|| unreadable(7, "the data of receipts"))
}

pub(super) fn encode_own(from_pos: Pos, marks: &Marks) -> Vec<u8> {
    let Marks { read_seq, read_ord, read_all, public_read_seq, delivered_seq } = *marks;
    let numbers = [from_pos.0, read_seq.0, read_ord, read_all, public_read_seq.0, delivered_seq.0];
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

pub(super) fn decode_own(event: &EventRow) -> rusqlite::Result<(Pos, Marks)> {
    let (numbers, rest) = event.data.as_deref().unwrap_or_default().as_chunks::<8>();
    let numbers: Vec<u64> = numbers.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect();
    let (&[from_pos, read_seq, read_ord, read_all, public_read_seq, delivered_seq], []) = (&*numbers, rest)
    else {
        return Err(unreadable(7, "the data of one's own marks"));
    };
    let marks = Marks {
        read_seq: Seq(read_seq),
        read_ord,
        read_all,
        public_read_seq: Seq(public_read_seq),
        delivered_seq: Seq(delivered_seq),
    };
    Ok((Pos(from_pos), marks))
}
