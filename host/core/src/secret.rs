//! Passwords in unexpected places, such as in a URL given as a file name: as a last safeguard, they are
//! removed from everything that is printed.

use std::borrow::Cow;

/// `text` in which everything between `://name:` and the last `@` of the same word is replaced by `…`.
#[must_use]
pub fn hide_passwords(text: &str) -> Cow<'_, str> {
    const SCHEME_END: &str = "://";
    if !text.contains(SCHEME_END) {
        return Cow::Borrowed(text);
    }
    let mut hidden = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(SCHEME_END) {
        let (before, after) = rest.split_at(start + SCHEME_END.len());
        hidden.push_str(before);
        let word = &after[..after.find(char::is_whitespace).unwrap_or(after.len())];
        rest = after;
        if let Some((login, _)) = word.rsplit_once('@')
            && let Some((user, _)) = login.split_once(':')
        {
            hidden.push_str(user);
            hidden.push_str(":…");
            rest = &after[login.len()..];
        }
    }
    hidden.push_str(rest);
    Cow::Owned(hidden)
}

/// Whether a URL of a database, or libpq's `name=value` form of it, may hold a password.
#[must_use]
pub fn may_hold_password(url: &str) -> bool {
    hide_passwords(url) != url || url.contains("password")
}

#[cfg(test)]
mod tests {
    use super::{hide_passwords, may_hold_password};

    #[test]
    fn a_password_is_noticed_in_every_form() {
        for url in ["postgres://u:p@h/db", "postgres://u@h/db?password=p", "host=h password=p"] {
            assert!(may_hold_password(url), "{url}");
        }
        assert!(!may_hold_password("postgres://u@h:5432/db"));
    }

    #[test]
    fn passwords_in_urls_are_hidden() {
        let cases = [
            ("no URL: a@b", "no URL: a@b"),
            ("see https://example.com/a:b and x@y", "see https://example.com/a:b and x@y"),
            ("`postgres://u:secret@h/db` is no file", "`postgres://u:…@h/db` is no file"),
            ("postgres://u:a@b/c?d#e@h", "postgres://u:…@h"),
            ("a://u:p@h b://v:q@i", "a://u:…@h b://v:…@i"),
            ("postgres://u@h:5432/db", "postgres://u@h:5432/db"),
        ];
        for (text, hidden) in cases {
            assert_eq!(hide_passwords(text), hidden);
        }
    }
}
