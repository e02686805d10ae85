//! What may stand on a message: one emoji of Unicode, or the name of one that the host product draws itself.

use crate::error::{Code, FieldError};
use crate::limits::Limits;

/// The emoji in its full form, whichever form came: so that a heart with and without its variation selector is one.
pub(super) fn check_emoji(text: &str, limits: &Limits) -> Result<String, FieldError> {
    // Also as somebody wants it drawn in black and white.
    let as_text = text.strip_suffix('\u{FE0E}');
    if let Some(emoji) = emojis::get(as_text.unwrap_or(text)) {
        return Ok(emoji.as_str().to_owned());
    }
    let max = limits.emoji_chars_max;
    if !is_name(text) {
        let detail = "one emoji, or a name of letters a to z, digits, _, + and - between two colons";
        return Err(FieldError::new("/emoji", Code::BadFormat, detail));
    }
    if text.len() > max {
        return Err(FieldError::new("/emoji", Code::TooLong, format!("at most {max} characters")));
    }
    Ok(text.to_owned())
}

fn is_name(text: &str) -> bool {
    let name = text.strip_prefix(':').and_then(|text| text.strip_suffix(':'));
    name.is_some_and(|name| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_+-".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_has_one_form() {
        let limits = Limits::default();
        for (text, taken) in [
            ("👍", Some("👍")),
            ("👍🏽", Some("👍🏽")),
            ("\u{2764}", Some("\u{2764}\u{FE0F}")),
            ("\u{2764}\u{FE0F}", Some("\u{2764}\u{FE0F}")),
            ("\u{2764}\u{FE0E}", Some("\u{2764}\u{FE0F}")),
            ("\u{FE0E}", None),
            ("👩\u{200D}👩\u{200D}👧", Some("👩\u{200D}👩\u{200D}👧")),
            (":party_parrot:", Some(":party_parrot:")),
            ("👍👍", None),
            ("", None),
            (" 👍", None),
            ("+1", None),
            ("you", None),
            (":", None),
            ("::", None),
            (":Shout:", None),
            (":a b:", None),
        ] {
            assert_eq!(check_emoji(text, &limits).ok().as_deref(), taken, "{text:?}");
        }
        let long = format!(":{}:", "a".repeat(limits.emoji_chars_max - 2));
        assert!(check_emoji(&long, &limits).is_ok());
        let error = check_emoji(&format!("{long}:").replacen("::", "a:", 1), &limits).unwrap_err();
        assert_eq!(error.code, Code::TooLong);
    }

    #[test]
    fn every_emoji_fits_into_what_an_event_may_say() {
        for emoji in emojis::iter()
            .flat_map(|emoji| std::iter::once(emoji).chain(emoji.skin_tones().into_iter().flatten()))
        {
            assert!(emoji.as_str().len() <= 64, "{emoji}");
            assert_eq!(check_emoji(emoji.as_str(), &Limits::default()).as_deref().ok(), Some(emoji.as_str()));
        }
    }
}
