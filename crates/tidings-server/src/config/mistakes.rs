//! Everything that is wrong with a configuration.

use std::fmt;

use super::Source;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key it is about.
    pub key: String,
    /// Where it stands.
    pub source: Source,
    /// What is wrong.
    pub text: String,
}

/// All of them, in the order of the sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, key: &str, source: Source, text: impl Into<String>) {
        self.0.push(Mistake { key: key.to_owned(), source, text: text.into() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Mistake { key, source, text }) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match key.as_str() {
                "" => write!(f, "{source}: {text}")?,
                key => write!(f, "{source}: {key}: {text}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
