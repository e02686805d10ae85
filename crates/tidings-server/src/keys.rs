//! The keys that sign access tokens: `keys/*.pem` in the data directory, one made on first start.
//!
//! The key whose file name sorts last signs; tokens of all are taken. To rotate: put a new one there, restart, and take
//! the old one away when its last token has expired, ten minutes later.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tidings_core::sessions::SigningKey;

/// The first key's file. What comes after it sorts after it.
const FIRST: &str = "0001.pem";

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
    let mut paths = list(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    if paths.is_empty() {
        let path = dir.join(FIRST);
        let pem = SigningKey::generate_pem()?;
        write_secret(&path, pem.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        tracing::info!(path = %path.display(), "made the key that signs access tokens");
        paths.push(path);
    }
    paths.sort();
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

/// All of it or nothing, after a crash too: a half-written key would keep the server from starting.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("pem.tmp");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
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
    fn what_is_no_key_is_named() {
        let data_dir = tempfile::tempdir().unwrap();
        fs::create_dir(data_dir.path().join("keys")).unwrap();
        fs::write(data_dir.path().join("keys/mine.pem"), "nonsense").unwrap();
        let error = load_or_make(data_dir.path()).err().expect("it is no key");
        assert!(error.to_string().contains("mine.pem"), "{error}");
    }
}
