//! The HTTP around the examples: one accept loop of hyper, with the deadline for headers that slow clients need.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// From the end of one answer to the end of the next request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// When nobody can be accepted, trying at once would spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Answers every request on the port of the environment's `PORT`, or 3000, of the address `HOST`, or of all, for ever.
/// Port 0 is any that is free.
pub async fn serve<A, F>(answer: A) -> std::io::Result<()>
where
    A: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3000);
    let host = std::env::var("HOST").ok().and_then(|host| host.parse().ok());
    let host = host.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let listener = TcpListener::bind((host, port)).await?;
    println!("listening on http://localhost:{}", listener.local_addr()?.port());
    loop {
        // Out of descriptors, or a client that is gone already: no reason to stop.
        let Ok((stream, remote_addr)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_RETRY).await;
            continue;
        };
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answer = answer(request, remote_addr);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        // A connection that breaks is its client's affair.
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}
