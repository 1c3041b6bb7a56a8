//! Fictional users.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of a user: the extension's id.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub(crate) struct UserId(pub(crate) u64);

/// What a user may do.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// Sees and changes every extension of the account.
    Administrator,
    /// Sees and changes the own extension only.
    #[default]
    Standard,
    /// Like [`Standard`](Self::Standard), without the permission `ThirdPartyAppAccess`: the user cannot sign in
    /// to any app (CMN-408). Platform §6.2.
    NoThirdPartyApps,
}

/// A fictional user.
#[derive(Clone)]
#[non_exhaustive]
pub struct User {
    /// What the user types into the sign-in page, compared without case.
    pub login: String,
    password: String,
    /// The extension's id; a number in v1.0 resources, a string in `owner_id`.
    pub extension_id: u64,
    /// The short number inside the company.
    pub extension_number: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The user's direct number, E.164.
    pub phone_number: String,
    /// What the user may do. Default: [`Role::Standard`].
    pub role: Role,
    /// Whether the extension is enabled. A disabled one can neither sign in nor refresh (OAU-141). Default: yes.
    pub enabled: bool,
}

impl User {
    /// A user with an extension.
    #[must_use]
    pub fn new(
        login: impl Into<String>,
        password: impl Into<String>,
        extension_id: u64,
        first_name: impl Into<String>,
        last_name: impl Into<String>,
    ) -> Self {
        Self {
            login: login.into(),
            password: password.into(),
            extension_id,
            extension_number: (extension_id % 1000).to_string(),
            first_name: first_name.into(),
            last_name: last_name.into(),
            phone_number: format!("+1650555{:04}", 100 + extension_id % 100),
            role: Role::Standard,
            enabled: true,
        }
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// First and last name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    /// Whether the user administers the account.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.role == Role::Administrator
    }

    pub(crate) fn id(&self) -> UserId {
        UserId(self.extension_id)
    }

    /// The users of the demo, one of each kind.
    pub(super) fn demo() -> Vec<Self> {
        let user = |login: &str, password: &str, id, first: &str, last: &str| {
            Self::new(format!("{login}@acme.example"), password, id, first, last)
        };
        vec![
            Self {
                role: Role::Administrator,
                ..user("ada", "Engine-1843", 12_133_895_101, "Ada", "Example")
            },
            user("grace", "Compiler-1952", 12_133_895_102, "Grace", "Sample"),
            Self {
                role: Role::NoThirdPartyApps,
                ..user("nora", "Noapps-2001", 12_133_895_103, "Nora", "Noapps")
            },
            Self {
                enabled: false,
                ..user("dora", "Disabled-2002", 12_133_895_104, "Dora", "Disabled")
            },
        ]
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("login", &self.login)
            .field("extension_id", &self.extension_id)
            .field("role", &self.role)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}
