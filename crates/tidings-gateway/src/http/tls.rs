//! TLS over the connections of a listener, with a certificate that can be changed while it serves.

use std::io;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a client of TLS says first: a handshake record.
const HANDSHAKE: u8 = 0x16;
/// We speak nothing else.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The certificate of a server, and its key.
pub struct Tls(RwLock<Arc<ServerConfig>>);

/// How a connection began.
pub(super) enum Begun {
    Secure(Box<TlsStream<TcpStream>>),
    /// Its client speaks HTTP, or something else that is not TLS.
    Plain(TcpStream),
}

impl Tls {
    /// Versions 1.2 and 1.3. The server's own certificate comes first in the chain.
    ///
    /// # Errors
    /// The key is not that of the certificate, or of a kind that is not served.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, rustls::Error> {
        Ok(Self(RwLock::new(config(chain, key)?)))
    }

    /// Shows another certificate to connections that come from now on; those that are there go on.
    ///
    /// # Errors
    /// As [`Tls::new`]; then the present one stays.
    pub fn change(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        let config = config(chain, key)?;
        *self.0.write() = config;
        Ok(())
    }

    /// Waits for the handshake, as long as the caller lets it.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Begun> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
            return Ok(Begun::Plain(stream));
        }
        let config = Arc::clone(&self.0.read());
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        Ok(Begun::Secure(Box::new(stream)))
    }
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}
