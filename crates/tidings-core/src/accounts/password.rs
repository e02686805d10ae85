//! Passwords: argon2id, off the async threads, behind a semaphore.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use crate::limits::{PASSWORD_HASHES_AT_ONCE, PASSWORD_HASHES_WAITING_MAX};

use super::Error;

/// An argon2id hash in PHC form, with its salt and parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

/// Hashes and checks passwords. m = 19 MiB, t = 2, p = 1 (OWASP's first choice for argon2id).
pub struct Passwords {
    argon2: Arc<Argon2<'static>>,
    at_once: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    nobody: PasswordHash,
}

impl Passwords {
    /// A hasher with the parameters that a server is run with.
    #[must_use]
    pub fn new() -> Self {
        Self::with_params(Params::new(19 * 1024, 2, 1, None).expect("these parameters are in argon2's range"))
    }

    /// A hasher that is quick and weak, for tests that make many users.
    #[must_use]
    pub fn quick() -> Self {
        Self::with_params(Params::new(8, 1, 1, None).expect("these parameters are in argon2's range"))
    }

    fn with_params(params: Params) -> Self {
        let nobody = nobody(&params);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Self {
            argon2: Arc::new(argon2),
            at_once: Arc::new(Semaphore::new(PASSWORD_HASHES_AT_ONCE)),
            waiting: Arc::default(),
            nobody,
        }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when too many are waiting.
    pub async fn hash(&self, password: String) -> Result<PasswordHash, Error> {
        self.run(move |argon2| hash(argon2, &password)).await
    }

    /// Whether the password is the one. Without a hash (no such login) it takes the same time and says no, so that
    /// the answer's timing does not tell who has an account.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when too many are waiting.
    pub async fn verify(&self, password: String, hash: Option<PasswordHash>) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let matches = self
            .run(move |argon2| {
                phc::PasswordHash::new(&hash.0)
                    .is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(known && matches)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let place = Waiting::enter(&self.waiting)?;
        let permit = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| Error::Overloaded)?;
        let argon2 = Arc::clone(&self.argon2);
        // The work goes on when who asked has gone, and so does what it takes up.
        let work = move || {
            let (_place, _permit) = (place, permit);
            work(&argon2)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Overloaded)
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

/// A place in the queue, given back when dropped, also by a request that was cancelled.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn enter(waiting: &Arc<AtomicUsize>) -> Result<Self, Error> {
        let place = Self(Arc::clone(waiting));
        if waiting.fetch_add(1, Ordering::Relaxed) >= PASSWORD_HASHES_WAITING_MAX + PASSWORD_HASHES_AT_ONCE {
            return Err(Error::Overloaded);
        }
        Ok(place)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn hash(argon2: &Argon2<'_>, password: &str) -> PasswordHash {
    // The library draws a salt of 16 bytes from the operating system; it fails only where there is no randomness.
    let hash = argon2.hash_password(password.as_bytes()).expect("the operating system gives random bytes");
    PasswordHash(hash.to_string())
}

/// A hash of no password. To check one against it takes as long as any; to make a real one at every start would take as
/// long again, which was most of a start.
fn nobody(params: &Params) -> PasswordHash {
    // A salt of 16 zeros and a result of 32.
    let (salt, result) = ("A".repeat(22), "A".repeat(43));
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    PasswordHash(format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${result}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobodys_hash_is_as_long_to_check_as_any() {
        let passwords = Passwords::new();
        let real = passwords.hash("correct horse".to_owned()).await.unwrap();
        let [nobody, real] = [&passwords.nobody, &real].map(|hash| phc::PasswordHash::new(&hash.0).unwrap());
        assert_eq!(
            (nobody.algorithm, nobody.version, &nobody.params),
            (real.algorithm, real.version, &real.params)
        );
        let lengths = |hash: &phc::PasswordHash| (hash.salt.unwrap().len(), hash.hash.unwrap().len());
        assert_eq!(lengths(&nobody), lengths(&real));
        let refused = passwords.argon2.verify_password(b"correct horse", &nobody);
        assert_eq!(refused, Err(argon2::password_hash::Error::PasswordInvalid), "computed, and not equal");
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert!(passwords.verify("correct horse".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct mule".to_owned(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("nobody has this password".to_owned(), None).await.unwrap());
    }

    #[tokio::test]
    async fn over_the_waiting_limit_it_refuses_instead_of_queueing() {
        let passwords = Arc::new(Passwords::quick());
        let held = passwords.at_once.acquire_many(PASSWORD_HASHES_AT_ONCE as u32).await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..PASSWORD_HASHES_WAITING_MAX + PASSWORD_HASHES_AT_ONCE {
            let passwords = Arc::clone(&passwords);
            waiting.spawn(async move { passwords.hash("x".to_owned()).await });
        }
        while passwords.waiting.load(Ordering::Relaxed)
            < PASSWORD_HASHES_WAITING_MAX + PASSWORD_HASHES_AT_ONCE
        {
            tokio::task::yield_now().await;
        }
        assert!(matches!(passwords.hash("x".to_owned()).await, Err(Error::Overloaded)));
        drop(held);
        while let Some(done) = waiting.join_next().await {
            assert!(done.unwrap().is_ok());
        }
        assert!(passwords.hash("x".to_owned()).await.is_ok());
    }
}
