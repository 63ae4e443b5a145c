//! A further column of a batch, as the detector asked for it. Texts are kept as a dictionary: each different
//! text once, and for each row which one it has. That is cheaper than a `String` per row, and it is what the
//! contract passes.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// What separates the entries of a dictionary; no text contains it.
pub const SEPARATOR: char = '\0';

/// How the values of a column are passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ColumnKind {
    /// As text.
    Text,
    /// As numbers.
    Number,
}

/// A column that the detector asked for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ColumnRequest {
    /// Its name in the file's header.
    pub name: String,
    /// How its values are passed.
    pub kind: ColumnKind,
    /// Whether a file without it is refused.
    pub required: bool,
}

impl ColumnRequest {
    /// A required column of texts.
    #[must_use]
    pub fn text(name: &str) -> ColumnRequest {
        ColumnRequest { name: name.to_owned(), kind: ColumnKind::Text, required: true }
    }
}

/// Whether two names mean the same column: case and blanks around them do not matter.
#[must_use]
pub fn is_same(name: &str, other: &str) -> bool {
    name.trim().to_lowercase() == other.trim().to_lowercase()
}

/// The values of a further column.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Column {
    /// The file has no such column.
    #[default]
    Absent,
    /// One text per row.
    Text(TextColumn),
    /// One number per row; NaN where the cell is empty.
    Number(Vec<f64>),
}

impl Column {
    /// An empty column of this kind.
    #[must_use]
    pub fn new(kind: ColumnKind) -> Column {
        match kind {
            ColumnKind::Text => Column::Text(TextColumn::default()),
            ColumnKind::Number => Column::Number(Vec::new()),
        }
    }

    /// The column of texts, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&TextColumn> {
        if let Column::Text(texts) = self { Some(texts) } else { None }
    }

    /// Empties it, to have values of this kind; `None` if the file has no such column.
    pub(crate) fn renew(&mut self, kind: Option<ColumnKind>) {
        match (&mut *self, kind) {
            (Column::Text(texts), Some(ColumnKind::Text)) => texts.clear(),
            (Column::Number(numbers), Some(ColumnKind::Number)) => numbers.clear(),
            (_, kind) => *self = kind.map_or(Column::Absent, Column::new),
        }
    }

    /// Only these rows.
    pub(crate) fn select(&self, rows: impl Iterator<Item = usize>) -> Column {
        match self {
            Column::Absent => Column::Absent,
            Column::Text(texts) => Column::Text(texts.select(rows)),
            Column::Number(numbers) => Column::Number(rows.map(|row| numbers[row]).collect()),
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Column::Absent => 0,
            Column::Text(texts) => texts.size_bytes(),
            Column::Number(numbers) => size_of_val(numbers.as_slice()),
        }
    }
}

/// The texts of a column: row `i` has entry `codes[i]` of the dictionary.
#[derive(Clone, Debug, Default)]
pub struct TextColumn {
    codes: Vec<u32>,
    texts: Dictionary,
}

/// The same texts in the same rows.
impl PartialEq for TextColumn {
    fn eq(&self, other: &TextColumn) -> bool {
        (&self.codes, &self.texts.joined) == (&other.codes, &other.texts.joined)
    }
}

impl TextColumn {
    /// Appends a row; returns how many bytes it added. The text must not contain [`SEPARATOR`].
    #[inline]
    pub fn push(&mut self, text: &str) -> usize {
        let before = self.texts.len();
        let code = self.texts.intern(text);
        self.codes.push(code);
        let added = if self.texts.len() == before { 0 } else { ENTRY_BYTES + text.len() };
        size_of::<u32>() + added
    }

    /// Appends a row with an entry that the dictionary has; returns how many bytes it added.
    #[inline]
    pub fn push_code(&mut self, code: u32) -> usize {
        self.codes.push(code);
        size_of::<u32>()
    }

    /// For each row, which entry of the dictionary it has.
    #[must_use]
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The different texts.
    #[must_use]
    pub fn texts(&self) -> &Dictionary {
        &self.texts
    }

    /// The different texts in order of first appearance, joined by [`SEPARATOR`].
    #[must_use]
    pub fn dictionary(&self) -> &str {
        &self.texts.joined
    }

    /// The text of a row.
    #[must_use]
    pub fn get(&self, row: usize) -> &str {
        self.texts.get(self.codes[row])
    }

    /// The texts of all rows.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().map(|&code| self.texts.get(code))
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Removes all rows, and keeps the memory.
    pub fn clear(&mut self) {
        self.codes.clear();
        self.texts.clear();
    }

    /// Only these rows; the dictionary has only their texts. Each of them is looked up once.
    pub(crate) fn select(&self, rows: impl Iterator<Item = usize>) -> TextColumn {
        const UNKNOWN: u32 = u32::MAX;
        let mut new_codes = vec![UNKNOWN; self.texts.len()];
        let mut selected = TextColumn::default();
        for row in rows {
            let old = self.codes[row] as usize;
            if new_codes[old] == UNKNOWN {
                selected.push(self.get(row));
                new_codes[old] = selected.texts.len() as u32 - 1;
            } else {
                selected.codes.push(new_codes[old]);
            }
        }
        selected
    }

