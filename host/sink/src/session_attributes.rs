//! What a server must be to be used.

/// What a server must be: libpq's `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Anything.
    Any,
    /// It takes writes.
    ReadWrite,
    /// It takes none.
    ReadOnly,
    /// It is not a standby.
    Primary,
    /// It is one.
    Standby,
    /// A standby, or any if there is none.
    PreferStandby,
}
