//! Which characters the database can hold. If it is not in UTF-8, the server refuses text with any other
//! character, and a good run would fail because of a file's name. So such a character is written as its
//! code point: `€` as `<U+20AC>`, which is safe in JSON, too. A notice says once that this was done.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The encoding of a database.
#[derive(Clone, Debug)]
pub struct Encoding {
    /// PostgreSQL's name for it.
    name: Arc<str>,
    repertoire: Repertoire,
    /// Whether a character had to be written as its code point.
    has_replaced: Arc<AtomicBool>,
}

/// The characters that are sure to exist (PostgreSQL documentation, "Character Set Support").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repertoire {
    Everything,
    /// The first 256 of Unicode.
    Latin1,
    /// Those, except for the range in which Windows has other characters.
    Windows1252,
    Ascii,
}

impl Encoding {
    /// By the server's name for it, such as `UTF8`; without a name, the database takes everything.
    #[must_use]
    pub fn named(name: Option<&str>) -> Encoding {
        let name = name.unwrap_or("UTF8");
        let repertoire = match name {
            // SQL_ASCII means no encoding: bytes are stored as they come.
            "UTF8" | "SQL_ASCII" => Repertoire::Everything,
            "LATIN1" => Repertoire::Latin1,
            "WIN1252" => Repertoire::Windows1252,
            _ => Repertoire::Ascii,
        };
        Encoding { name: name.into(), repertoire, has_replaced: Arc::default() }
    }

    /// The text, with every character that the database cannot hold written as its code point.
    pub fn storable<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.repertoire == Repertoire::Everything || text.chars().all(|c| self.repertoire.has(c)) {
            return Cow::Borrowed(text);
        }
        self.has_replaced.store(true, Ordering::Relaxed);
        let mut storable = String::with_capacity(text.len());
        for character in text.chars() {
            if self.repertoire.has(character) {
                storable.push(character);
            } else {
                // Writing into a String cannot fail.
                let _ = write!(storable, "<U+{:04X}>", u32::from(character));
            }
        }
        Cow::Owned(storable)
    }

    /// The storable text, if it differs.
    pub fn replaced(&self, text: &str) -> Option<String> {
        match self.storable(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(storable) => Some(storable),
        }
    }

    /// What to say about characters that were replaced; `None` if there were none.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        self.has_replaced.load(Ordering::Relaxed).then(|| {
            format!(
                "the database is encoded in {}: characters that it does not have were stored as their numbers, such as `<U+20AC>`",
                self.name
            )
        })
    }
}

impl Repertoire {
    fn has(self, character: char) -> bool {
        match self {
            Repertoire::Everything => true,
            Repertoire::Latin1 => character <= '\u{ff}',
            Repertoire::Windows1252 => character.is_ascii() || ('\u{a0}'..='\u{ff}').contains(&character),
            Repertoire::Ascii => character.is_ascii(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::connection::encoding::Encoding;

    #[test]
    fn what_a_database_cannot_hold_is_written_as_its_number() {
        let cases = [
            ("UTF8", "Łódź – ü €", "Łódź – ü €"),
            ("SQL_ASCII", "€", "€"),
            ("LATIN1", "Umsätze – €", "Umsätze <U+2013> <U+20AC>"),
            ("LATIN1", "Łódź", "<U+0141>ód<U+017A>"),
            ("WIN1252", "ä\u{85}", "ä<U+0085>"),
            ("LATIN9", "ä", "<U+00E4>"),
            ("EUC_JP", "交易.csv", "<U+4EA4><U+6613>.csv"),
            ("LATIN2", "\u{1f600}", "<U+1F600>"),
        ];
        for (name, text, stored) in cases {
            let encoding = Encoding::named(Some(name));
            assert_eq!(encoding.storable(text), stored, "{name}");
            assert_eq!(encoding.notice().is_some(), text != stored, "{name}");
        }
    }
}