    pub(crate) fn size_bytes(&self) -> usize {
        size_of_val(self.codes.as_slice()) + self.texts.size_bytes()
    }
}

/// Different texts, numbered from 0 in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    /// The entries, joined by [`SEPARATOR`].
    joined: String,
    /// Where each entry ends.
    ends: Vec<usize>,
    /// The numbers of the entries, by their texts. Its hashes are seeded anew in each process: a file cannot be
    /// made so that they collide.
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Dictionary {
    /// The number of a text, which is added if it is new. It must not contain [`SEPARATOR`].
    #[inline]
    pub fn intern(&mut self, text: &str) -> u32 {
        debug_assert!(!text.contains(SEPARATOR), "a text with a separator would be two");
        let Dictionary { joined, ends, table, hasher } = self;
        let hash = hasher.hash_one(text.as_bytes());
        if let Some(&code) = table.find(hash, |&code| entry(joined, ends, code) == text.as_bytes()) {
            return code;
        }
        // Neither a batch nor a cache has more of them.
        let code = ends.len() as u32;
        if code > 0 {
            joined.push(SEPARATOR);
        }
        joined.push_str(text);
        ends.push(joined.len());
        table.insert_unique(hash, code, |&code| hasher.hash_one(entry(joined, ends, code)));
        code
    }

    /// The number of a text; `None` if it is not there, as is everything that is not UTF-8.
    #[inline]
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        let Dictionary { joined, ends, table, hasher } = self;
        table.find(hasher.hash_one(text), |&code| entry(joined, ends, code) == text).copied()
    }

    /// The text with this number.
    #[must_use]
    pub fn get(&self, code: u32) -> &str {
        &self.joined[place(&self.ends, code)]
    }

    /// All texts, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u32).map(|code| self.get(code))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Removes all, and keeps the memory.
    pub fn clear(&mut self) {
        self.joined.clear();
        self.ends.clear();
        self.table.clear();
    }

    /// Its size in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.joined.len() + self.ends.len() * ENTRY_BYTES
    }
}

/// What an entry takes besides its text: its end, its place in the table (which is at most 7/8 full, and has a
/// byte more for each place), and the separator.
const ENTRY_BYTES: usize = size_of::<usize>() + 3 * size_of::<u32>() + 1;

#[inline]
fn place(ends: &[usize], code: u32) -> Range<usize> {
    let code = code as usize;
    let start = if code == 0 { 0 } else { ends[code - 1] + SEPARATOR.len_utf8() };
    start..ends[code]
}

/// As bytes, whose comparison need not look where characters begin.
#[inline]
fn entry<'a>(joined: &'a str, ends: &[usize], code: u32) -> &'a [u8] {
    &joined.as_bytes()[place(ends, code)]
}

impl<'a> FromIterator<&'a str> for TextColumn {
    fn from_iter<T: IntoIterator<Item = &'a str>>(texts: T) -> TextColumn {
        let mut column = TextColumn::default();
        for text in texts {
            column.push(text);
        }
        column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_different_text_is_there_once_in_order_of_appearance() {
        let column: TextColumn = ["b", "", "a", "b", "a", "ä🦀"].into_iter().collect();
        assert_eq!(column.codes(), [0, 1, 2, 0, 2, 3]);
        assert_eq!(column.dictionary(), "b\0\0a\0ä🦀");
        assert_eq!(column.iter().collect::<Vec<_>>(), ["b", "", "a", "b", "a", "ä🦀"]);
        let only_empty: TextColumn = ["", ""].into_iter().collect();
        assert_eq!((only_empty.codes(), only_empty.dictionary()), ([0, 0].as_slice(), ""));
    }

    #[test]
    fn selected_rows_have_a_dictionary_of_their_own() {
        let column: TextColumn = ["a", "b", "c", "b"].into_iter().collect();
        let selected = column.select([3, 0, 1].into_iter());
        assert_eq!((selected.codes(), selected.dictionary()), ([0, 1, 0].as_slice(), "b\0a"));
    }

    #[test]
    fn only_what_is_there_is_found() {
        let mut column: TextColumn = ["a", "", "ä"].into_iter().collect();
        let found = |text: &[u8]| column.texts().find(text);
        assert_eq!(["a", "", "ä"].map(|text| found(text.as_bytes())), [Some(0), Some(1), Some(2)]);
        assert_eq!([&b"b"[..], b"a\0", b"\xc3", b"\xff"].map(found), [None; 4]);
        assert_eq!(column.push_code(2), 4);
        assert_eq!(column.iter().collect::<Vec<_>>(), ["a", "", "ä", "ä"]);
    }

    #[test]
    fn a_column_that_was_emptied_is_like_a_new_one() {
        let mut column: TextColumn = ["a", "b"].into_iter().collect();
        column.clear();
        column.push("b");
        assert_eq!(column, ["b"].into_iter().collect());
    }
}
