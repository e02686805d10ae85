//! Finding people by what they are called.

use std::collections::BTreeSet;

use crate::error::{Code, FieldError};
use crate::limits::{NAME_WORD_CHARS_MAX, NAME_WORDS_MAX, USERS_FOUND_MAX};
use crate::services::Services;
use crate::sessions::Actor;

use super::{Error, User};

/// The words by which somebody is found, in lower case: of the username as a whole, and of all names.
#[must_use]
pub fn words_of(user: &User) -> BTreeSet<String> {
    let names =
        [Some(&user.username), Some(&user.display_name), user.first_name.as_ref(), user.last_name.as_ref()];
    let names = names.into_iter().flatten();
    [cut(&user.username)].into_iter().chain(names.flat_map(|name| words(name))).take(NAME_WORDS_MAX).collect()
}

/// The words of a text: what stands between anything that is neither a letter nor a digit.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(cut)
}

fn cut(word: &str) -> String {
    word.to_lowercase().chars().take(NAME_WORD_CHARS_MAX).collect()
}

impl Services {
    /// Users of the actor's app, each word of the text being the beginning of one of their names: whose username it is
    /// first, then by username. Of very many who are called so, some.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a blank text, or a limit out of range.
    pub async fn search_users(
        &self,
        actor: &Actor,
        text: &str,
        limit: Option<usize>,
    ) -> Result<Vec<User>, Error> {
        let mut errors = Vec::new();
        let text = text.trim().to_lowercase();
        let mut words: Vec<String> = words(&text).collect();
        if words.is_empty() && !text.is_empty() {
            // A username may be made of what stands between words.
            words.push(cut(&text));
        }
        if words.is_empty() {
            errors.push(FieldError::new("/q", Code::TooShort, "the beginning of a name"));
        }
        let limit = limit.unwrap_or(USERS_FOUND_MAX);
        if !(1..=USERS_FOUND_MAX).contains(&limit) {
            errors.push(FieldError::new("/limit", Code::Invalid, format!("from 1 to {USERS_FOUND_MAX}")));
        }
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let mut found = self.store.search_users(actor.app, words, text.clone()).await?;
        found.sort_by(|one, other| {
            (one.username != text, &one.username).cmp(&(other.username != text, &other.username))
        });
        found.truncate(limit);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_in_lower_case() {
        assert_eq!(
            words("  Ann-Marie O'Neill 2nd, ЖАННА 李雷").collect::<Vec<_>>(),
            ["ann", "marie", "o", "neill", "2nd", "жанна", "李雷"]
        );
        assert_eq!(words("?!").count(), 0);
        assert_eq!(words(&"x".repeat(100)).next().unwrap().len(), NAME_WORD_CHARS_MAX);
    }
}
