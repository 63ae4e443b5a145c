//! Which versions of the contract there are, and the names by which a plugin states its own.

/// The versions that this host speaks, for messages.
pub const SPOKEN: &str = "0.1";

/// The prefix of the package whose version is the contract's version.
pub const PACKAGE: &str = "ingest:detector/";

/// Functions that every detector exports.
pub const EXPORTS: [&str; 4] = ["describe", "configure", "classify", "finish"];

/// What a detector can do beyond that. It can if it exports all functions that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Ability {
    /// Giving every row a score.
    Scoring,
    /// Passing on what it has learned to later runs.
    Stateful,
    /// Learning from what has become known of rows.
    Learning,
}

impl Ability {
    /// All of them.
    pub const ALL: [Ability; 3] = [Ability::Scoring, Ability::Stateful, Ability::Learning];

    /// The functions that belong to it.
    #[must_use]
    pub fn exports(self) -> &'static [&'static str] {
        match self {
            Ability::Scoring => &["score"],
            Ability::Stateful => &["snapshot", "restore"],
            Ability::Learning => &["feedback"],
        }
    }
}

/// A version of the contract that this host speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractVersion {
    /// `ingest:detector@0.1.x`
    V0_1,
}

impl ContractVersion {
    /// The host's version for a plugin's, such as `0.1.3`; `None` if this host does not speak it. Before 1.0,
    /// every minor version is a separate one.
    #[must_use]
    pub fn of_plugin(version: &str) -> Option<ContractVersion> {
        let mut parts = version.split('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("0"), Some("1"), Some(_)) => Some(ContractVersion::V0_1),
            _ => None,
        }
    }
}
