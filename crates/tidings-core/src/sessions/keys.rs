//! RSA keys that sign access tokens, and their public halves as a JWK set.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

/// A key pair with its name.
pub struct SigningKey {
    /// The RFC 7638 thumbprint of the public key.
    pub kid: String,
    pub(super) private: EncodingKey,
    pub(super) public: DecodingKey,
    jwk: Jwk,
}

/// The key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("not an RSA private key in PKCS#8 PEM")]
pub struct KeyError;

impl SigningKey {
    /// Makes a new key of 2,048 bits and gives it as PKCS#8 PEM, to be kept in a file that only the server can read.
    ///
    /// # Errors
    /// Only where the machine has no randomness.
    pub fn generate_pem() -> Result<String, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError)?;
        let body = STANDARD.encode(der.as_ref());
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        for line in body.as_bytes().chunks(64) {
            pem.push_str(std::str::from_utf8(line).map_err(|_| KeyError)?);
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// Reads a key of [`Self::generate_pem`].
    ///
    /// # Errors
    /// Anything else.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let private = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| KeyError)?;
        let mut jwk = Jwk::from_encoding_key(&private, Algorithm::RS256).map_err(|_| KeyError)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk).map_err(|_| KeyError)?;
        Ok(Self { kid, private, public, jwk })
    }

    /// The public half, as JSON.
    #[must_use]
    pub fn public_jwk(&self) -> serde_json::Value {
        serde_json::to_value(&self.jwk).unwrap_or_default()
    }
}
