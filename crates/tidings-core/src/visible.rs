//! Whether text shows anything. Names, titles and messages that nobody can see are mistakes or tricks.

/// Whether any character leaves a mark: neither white space nor a control character nor one that is drawn as nothing.
pub(crate) fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !is_ignorable(c))
}

/// Whether it breaks the line that it stands in, or turns the direction of what follows: that has no place in a name.
pub(crate) fn is_disruptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// What Unicode says to draw as nothing where it is not understood (`Default_Ignorable_Code_Point` in
/// `DerivedCoreProperties.txt` of Unicode 16), and the empty pattern of Braille.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_see_is_told_from_what_is_joined_by_it() {
        for nothing in
            ["", " \n\t", "\u{200B}", "\u{2060}\u{FEFF}", "\u{AD}", "\u{3164}", "\u{2800} \u{E0041}"]
        {
            assert!(!is_visible(nothing), "{nothing:?}");
        }
        for something in [".", "👩\u{200D}👧", "❤\u{FE0F}", "به\u{200C}من", "\u{3164}a"] {
            assert!(is_visible(something), "{something:?}");
        }
    }
}
