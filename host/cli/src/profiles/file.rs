//! The file with the profiles: TOML, with a table `[profile.NAME]` for each.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use host_core::environment::Environment;
use host_core::folders;
use host_core::text::nearest;
use toml_edit::{Document, TableLike};

use crate::error::{Error, ProfileError, ProfilePlace};

/// Its name, in the current folder or in that of the user's configuration.
const NAME: &str = "host.toml";
/// The table of the profiles.
pub const PROFILES: &str = "profile";
/// A longer file is an error.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file that has been read.
pub struct ProfileFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether others than its owner may read it.
    pub is_open_to_others: bool,
    document: Document<String>,
}

impl ProfileFile {
    /// Reads the file that was asked for, else the first of those in [`places`](ProfileFile::places) that exists;
    /// `None` if none does.
    ///
    /// # Errors
    /// If it cannot be read, or has something else in it than profiles.
    pub fn find(asked: Option<&Path>, environment: &Environment) -> Result<Option<ProfileFile>, Error> {
        if let Some(file) = asked {
            return Ok(Some(ProfileFile::read(file)?));
        }
        for file in ProfileFile::places(environment)? {
            match ProfileFile::read(&file) {
                Err(ProfileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                read => return Ok(Some(read?)),
            }
        }
        Ok(None)
    }

    /// Where a file is looked for if none is named. Only one is used: they are not merged.
    ///
    /// # Errors
    /// If a variable that says where the user's configuration is cannot be used.
    pub fn places(environment: &Environment) -> Result<Vec<PathBuf>, Error> {
        let of_user = folders::configuration(environment)?.map(|folder| folder.join(NAME));
        Ok([PathBuf::from(NAME)].into_iter().chain(of_user).collect())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or has something else in it than profiles.
    pub fn read(path: &Path) -> Result<ProfileFile, ProfileError> {
        let fail = |source| ProfileError::Read { file: path.to_owned(), source };
        let file = File::open(path).map_err(fail)?;
        let mode = file.metadata().map_err(fail)?.permissions().mode();
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ProfileError::TooLong { file: path.to_owned(), max_bytes: MAX_BYTES });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
            ProfileError::Syntax { place: place(path, &before, valid), problem: "this is not UTF-8".into() }
        })?;
        let document = Document::parse(text.clone()).map_err(|error| ProfileError::Syntax {
            place: place(path, &text, error.span().map_or(0, |span| span.start)),
            problem: error.message().to_owned(),
        })?;
        let file = ProfileFile { path: path.to_owned(), is_open_to_others: mode & 0o044 != 0, document };
        file.check()?;
        Ok(file)
    }

    /// There is nothing but profiles in it.
    fn check(&self) -> Result<(), ProfileError> {
        for (key, _) in self.document.iter() {
            if key != PROFILES {
                return Err(ProfileError::UnknownKey {
                    place: self.place_of_key(self.document.as_table(), key),
                    key: key.to_owned(),
                    nearest: nearest(key, [PROFILES]).map(str::to_owned),
                    allowed: "the file has a table `[profile.NAME]` for each profile, and nothing else",
                });
            }
        }
        match self.document.get(PROFILES) {
            Some(item) if item.as_table_like().is_none() => Err(ProfileError::Value {
                place: self.place(item.span()),
                key: PROFILES.to_owned(),
                problem: "must be a table: `[profile.NAME]`",
            }),
            _ => Ok(()),
        }
    }

    /// All that is in it.
    pub fn text(&self) -> &str {
        self.document.raw()
    }

    fn profiles(&self) -> Option<&dyn TableLike> {
        self.document.get(PROFILES)?.as_table_like()
    }

    /// The names of all profiles, and where they are, in the order of the file.
    #[must_use]
    pub fn names(&self) -> Vec<(String, ProfilePlace)> {
        let Some(profiles) = self.profiles() else { return Vec::new() };
        profiles.iter().map(|(name, _)| (name.to_owned(), self.place_of_key(profiles, name))).collect()
    }

    /// The profile of this name, and where it is.
    ///
    /// # Errors
    /// If there is none.
    pub fn profile(&self, name: &str) -> Result<(&dyn TableLike, ProfilePlace), ProfileError> {
        let Some((profiles, item)) = self.profiles().and_then(|all| Some((all, all.get(name)?))) else {
            let known: Vec<String> = self.names().into_iter().map(|(name, _)| name).collect();
            let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
            return Err(ProfileError::NoProfile {
                name: name.to_owned(),
                file: self.path.clone(),
                known,
                nearest,
            });
        };
        let place = self.place_of_key(profiles, name);
        match item.as_table_like() {
            Some(table) => Ok((table, place)),
            None => Err(ProfileError::Value {
                place,
                key: name.to_owned(),
                problem: "must be a table: `[profile.NAME]`",
            }),
        }
    }

    /// Where a key of a table is.
    pub fn place_of_key(&self, table: &dyn TableLike, key: &str) -> ProfilePlace {
        self.place(table.get_key_value(key).and_then(|(key, _)| key.span()))
    }

    /// Where this span is; the beginning of the file if there is none.
    pub fn place(&self, span: Option<Range<usize>>) -> ProfilePlace {
        place(&self.path, self.document.raw(), span.map_or(0, |span| span.start))
    }

    /// A path in the file is relative to the file's folder.
    #[must_use]
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

/// The place at this position, in bytes from 0.
fn place(path: &Path, text: &str, position: usize) -> ProfilePlace {
    let before = &text[..text.floor_char_boundary(position)];
    let line = before.rsplit('\n').next().unwrap_or_default();
    ProfilePlace {
        file: path.to_owned(),
        line: before.matches('\n').count() as u64 + 1,
        column: line.chars().count() as u64 + 1,
    }
}
