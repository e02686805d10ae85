//! The keys that sign access tokens: `keys/*.pem` in the data directory, one made on first start.
//!
//! The key whose file name sorts last signs; tokens of all are taken. A server that runs looks at the directory every
//! few seconds, so that `tidings rotate-keys` needs no restart.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tidings_core::sessions::{AccessTokens, SigningKey};

use crate::watch;

/// The first key's file. What comes after it sorts after it.
const FIRST: &str = "0001.pem";
/// A key that has not signed for so long has no token left.
const SIGNED_FOR: Duration = Duration::from_secs(3600);

/// Loads the keys of a data directory, the one that signs first; makes one where there is none.
///
/// # Errors
/// A file that cannot be read or is no key, by its path.
pub fn load_or_make(data_dir: &Path) -> anyhow::Result<Vec<SigningKey>> {
    let dir = data_dir.join("keys");
    if !dir.is_dir() {
        DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("cannot make {}", dir.display()))?;
        sync_dir(data_dir).with_context(|| format!("cannot sync {}", data_dir.display()))?;
    }
    let paths = list(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    if paths.is_empty() {
        let path = dir.join(FIRST);
        let pem = SigningKey::generate_pem()?;
        write_secret(&path, pem.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        tracing::info!(path = %path.display(), "made the key that signs access tokens");
    }
    load_all(&dir)
}

/// What came of a rotation.
pub struct Rotated {
    /// The new key.
    pub made: PathBuf,
    /// Old ones that were taken away.
    pub removed: Vec<PathBuf>,
}

/// Makes a key that sorts last. Takes those away that have not signed for an hour, since none of their tokens lives so
/// long; or all others.
///
/// # Errors
/// The directory cannot be written to, or holds a key whose name nothing sorts after.
pub fn rotate(data_dir: &Path, discard_old: bool) -> anyhow::Result<Rotated> {
    let keys = load_or_make(data_dir)?;
    drop(keys);
    let dir = data_dir.join("keys");
    let mut paths = list(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    paths.sort();
    let made = dir.join(next_name(&paths)?);
    let pem = SigningKey::generate_pem()?;
    write_secret(&made, pem.as_bytes()).with_context(|| format!("cannot write {}", made.display()))?;
    let mut removed = Vec::new();
    // The last of them signed until now.
    for (n, path) in paths.iter().enumerate() {
        let is_old = match paths.get(n + 1) {
            Some(successor) => age(successor)? > SIGNED_FOR,
            None => false,
        };
        if discard_old || is_old {
            fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
            removed.push(path.clone());
        }
    }
    sync_dir(&dir).with_context(|| format!("cannot sync {}", dir.display()))?;
    Ok(Rotated { made, removed })
}

/// One more than the last, as wide as it was.
fn next_name(paths: &[PathBuf]) -> anyhow::Result<String> {
    let last = paths.last().and_then(|path| path.file_stem()?.to_str()).unwrap_or("0");
    let width = last.len();
    match last.parse::<u64>() {
        Ok(number) if (number + 1).to_string().len() <= width => Ok(format!("{:0width$}.pem", number + 1)),
        _ => bail!("nothing sorts after {last}.pem: name the keys 0001.pem, 0002.pem and so on"),
    }
}

fn age(path: &Path) -> anyhow::Result<Duration> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    let modified = modified.with_context(|| format!("cannot look at {}", path.display()))?;
    Ok(modified.elapsed().unwrap_or_default())
}

/// Gives the server's tokens the keys of the directory whenever they have changed, for ever.
pub(crate) async fn watch(data_dir: PathBuf, access: Arc<AccessTokens>) {
    let dir = data_dir.join("keys");
    let listed = dir.clone();
    let take = move || {
        access.set_keys(load_all(&dir)?);
        Ok(())
    };
    watch::watch("the keys that sign access tokens", move || list(&listed), take).await;
}

/// All of the directory, the one that signs first; at least one.
fn load_all(dir: &Path) -> anyhow::Result<Vec<SigningKey>> {
    let mut paths = list(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    paths.sort();
    if paths.is_empty() {
        bail!("there is none in {}", dir.display());
    }
    paths.iter().rev().map(|path| load(path)).collect()
}

fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn load(path: &Path) -> anyhow::Result<SigningKey> {
    let name = path.display();
    let pem = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let mode = fs::metadata(path).with_context(|| format!("cannot look at {name}"))?.permissions().mode();
    if mode & 0o077 != 0 {
        // Mounted secrets often are; whoever can read it can be anybody.
        tracing::warn!(path = %name, "the signing key can be read by other users of this machine: chmod 600");
    }
    match SigningKey::from_pem(&pem) {
        Ok(key) => Ok(key),
        Err(error) => bail!("{name}: {error}"),
    }
}

/// All of it or nothing, after a crash too: a half-written key would keep the server from starting. What is there under
/// this name stays, and is an error.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(format!("pem.{}.tmp", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    linked?;
    path.parent().map_or(Ok(()), sync_dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kids(data_dir: &Path) -> Vec<String> {
        load_or_make(data_dir).unwrap().into_iter().map(|key| key.kid).collect()
    }

    #[test]
    fn a_key_is_made_once_and_only_the_owner_reads_it() {
        let data_dir = tempfile::tempdir().unwrap();
        let first = kids(data_dir.path());
        assert_eq!(first.len(), 1);
        assert_eq!(kids(data_dir.path()), first);
        let path = data_dir.path().join("keys").join(FIRST);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> = fs::read_dir(data_dir.path().join("keys")).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing unfinished is left");
    }

    #[test]
    fn the_last_one_signs_and_an_unfinished_one_is_not_taken() {
        let data_dir = tempfile::tempdir().unwrap();
        let [first] = &kids(data_dir.path())[..] else { panic!("one key") };
        let keys = data_dir.path().join("keys");
        fs::write(keys.join("0002.pem.tmp"), "half").unwrap();
        write_secret(&keys.join("0002.pem"), SigningKey::generate_pem().unwrap().as_bytes()).unwrap();
        let both = kids(data_dir.path());
        assert_eq!(both.len(), 2);
        assert_eq!(&both[1], first);
    }

    #[test]
    fn a_rotated_key_signs_and_what_is_old_goes() {
        let data_dir = tempfile::tempdir().unwrap();
        let [first] = &kids(data_dir.path())[..] else { panic!("one key") };
        let rotated = rotate(data_dir.path(), false).unwrap();
        assert!(rotated.made.ends_with("0002.pem") && rotated.removed.is_empty());
        assert_eq!(kids(data_dir.path()).get(1), Some(first));
        let long_ago = fs::metadata(&rotated.made).unwrap().modified().unwrap() - 2 * SIGNED_FOR;
        File::options().append(true).open(&rotated.made).unwrap().set_modified(long_ago).unwrap();
        let rotated = rotate(data_dir.path(), false).unwrap();
        assert_eq!(
            rotated.removed,
            [data_dir.path().join("keys/0001.pem")],
            "the second has just stopped signing"
        );
        let rotated = rotate(data_dir.path(), true).unwrap();
        assert!(rotated.made.ends_with("0004.pem"));
        assert_eq!((rotated.removed.len(), kids(data_dir.path()).len()), (2, 1));
        fs::rename(&rotated.made, data_dir.path().join("keys/mine.pem")).unwrap();
        assert!(rotate(data_dir.path(), false).is_err(), "what sorts after that?");
    }

    #[test]
    fn what_is_no_key_is_named() {
        let data_dir = tempfile::tempdir().unwrap();
        fs::create_dir(data_dir.path().join("keys")).unwrap();
        fs::write(data_dir.path().join("keys/mine.pem"), "nonsense").unwrap();
        let error = load_or_make(data_dir.path()).err().expect("it is no key");
        assert!(error.to_string().contains("mine.pem"), "{error}");
    }
}
