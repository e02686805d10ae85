//! One cheap look at JSON text before anything parses it.

/// Whether arrays and objects nest at most `depth_max` deep. Says nothing about the text being JSON: the parser does,
/// which may then recurse without fear.
#[must_use]
pub fn nests_within(json: &str, depth_max: usize) -> bool {
    let mut depth = 0_usize;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > depth_max {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    true
}

/// Skips to after the closing quote, so that brackets in strings do not count.
fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_nesting_but_not_what_strings_hold() {
        assert!(nests_within("[[1],[2]]", 2));
        assert!(!nests_within("[[[1]]]", 2));
        assert!(nests_within(r#"["[[[[", "\"[[["]"#, 1));
        assert!(nests_within("]]]][", 1));
        assert!(nests_within(r#"["unfinished [[["#, 1));
    }
}
