//! `tidings rotate-keys`.

use crate::config::Config;
use crate::keys;
use crate::watch;

/// Makes a new key, which a server over the same directory takes by itself within seconds.
pub(super) fn rotate_keys(config: &Config, discard_old: bool) -> anyhow::Result<()> {
    let rotated = keys::rotate(&config.data_dir, discard_old)?;
    let (made, seconds) = (rotated.made.display(), watch::LOOK.as_secs());
    println!(
        "{made} signs from now on. A server that runs takes it within {seconds} s, and says so in its log."
    );
    for path in rotated.removed {
        println!("{} is gone: what it has signed is refused from then on.", path.display());
    }
    Ok(())
}
