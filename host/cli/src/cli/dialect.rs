//! Arguments that say what is around fields, and how characters are encoded.

use clap::Args;
use host_core::text::did_you_mean;
use host_source::Encoding;

/// How a file's bytes become fields.
#[derive(Clone, Copy, Debug, Args)]
pub struct DialectArgs {
    /// What separates fields: a character, or `tab` [default: `,`, or what the file's first line names, as in
    /// `sep=;`]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub delimiter: Option<u8>,

    /// What is around fields that contain the delimiter or line breaks, such as `'`; written twice, it is part of the
    /// field
    #[arg(long, value_name = "CHARACTER", default_value = "\"", value_parser = quote)]
    pub quote: u8,

    /// The text encoding of the file: `utf-8`, `utf-16`, `utf-16be`, `latin1`, `windows-1252` …
    #[arg(long, value_name = "NAME", default_value = "utf-8", value_parser = encoding)]
    pub encoding: Encoding,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        _ if text == "tab" || text == "\\t" => Ok(b'\t'),
        [b'"' | b'\n' | b'\r'] => Err("quotes and line breaks cannot separate fields".into()),
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err("give a single ASCII character, or `tab`".into()),
    }
}

fn quote(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii_graphic() && !byte.is_ascii_alphanumeric() => Ok(*byte),
        _ => Err("give a single character that is neither a letter nor a digit, such as `'`".into()),
    }
}

fn encoding(name: &str) -> Result<Encoding, String> {
    Encoding::by_name(name)
        .ok_or_else(|| format!("unknown encoding{}", did_you_mean(name, Encoding::COMMON_NAMES)))
}
