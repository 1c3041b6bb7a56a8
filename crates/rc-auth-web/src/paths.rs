//! Where an application serves what belongs to signing in and out.

use crate::LocalPath;

/// The application's own paths. That of the callback is not among them: it always comes from the redirect
/// URI of the client's app, so that the two cannot differ.
///
/// ```
/// use rc_auth_web::{LocalPath, Paths};
///
/// let mut paths = Paths::default();
/// assert_eq!(paths.sign_in.as_str(), "/login");
/// if let Some(dashboard) = LocalPath::parse("/dashboard") {
///     paths.home = dashboard;
/// }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Paths {
    /// Starts a sign-in. Default: `/login`.
    pub sign_in: LocalPath,
    /// Ends one. Default: `/logout`.
    pub sign_out: LocalPath,
    /// Where a browser goes that wanted to go nowhere else. Default: `/`.
    pub home: LocalPath,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            sign_in: LocalPath::known("/login"),
            sign_out: LocalPath::known("/logout"),
            home: LocalPath::known("/"),
        }
    }
}

impl Paths {
    /// Whether `path` is one of them.
    pub(crate) fn contains(&self, path: &str) -> bool {
        [&self.sign_in, &self.sign_out, &self.home]
            .iter()
            .any(|own| own.leads_to(path))
    }
}
