//! `DATABASE_URL`: which database, without ever printing its credentials.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A database address that passed the checks. Prints without user name, password and parameters.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: String,
    file: PathBuf,
}

impl DatabaseUrl {
    /// Checks the scheme and that the database outlives the process.
    ///
    /// # Errors
    ///
    /// Says what is wrong without repeating the value, which may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err("is not a URL".to_owned());
        };
        if !scheme.eq_ignore_ascii_case("sqlite") {
            return Err(unknown_scheme(scheme));
        }
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let in_memory = query.split('&').any(|pair| pair == "mode=memory");
        if in_memory || path.is_empty() || path.starts_with(":memory:") {
            return Err(
                "names an in-memory database, which would forget every sign-in at the next start"
                    .to_owned(),
            );
        }
        let file = PathBuf::from(percent_decoded(path)?);
        Ok(Self {
            url: url.to_owned(),
            file,
        })
    }

    /// The URL as given, for the driver only.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The SQLite file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A file beside the database file: same folder, same name, `.extension` added.
    pub fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(".");
        name.push(extension);
        PathBuf::from(name)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQLite, {}", self.file.display())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A scheme is named only when it is one; anything else could be part of a password.
fn unknown_scheme(scheme: &str) -> String {
    const KNOWN: &[&str] = &[
        "postgres",
        "postgresql",
        "mysql",
        "mariadb",
        "redis",
        "rediss",
        "valkey",
    ];
    let lower = scheme.to_ascii_lowercase();
    match KNOWN.iter().find(|known| **known == lower) {
        Some(known) => {
            format!("asks for {known}, which is not built into this binary; built in: sqlite")
        }
        None => "has an unknown scheme; built in: sqlite".to_owned(),
    }
}

/// The driver decodes percent escapes in the path, so the files beside it must follow.
fn percent_decoded(path: &str) -> Result<String, String> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next().unwrap_or(0), bytes.next().unwrap_or(0)];
        let digits = std::str::from_utf8(&digits).ok();
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => decoded.push(byte),
            None => return Err("has a broken percent escape in its path".to_owned()),
        }
    }
    String::from_utf8(decoded).map_err(|_| "has a path that is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_files_are_accepted_in_every_spelling() {
        for (url, file) in [
            ("sqlite:///var/lib/app/a.db?mode=rwc", "/var/lib/app/a.db"),
            ("sqlite://rc-demo/rc-demo.db?mode=rwc", "rc-demo/rc-demo.db"),
            ("sqlite:a.db", "a.db"),
            ("SQLITE://with%20space.db", "with space.db"),
        ] {
            assert_eq!(
                DatabaseUrl::parse(url).unwrap().file(),
                Path::new(file),
                "{url}"
            );
        }
    }

    #[test]
    fn in_memory_databases_are_refused() {
        for url in [
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite://",
            "sqlite://x?mode=memory",
        ] {
            let problem = DatabaseUrl::parse(url).unwrap_err();
            assert!(problem.contains("in-memory"), "{url}: {problem}");
        }
    }

    #[test]
    fn other_backends_are_refused_by_name_and_passwords_stay_unsaid() {
        let problem = DatabaseUrl::parse("postgres://app:hunter2@db.example/app").unwrap_err();
        assert!(
            problem.contains("postgres") && !problem.contains("hunter2"),
            "{problem}"
        );
        let problem = DatabaseUrl::parse("hunter2:x").unwrap_err();
        assert!(!problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn companions_lie_beside_the_file() {
        let url = DatabaseUrl::parse("sqlite://dir/a.db?mode=rwc").unwrap();
        assert_eq!(url.beside("lock"), Path::new("dir/a.db.lock"));
    }
}
