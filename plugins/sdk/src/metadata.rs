//! Constructors for what a detector says about itself.

use crate::{Metadata, Ordering, SettingDescription, SettingKind};

impl Metadata {
    /// A detector without settings; add them with [`setting`](Self::setting) and
    /// [`optional_setting`](Self::optional_setting).
    #[must_use]
    pub fn new(name: &str, version: &str, description: &str, ordering: Ordering) -> Metadata {
        Metadata {
            name: name.into(),
            version: version.into(),
            description: description.into(),
            settings: Vec::new(),
            ordering,
        }
    }

    /// Adds a setting that has a default.
    #[must_use]
    pub fn setting(mut self, name: &str, kind: SettingKind, default: &str, doc: &str) -> Metadata {
        self.settings.push(SettingDescription {
            name: name.into(),
            kind,
            default: Some(default.into()),
            doc: doc.into(),
        });
        self
    }

    /// Adds a setting that is off unless it is set.
    #[must_use]
    pub fn optional_setting(mut self, name: &str, kind: SettingKind, doc: &str) -> Metadata {
        self.settings.push(SettingDescription { name: name.into(), kind, default: None, doc: doc.into() });
        self
    }
}
