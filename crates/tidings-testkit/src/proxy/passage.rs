//! One connection through the proxy.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::{Fault, Inner, Way};

/// What is read at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// What both ways of a connection know.
struct Passage<'a> {
    inner: &'a Inner,
    /// The client has spoken since the server did: what comes next from the server is an answer.
    is_asked: AtomicBool,
    /// The server is cut after so many bytes, once that fault is on.
    cut_after: u64,
}

/// The connection ends.
struct Cut;

/// Passes on what both say, until one ends or the proxy cuts. Both are closed then.
pub(super) async fn pass(client: TcpStream, server: TcpStream, inner: &Inner) {
    // Pieces are passed on as they come.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let passage = Passage { inner, is_asked: AtomicBool::new(false), cut_after: inner.rng.lock().u64(..) };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut fault = inner.fault.subscribe();
    tokio::select! {
        _ = passage.one_way(from_client, to_server, Way::ToServer) => {}
        _ = passage.one_way(from_server, to_client, Way::ToClient) => {}
        _ = fault.wait_for(|fault| *fault == Fault::Refuse) => {}
    }
}

impl Passage<'_> {
    async fn one_way(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way) -> Result<(), Cut> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut passed = 0;
        loop {
            let length = from.read(&mut piece).await.map_err(|_| Cut)?;
            if length == 0 {
                return Err(Cut);
            }
            let fault = self.inner.fault.borrow().clone();
            let may_pass = self.may_pass(&fault, way, passed, length as u64);
            match fault {
                Fault::Delay { by } => tokio::time::sleep(by).await,
                Fault::Stall(stalled) if stalled == way => std::future::pending().await,
                _ => {}
            }
            to.write_all(&piece[..may_pass]).await.map_err(|_| Cut)?;
            passed += length as u64;
            if may_pass < length {
                self.inner.dropped.fetch_add(1, Ordering::Relaxed);
                return Err(Cut);
            }
        }
    }

    /// How much of a piece passes. Less than all of it: then the connection is cut.
    fn may_pass(&self, fault: &Fault, way: Way, passed: u64, length: u64) -> usize {
        let is_answer = match way {
            Way::ToServer => {
                self.is_asked.store(true, Ordering::Relaxed);
                false
            }
            Way::ToClient => self.is_asked.swap(false, Ordering::Relaxed),
        };
        let may_pass = match fault {
            Fault::DropAnswers { of_100 } if is_answer && self.inner.rng.lock().u32(..100) < *of_100 => 0,
            Fault::CutAfter { bytes } if way == Way::ToClient => {
                let cut_after = bytes.start + self.cut_after % (bytes.end - bytes.start).max(1);
                cut_after.saturating_sub(passed).min(length)
            }
            _ => length,
        };
        usize::try_from(may_pass).unwrap_or(usize::MAX)
    }
}
