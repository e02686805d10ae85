//! What speaks TLS for actors who do not: whoever connects here is connected to the server by TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A way to a server through TLS.
pub struct Tunnel {
    /// `http://127.0.0.1:…`: what goes in there comes to the server by TLS.
    pub url: String,
    /// The server's certificate as the last connection saw it.
    pub seen: Arc<Mutex<Option<CertificateDer<'static>>>>,
    accepting: JoinHandle<()>,
}

impl Tunnel {
    /// To the server there, which is believed for these certificates alone.
    pub async fn to(server: SocketAddr, trusted: &[CertificateDer<'static>]) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in trusted {
            roots.add(certificate.clone()).expect("a certificate");
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(None));
        let last = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            loop {
                let (mut plain, _) = listener.accept().await.expect("a connection");
                let (connector, last) = (connector.clone(), Arc::clone(&last));
                tokio::spawn(async move {
                    let stream = TcpStream::connect(server).await.expect("the server");
                    let name = ServerName::try_from("localhost").expect("a name");
                    // A handshake that fails shows as a connection that ends.
                    let Ok(mut secure) = connector.connect(name, stream).await else { return };
                    let shown = secure.get_ref().1.peer_certificates().and_then(<[_]>::first);
                    *last.lock() = shown.map(|certificate| certificate.clone().into_owned());
                    let _ = copy_bidirectional(&mut plain, &mut secure).await;
                });
            }
        });
        Self { url, seen, accepting }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
