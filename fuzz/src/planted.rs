//! Mistakes that are made on purpose, one a target, to see that the target finds them: a check that never failed proves
//! nothing. They stand between the product and the check, so that the product has none of them.

use std::sync::OnceLock;

/// Whether the environment asks for the mistakes: `TIDINGS_FUZZ_PLANTED=1`.
pub fn is_planted() -> bool {
    static IS_PLANTED: OnceLock<bool> = OnceLock::new();
    *IS_PLANTED.get_or_init(|| std::env::var_os("TIDINGS_FUZZ_PLANTED").is_some())
}
