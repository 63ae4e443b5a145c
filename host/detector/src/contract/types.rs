//! The contract's types, whatever its version.

/// The contract's `error`.
pub enum GuestError {
    InvalidSetting { name: String, message: String },
    Other { kind: GuestErrorKind, message: String },
}

/// What a detector says about itself; verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Lower-case words joined by hyphens.
    pub name: String,
    /// The detector's own version.
    pub version: String,
    /// What it finds.
    pub description: String,
    /// All settings that it accepts.
    pub settings: Vec<SettingDescription>,
    /// What it requires of the order of rows.
    pub ordering: Ordering,
}

/// One setting of a detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingDescription {
    /// Its name.
    pub name: String,
    /// The kind of its values.
    pub kind: SettingKind,
    /// The value that applies if none is given.
    pub default: Option<String>,
    /// What it does.
    pub doc: String,
}

/// The kind of a setting's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A decimal number.
    Decimal,
    /// `true` or `false`.
    Boolean,
}

/// How rows may be distributed over instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// Each row is judged by itself.
    Any,
    /// All rows of a user to one instance, in file order.
    PerUser,
    /// All rows to one instance, in file order.
    File,
}

/// Which of the contract's errors a guest returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestErrorKind {
    /// `invalid-input`
    InvalidInput,
    /// `internal`
    Internal,
}
