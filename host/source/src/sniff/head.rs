//! The beginning of a file as text, and the encoding that it is in.

use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use host_core::text::printable;

use super::finding::{About, Example, Finding, Flag};
use crate::error::SourceError;
use crate::input::encoding::Encoding;
use crate::input::open::open;

/// How much of a file's text is looked at.
const MAX_BYTES: u64 = 1024 * 1024;
/// What text that is not UTF-8 is most often; every byte means something in it.
const USUAL: &str = "windows-1252";

/// The beginning of a file.
pub(super) struct Head {
    /// UTF-8, whole lines.
    pub text: Vec<u8>,
    /// What it was, as `--encoding` takes it; `None` for UTF-8.
    encoding: Option<&'static str>,
    /// Whether this is the whole file.
    pub is_whole: bool,
}

impl Head {
    /// Reads the beginning of a file, decompressed and decoded.
    pub fn read(path: &Path) -> Result<Head, SourceError> {
        let fail = |source| SourceError::Read { file: path.to_owned(), source };
        let (input, marked) = match open(path, Encoding::Utf8, Arc::default()) {
            Err(SourceError::NotCsv { found, .. }) if found.encoding().is_some() => {
                let name = found.encoding().unwrap_or_default();
                (open(path, Encoding::by_name(name).unwrap_or_default(), Arc::default())?, found.encoding())
            }
            opened => (opened?, None),
        };
        let (mut text, mut is_whole) = take(input).map_err(fail)?;
        let mut encoding = marked;
        if !is_whole {
            cut(&mut text);
        }
        if str::from_utf8(&text).is_err() {
            let decoded = Encoding::by_name(USUAL).unwrap_or_default().decode(Cursor::new(text));
            // It may have grown.
            let (longer, still_whole) = take(decoded).map_err(fail)?;
            text = longer;
            encoding = Some(USUAL);
            if !still_whole {
                is_whole = false;
                cut(&mut text);
            }
        }
        if text.iter().all(|byte| byte.is_ascii_whitespace()) {
            return Err(SourceError::Empty { file: path.display().to_string() });
        }
        Ok(Head { text, encoding, is_whole })
    }

    /// Whether both can be read with the same encoding.
    pub fn is_encoded_like(&self, other: &Head) -> bool {
        let is_ascii = |head: &Head| head.text.is_ascii() && matches!(head.encoding, None | Some(USUAL));
        let is_like_ascii = |head: &Head| matches!(head.encoding, None | Some(USUAL));
        self.encoding == other.encoding
            || (is_ascii(self) && is_like_ascii(other))
            || (is_ascii(other) && is_like_ascii(self))
    }

    /// What the bytes mean.
    pub fn finding(&self) -> Finding {
        let Some(encoding) = self.encoding else {
            return Finding::usual(About::Encoding, "UTF-8".into(), Vec::new());
        };
        let what = match encoding {
            USUAL => "not UTF-8; most likely windows-1252, if this reads well",
            _ => "UTF-16",
        };
        let flags = vec![Flag::new("encoding", encoding)];
        Finding::proposed(About::Encoding, what.into(), flags, self.other_than_ascii())
    }

    /// Words that show whether the encoding is right.
    fn other_than_ascii(&self) -> Vec<Example> {
        const SHOWN: usize = 3;
        let text = String::from_utf8_lossy(&self.text);
        let words = text.split(|character: char| !character.is_alphanumeric());
        let mut shown: Vec<Example> = Vec::new();
        for word in words.filter(|word| !word.is_ascii()) {
            let example =
                Example { cell: printable(word).into_owned(), meaning: printable(word).into_owned() };
            if shown.len() < SHOWN && !shown.contains(&example) {
                shown.push(example);
            }
        }
        shown
    }
}

/// The first bytes, and whether that is all.
fn take(input: impl Read) -> io::Result<(Vec<u8>, bool)> {
    let mut text = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    let is_whole = text.len() as u64 <= MAX_BYTES;
    Ok((text, is_whole))
}

/// Takes away an incomplete last line.
fn cut(text: &mut Vec<u8>) {
    if let Some(end) = text.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) {
        text.truncate(end + 1);
    }
}
