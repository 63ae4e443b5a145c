//! What a server must be to be used.

/// What a server must be: libpq's `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Anything.
    Any,
    /// It takes writes.
    ReadWrite,
    /// It takes no writes.
    ReadOnly,
    /// It is not a standby.
    Primary,
    /// It is a standby.
    Standby,
    /// A standby, or any server if there is no standby.
    PreferStandby,
}
