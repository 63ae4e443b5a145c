//! Reasons as the contract wants them: one line of printable text, at most 1,000 bytes.

use std::fmt::Write as _;

/// The longest reason that the contract allows.
const MAX_BYTES: usize = 1_000;
/// How much of a text from the file a reason quotes, in characters.
const QUOTED_CHARS: usize = 60;

/// A text from the file for a reason: in backticks, with unprintable characters as escapes, and cut after 60
/// characters.
///
/// ```
/// assert_eq!(detector_sdk::quoted("two\nlines"), "`two\\nlines`");
/// ```
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("`");
    let mut characters = text.chars();
    characters.by_ref().take(QUOTED_CHARS).for_each(|character| push(&mut quoted, character));
    if characters.next().is_some() {
        quoted.push('…');
    }
    quoted.push('`');
    quoted
}

/// The reason with everything in it that the contract forbids replaced; most need nothing.
pub(crate) fn valid(reason: String) -> String {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
    if reason.len() <= MAX_BYTES && reason.bytes().all(is_plain) {
        return reason;
    }
    let mut valid = String::new();
    for character in reason.chars() {
        push(&mut valid, character);
    }
    if valid.len() > MAX_BYTES {
        valid.truncate(valid.floor_char_boundary(MAX_BYTES - '…'.len_utf8()));
        valid.push('…');
    }
    valid
}

fn push(text: &mut String, character: char) {
    match character {
        '\n' | '\r' | '\t' => text.extend(character.escape_default()),
        _ if is_unprintable(character) => {
            // Writing into a String cannot fail.
            let _ = write!(text, "\\u{{{:x}}}", u32::from(character));
        }
        _ => text.push(character),
    }
}

/// What a reason must not contain: control characters, and those that are invisible or change the direction of
/// text.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_printable_line() {
        assert_eq!(valid("12.50 is above 10".into()), "12.50 is above 10");
        assert_eq!(valid("é 🦀 \u{301}".into()), "é 🦀 \u{301}");
        assert_eq!(valid("a\nb\0\x1b[2J\u{202e}".into()), "a\\nb\\u{0}\\u{1b}[2J\\u{202e}");
        for long in ["x".repeat(1_001), "ä".repeat(501), "\u{0}".repeat(400)] {
            let valid = valid(long);
            assert!(valid.len() <= 1_000 && valid.len() > 990 && valid.ends_with('…'), "{valid}");
        }
        assert_eq!(valid("x".repeat(1_000)).len(), 1_000);
    }

    #[test]
    fn quoted_text_is_short() {
        assert_eq!(quoted(""), "``");
        assert_eq!(quoted(&"ä".repeat(60)), format!("`{}`", "ä".repeat(60)));
        assert_eq!(quoted(&"ä".repeat(61)), format!("`{}…`", "ä".repeat(60)));
    }
}
