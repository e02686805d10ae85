//! Fields of the published API that this version does not serve.

use serde::de::{Deserialize, Deserializer, IgnoredAny};

/// Stands where a client sent something that is not served yet: `Some` says that it came, `null` counts as absent.
/// The gateway refuses it with `not_supported`; a field that is in no version is refused as unknown instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotServed;

impl<'de> Deserialize<'de> for NotServed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}
