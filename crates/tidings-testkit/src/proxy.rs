//! A TCP proxy that does what networks do: it stands in front of a real server and loses, delays, cuts and stalls.
//!
//! What it does is set with [`Proxy::does`] and holds for what comes from then on. It knows no protocol: an _answer_ is
//! what the server says after the client has said something.
//!
//! To add a fault: a variant of [`Fault`], and where `passage` asks for it.

mod passage;

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Everything passes.
    None,
    /// Of a hundred answers it keeps so many to itself: the server has answered, and the connection is cut.
    DropAnswers {
        /// How many.
        of_100: u32,
    },
    /// A connection is cut when the server has said so many bytes, of which the last do not pass.
    CutAfter {
        /// From so many up to so many.
        bytes: Range<u64>,
    },
    /// Every piece, both ways, takes so much longer.
    Delay {
        /// How long.
        by: Duration,
    },
    /// What one side says does not arrive any more, and nobody is told.
    Stall(Way),
    /// Nobody is let in, and who is in is cut.
    Refuse,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// A proxy in front of a server, until it is dropped.
pub struct Proxy {
    /// Where it is, like `http://127.0.0.1:3000`.
    pub url: String,
    inner: Arc<Inner>,
    accepting: JoinHandle<()>,
}

struct Inner {
    server: SocketAddr,
    fault: watch::Sender<Fault>,
    rng: Mutex<Rng>,
    dropped: AtomicU64,
}

impl Proxy {
    /// Begins to listen, and lets everything pass.
    ///
    /// # Panics
    /// When the address of the server is none, or there is no free port.
    pub async fn before(server_url: &str, seed: u64) -> Self {
        let server = server_url.trim_start_matches("http://").parse().expect("the address of a server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let inner = Arc::new(Inner {
            server,
            fault: watch::Sender::new(Fault::None),
            rng: Mutex::new(Rng::with_seed(seed)),
            dropped: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&inner)));
        Self { url, inner, accepting }
    }

    /// From now on.
    pub fn does(&self, fault: Fault) {
        self.inner.fault.send_replace(fault);
    }

    /// Answers dropped and connections cut so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.inner.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.does(Fault::Refuse);
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    while let Ok((client, _)) = listener.accept().await {
        if *inner.fault.borrow() == Fault::Refuse {
            continue;
        }
        let inner = Arc::clone(&inner);
        tokio::spawn(async move {
            // Without a server the client is closed, as if it were not there.
            if let Ok(server) = TcpStream::connect(inner.server).await {
                passage::pass(client, server, &inner).await;
            }
        });
    }
}
