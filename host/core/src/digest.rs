//! SHA-256 of the bytes that were actually used: of a file while it is read, of a plugin before it is
//! compiled.

use std::fmt;
use std::io::Read;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

/// A SHA-256, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// The digest of bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Sha256Digest {
        Sha256Digest(Sha256::digest(bytes).into())
    }

    /// The digest itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Sha256Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Sha256Digest, Self::Err> {
        const EXPECTED: &str = "a SHA-256 is 64 hexadecimal digits";
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(EXPECTED);
        }
        let mut digest = [0; 32];
        for (i, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| EXPECTED)?;
        }
        Ok(Sha256Digest(digest))
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The digest of bytes that arrive piece by piece.
#[derive(Clone, Default)]
pub struct Sha256Builder(Sha256);

impl Sha256Builder {
    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added so far.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest(self.0.clone().finalize().into())
    }
}

/// Passes bytes through, hashing and counting them.
pub struct Measured<R> {
    inner: R,
    hasher: Sha256Builder,
    read_bytes: u64,
    counter: Arc<AtomicU64>,
}

impl<R: Read> Measured<R> {
    /// Measures what is read from `inner`, and adds it to `counter`, which others may watch.
    pub fn new(inner: R, counter: Arc<AtomicU64>) -> Measured<R> {
        Measured { inner, hasher: Sha256Builder::default(), read_bytes: 0, counter }
    }

    /// The digest of everything read so far, and its length in bytes.
    pub fn digest(&self) -> (Sha256Digest, u64) {
        (self.hasher.digest(), self.read_bytes)
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.add(&buffer[..count]);
        self.read_bytes += count as u64;
        self.counter.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn what_is_read_is_what_is_hashed() {
        assert_eq!(Sha256Digest::of(b"abc").to_string(), ABC);
        assert_eq!(ABC.to_uppercase().parse(), Ok(Sha256Digest::of(b"abc")));
        for wrong in ["", "ba", &ABC[1..], &ABC.replace('b', "g"), &ABC.replace("ba", "ä")] {
            assert!(wrong.parse::<Sha256Digest>().is_err(), "{wrong}");
        }
        let mut measured = Measured::new(&b"abc"[..], Arc::default());
        let mut one = [0; 1];
        while measured.read(&mut one).unwrap() > 0 {}
        let (digest, bytes) = measured.digest();
        assert_eq!((digest.to_string().as_str(), bytes), (ABC, 3));
    }
}
