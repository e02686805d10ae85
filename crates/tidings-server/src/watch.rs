//! Files that a running server takes anew whenever they change.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often a server that runs looks.
pub(crate) const LOOK: Duration = Duration::from_secs(2);

/// What tells that a file is another: its path, place on the disk, size, and when it and what is known of it changed.
type Seen = (PathBuf, u64, u64, (i64, i64), (i64, i64));

/// Calls `take` at first, and whenever the files that `list` names have changed, for ever. What it refuses stays as it
/// was, is told once, and is tried again each time. `what` names the files for the log.
pub(crate) async fn watch(
    what: &'static str,
    list: impl Fn() -> io::Result<Vec<PathBuf>> + Send + Sync + 'static,
    take: impl Fn() -> anyhow::Result<()> + Send + Sync + 'static,
) {
    let (list, take) = (Arc::new(list), Arc::new(take));
    // The first look takes what has changed since the start.
    let (mut is_first, mut taken, mut told) = (true, None, None);
    let mut every = tokio::time::interval(LOOK);
    loop {
        every.tick().await;
        let (list, take, known) = (Arc::clone(&list), Arc::clone(&take), taken.clone());
        let looked = tokio::task::spawn_blocking(move || {
            // What cannot be looked at cannot be read either, and `take` says why.
            let seen = list().and_then(look).ok();
            let took = if seen.is_some() && seen == known { None } else { Some(take()) };
            (seen, took)
        });
        match looked.await {
            Ok((_, None)) => {}
            Ok((seen, Some(Ok(())))) => {
                if !is_first {
                    tracing::info!("took {what} anew");
                }
                (is_first, taken, told) = (false, seen, None);
            }
            Ok((_, Some(Err(error)))) => {
                let error = format!("{error:#}");
                if told.as_ref() != Some(&error) {
                    tracing::error!("{what} stay as they were: {error}");
                    told = Some(error);
                }
            }
            Err(error) => tracing::error!(%error, "nobody looked at {what}"),
        }
    }
}

fn look(paths: Vec<PathBuf>) -> io::Result<Vec<Seen>> {
    let mut seen = Vec::new();
    for path in paths {
        // Of the file that a link leads to: mounted secrets are changed by changing the link.
        let found = fs::metadata(&path)?;
        let (modified, changed) = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
        seen.push((path, found.ino(), found.len(), modified, changed));
    }
    seen.sort();
    Ok(seen)
}
