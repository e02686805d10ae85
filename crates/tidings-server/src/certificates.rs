//! The certificate of TLS and its key, from the files that the configuration names.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidings_gateway::http::Tls;

use crate::config::TlsFiles;
use crate::watch;

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// What the files hold.
///
/// # Errors
/// A file that cannot be read or holds something else, and a key that is not the certificate's.
pub fn load(files: &TlsFiles) -> anyhow::Result<Tls> {
    let (chain, key) = read(files)?;
    Tls::new(chain, key).map_err(|error| refused(files, error))
}

/// Shows what the files hold whenever they have changed, for ever.
pub(crate) async fn watch(files: TlsFiles, tls: Arc<Tls>) {
    let paths = [files.certificate.clone(), files.key.clone()];
    let take = move || {
        let (chain, key) = read(&files)?;
        tls.change(chain, key).map_err(|error| refused(&files, error))
    };
    watch::watch("the certificate and its key", move || Ok(paths.to_vec()), take).await;
}

fn read(files: &TlsFiles) -> anyhow::Result<Pair> {
    let TlsFiles { certificate, key } = files;
    let cannot = |path: &Path| format!("cannot read {}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate).with_context(|| cannot(certificate))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().with_context(|| cannot(certificate))?;
    if chain.is_empty() {
        bail!(
            "there is no certificate in {}: it is a PEM file that begins with the server's own",
            certificate.display()
        );
    }
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| cannot(key))?;
    Ok((chain, key))
}

fn refused(files: &TlsFiles, error: rustls::Error) -> anyhow::Error {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    match error {
        rustls::Error::InconsistentKeys(_) => anyhow!("{key} is not the key of {certificate}"),
        error => anyhow!("{certificate} and {key} cannot be served: {error}"),
    }
}
