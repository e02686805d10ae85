//! Access tokens: RS256, ten minutes, with the session and the app inside.

use std::num::NonZeroUsize;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use lru::LruCache;
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{AppId, SessionId, UserId};
use crate::limits::{ACCESS_TOKEN_SECONDS, CLOCKS_DIFFER_SECONDS, VERIFIED_TOKENS_MAX};

use super::{Actor, Error, SigningKey, sha256};

/// Who the tokens say they are from and for.
const ISSUER: &str = "tidings";
/// The header's `typ`: another kind of token signed with the same key is not an access token (RFC 9068).
const TOKEN_TYPE: &str = "at+jwt";
/// Access tokens of ours are about 700 bytes; what is longer is not one.
const TOKEN_BYTES_MAX: usize = 2048;

/// Issues and verifies access tokens. A verified one is remembered, so that the next request costs a look-up and not
/// the 20 µs of an RSA verification.
pub struct AccessTokens {
    keys: RwLock<Arc<[SigningKey]>>,
    validation: Validation,
    verified: Mutex<LruCache<[u8; 32], Actor>>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    app: u32,
    iat: i64,
    exp: i64,
}

impl AccessTokens {
    /// Signs with the first key and takes tokens of all of them. At least one.
    #[must_use]
    pub fn new(keys: Vec<SigningKey>) -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        // Expiry is checked below, by the clock that the service was given.
        validation.validate_exp = false;
        let remembered = NonZeroUsize::new(VERIFIED_TOKENS_MAX).unwrap_or(NonZeroUsize::MIN);
        let keys = RwLock::new(keys.into());
        Self { keys, validation, verified: Mutex::new(LruCache::new(remembered)) }
    }

    /// Takes other keys from now on. What one that is gone has signed is not taken any more, remembered or not.
    pub fn set_keys(&self, keys: Vec<SigningKey>) {
        *self.keys.write() = keys.into();
        self.verified.lock().clear();
    }

    fn keys(&self) -> Arc<[SigningKey]> {
        Arc::clone(&self.keys.read())
    }

    /// A token of the session and when it expires.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`] when there is no key to sign with.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        app: AppId,
        now: Timestamp,
    ) -> Result<(String, Timestamp), Error> {
        let keys = self.keys();
        let key = keys.first().ok_or(Error::TokenInvalid)?;
        let expires_at = now.plus_seconds(ACCESS_TOKEN_SECONDS);
        let mut header = Header::new(Algorithm::RS256);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(key.kid.clone());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: user.to_string(),
            sid: session.to_string(),
            app: app.0,
            iat: now.seconds(),
            exp: expires_at.seconds(),
        };
        let token = encode(&header, &claims, &key.private).map_err(|_| Error::TokenInvalid)?;
        Ok((token, Timestamp(expires_at.seconds() * 1000)))
    }

    /// Who sent this token. Says nothing about the session, which may have ended since.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`] or [`Error::TokenExpired`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Actor, Error> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Error::TokenInvalid);
        }
        let name = sha256(token.as_bytes());
        let remembered = self.verified.lock().get(&name).copied();
        let keys = self.keys();
        let actor = match remembered {
            Some(actor) => actor,
            None => self.verify_signature(&keys, token, now)?,
        };
        if now >= actor.expires_at {
            self.verified.lock().pop(&name);
            return Err(Error::TokenExpired);
        }
        if remembered.is_none() {
            self.remember(name, actor, &keys);
        }
        Ok(actor)
    }

    /// Not where the keys have changed since it was verified: whoever changes them waits for this, and then forgets
    /// all.
    fn remember(&self, name: [u8; 32], actor: Actor, verified_with: &Arc<[SigningKey]>) {
        let keys = self.keys.read();
        if Arc::ptr_eq(&keys, verified_with) {
            self.verified.lock().put(name, actor);
        }
    }

    fn verify_signature(&self, keys: &[SigningKey], token: &str, now: Timestamp) -> Result<Actor, Error> {
        let invalid = |_| Error::TokenInvalid;
        let header = decode_header(token).map_err(invalid)?;
        if header.typ.as_deref() != Some(TOKEN_TYPE) {
            return Err(Error::TokenInvalid);
        }
        // The key is one of ours by its name; what the header says of keys elsewhere (jku, jwk, x5u) is not looked at.
        let key =
            keys.iter().find(|key| header.kid.as_deref() == Some(&key.kid)).ok_or(Error::TokenInvalid)?;
        let claims = decode::<Claims>(token, &key.public, &self.validation).map_err(invalid)?.claims;
        // None of ours lives longer; who has stolen a key may say so, but no longer than until it is changed.
        if claims.exp.saturating_sub(claims.iat) > ACCESS_TOKEN_SECONDS
            || claims.iat > now.seconds() + CLOCKS_DIFFER_SECONDS
        {
            return Err(Error::TokenInvalid);
        }
        Ok(Actor {
            user: claims.sub.parse().map_err(|_| Error::TokenInvalid)?,
            session: claims.sid.parse().map_err(|_| Error::TokenInvalid)?,
            app: AppId(claims.app),
            expires_at: Timestamp(claims.exp.saturating_mul(1000)),
        })
    }

    /// The public keys, as `GET /.well-known/jwks.json` serves them.
    #[must_use]
    pub fn public_keys(&self) -> Vec<serde_json::Value> {
        self.keys().iter().map(SigningKey::public_jwk).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::EncodingKey;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn tokens() -> AccessTokens {
        AccessTokens::new(vec![SigningKey::from_pem(&SigningKey::generate_pem().unwrap()).unwrap()])
    }

    fn issue(tokens: &AccessTokens) -> String {
        tokens.issue(UserId(Uuid::nil()), SessionId(Uuid::max()), AppId::DEFAULT, NOW).unwrap().0
    }

    #[test]
    fn a_token_says_who_it_was_made_for_until_it_expires() {
        let tokens = tokens();
        let token = issue(&tokens);
        for _ in ["verified", "remembered"] {
            let actor = tokens.verify(&token, NOW).unwrap();
            assert_eq!((actor.user, actor.session), (UserId(Uuid::nil()), SessionId(Uuid::max())));
        }
        let late = NOW.plus_seconds(ACCESS_TOKEN_SECONDS);
        assert_eq!(tokens.verify(&token, Timestamp(late.0 - 1)).map(|a| a.app), Ok(AppId::DEFAULT));
        assert_eq!(tokens.verify(&token, late), Err(Error::TokenExpired));
        assert_eq!(tokens.verify(&token, late), Err(Error::TokenExpired));
    }

    /// The 20 µs of a verification are paid once a token, also when everybody comes back at once.
    #[test]
    fn a_token_that_was_verified_needs_its_key_no_more() {
        let tokens = tokens();
        let (seen, unseen) = (
            issue(&tokens),
            tokens.issue(UserId(Uuid::max()), SessionId(Uuid::max()), AppId::DEFAULT, NOW).unwrap().0,
        );
        tokens.verify(&seen, NOW).unwrap();
        *tokens.keys.write() = Arc::new([]);
        assert!(tokens.verify(&seen, NOW).is_ok());
        assert_eq!(tokens.verify(&unseen, NOW), Err(Error::TokenInvalid));
    }

    /// X3.
    #[test]
    fn forged_tokens_are_refused() {
        let (ours, theirs) = (tokens(), tokens());
        let token = issue(&ours);
        let (head, rest) = token.split_once('.').unwrap();
        let (body, signature) = rest.split_once('.').unwrap();
        let claims = || Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: Uuid::nil().to_string(),
            sid: Uuid::nil().to_string(),
            app: 1,
            iat: NOW.seconds(),
            exp: NOW.seconds() + 60,
        };
        let signed = |algorithm, typ: &str, claims: Claims, key: &EncodingKey| {
            let mut header = Header::new(algorithm);
            header.typ = Some(typ.to_owned());
            header.kid = Some(ours.keys()[0].kid.clone());
            encode(&header, &claims, key).unwrap()
        };
        // What a library may be led to take a key from.
        let led_to = |claims: Claims, jwk: bool| {
            let mut header = Header::new(Algorithm::RS256);
            header.typ = Some(TOKEN_TYPE.to_owned());
            header.kid = (!jwk).then(|| theirs.keys()[0].kid.clone());
            header.jku = Some("https://evil.example/jwks.json".to_owned());
            header.x5u = Some("https://evil.example/cert.pem".to_owned());
            if jwk {
                header.jwk = serde_json::from_value(theirs.keys()[0].public_jwk()).unwrap();
            }
            encode(&header, &claims, &theirs.keys()[0].private).unwrap()
        };
        let living = |iat: i64, exp: i64| {
            let claims = Claims { iat: NOW.seconds() + iat, exp: NOW.seconds() + exp, ..claims() };
            signed(Algorithm::RS256, TOKEN_TYPE, claims, &ours.keys()[0].private)
        };
        assert!(ours.verify(&living(0, ACCESS_TOKEN_SECONDS), NOW).is_ok());
        let public_as_secret =
            EncodingKey::from_secret(ours.keys()[0].public_jwk()["n"].as_str().unwrap().as_bytes());
        let ours_private = &ours.keys()[0].private;
        assert!(ours.verify(&signed(Algorithm::RS256, TOKEN_TYPE, claims(), ours_private), NOW).is_ok());
        let forged = [
            ("another server's key", issue(&theirs)),
            (
                "our key's name, another key",
                signed(Algorithm::RS256, TOKEN_TYPE, claims(), &theirs.keys()[0].private),
            ),
            ("HS256 with the public key", signed(Algorithm::HS256, TOKEN_TYPE, claims(), &public_as_secret)),
            ("another type", signed(Algorithm::RS256, "JWT", claims(), ours_private)),
            (
                "another issuer",
                signed(Algorithm::RS256, TOKEN_TYPE, Claims { iss: "x".into(), ..claims() }, ours_private),
            ),
            (
                "another audience",
                signed(Algorithm::RS256, TOKEN_TYPE, Claims { aud: "x".into(), ..claims() }, ours_private),
            ),
            ("a key in the header", led_to(claims(), true)),
            ("an address of keys in the header", led_to(claims(), false)),
            ("a life that is too long", living(0, ACCESS_TOKEN_SECONDS + 1)),
            ("from the future", living(CLOCKS_DIFFER_SECONDS + 1, CLOCKS_DIFFER_SECONDS + 60)),
            ("no signature", format!("{head}.{body}.")),
            ("alg none", format!("eyJhbGciOiJub25lIn0.{body}.")),
            ("changed claims", format!("{head}.{}.{signature}", body.replace('M', "N"))),
            ("rubbish", "a.b.c".to_owned()),
            ("nothing", String::new()),
            ("much", "a".repeat(1 << 20)),
        ];
        for (what, token) in forged {
            assert_eq!(ours.verify(&token, NOW), Err(Error::TokenInvalid), "{what}");
        }
    }

    #[test]
    fn a_key_set_names_its_keys_and_shows_no_secret() {
        let tokens = tokens();
        let key = tokens.public_keys().remove(0);
        assert_eq!(key["kid"], tokens.keys()[0].kid.as_str());
        assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&"RSA".into(), &"RS256".into(), &"sig".into()));
        assert!(key.get("d").is_none() && key.get("p").is_none());
    }

    #[test]
    fn another_key_takes_over_and_one_that_is_gone_is_not_believed() {
        let tokens = tokens();
        let pem = SigningKey::generate_pem().unwrap();
        let new = || SigningKey::from_pem(&pem).unwrap();
        let old_pem = SigningKey::generate_pem().unwrap();
        let old = || SigningKey::from_pem(&old_pem).unwrap();
        tokens.set_keys(vec![old()]);
        let by_old = issue(&tokens);
        assert!(tokens.verify(&by_old, NOW).is_ok());
        tokens.set_keys(vec![new(), old()]);
        let by_new = issue(&tokens);
        assert_eq!(decode_header(&by_new).unwrap().kid, Some(new().kid));
        assert!(tokens.verify(&by_old, NOW).is_ok() && tokens.verify(&by_new, NOW).is_ok());
        tokens.set_keys(vec![new()]);
        assert_eq!(tokens.verify(&by_old, NOW), Err(Error::TokenInvalid), "remembered or not");
        assert!(tokens.verify(&by_new, NOW).is_ok());
    }
}
