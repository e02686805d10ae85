//! `tidings rotate-keys`.

use crate::config::Config;
use crate::keys;

/// Makes a new key, which a server over the same directory takes by itself within seconds.
pub(super) fn rotate_keys(config: &Config, discard_old: bool) -> anyhow::Result<()> {
    let rotated = keys::rotate(&config.data_dir, discard_old)?;
    println!(
        "{} signs from now on; a server that runs takes it within {} s.",
        rotated.made.display(),
        keys::LOOK.as_secs()
    );
    for path in rotated.removed {
        println!("{} is gone, and what it has signed is refused.", path.display());
    }
    Ok(())
}
