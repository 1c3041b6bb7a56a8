//! `DATABASE_URL`: which database, without ever printing its credentials.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use url::Url;

mod parameters;

/// Where records are kept: what `DATABASE_URL` names, checked. Prints without user name, password and
/// parameters.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: String,
    engine: Engine,
    place: Place,
}

/// The kinds of store that a `DATABASE_URL` can name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Engine {
    /// `sqlite:`, always built in.
    Sqlite,
    /// `postgres:`, `postgresql:`; feature `postgres`.
    Postgres,
    /// `mysql:`, `mariadb:`; feature `mysql`.
    MySql,
    /// `redis:`, `redis-cluster:`, `redis-sentinel:`, and `valkey` in place of `redis`; feature `redis`.
    Redis,
    /// `file:`, one file for each record; feature `file`.
    Files,
}

#[derive(Clone)]
enum Place {
    /// On this machine, at this path.
    Here(PathBuf),
    /// Somewhere a network leads to: what may be printed of it.
    Server(String),
}

impl Engine {
    fn of_scheme(scheme: &str) -> Option<Self> {
        Some(match scheme {
            "sqlite" => Self::Sqlite,
            "postgres" | "postgresql" => Self::Postgres,
            "mysql" | "mariadb" => Self::MySql,
            "redis" | "rediss" | "redis-cluster" | "redis-sentinel" | "valkey" | "valkeys"
            | "valkey-cluster" | "valkey-sentinel" => Self::Redis,
            "file" => Self::Files,
            _ => return None,
        })
    }

    /// The Cargo feature that builds it in; `None` if it always is.
    const fn feature(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("postgres"),
            Self::MySql => Some("mysql"),
            Self::Redis => Some("redis"),
            Self::Files => Some("file"),
        }
    }

    const fn is_built_in(self) -> bool {
        match self {
            Self::Sqlite => true,
            Self::Postgres => cfg!(feature = "postgres"),
            Self::MySql => cfg!(feature = "mysql"),
            Self::Redis => cfg!(feature = "redis"),
            Self::Files => cfg!(feature = "file"),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL or MariaDB",
            Self::Redis => "Redis or Valkey",
            Self::Files => "a folder of files",
        })
    }
}

impl DatabaseUrl {
    /// Checks the scheme, that its driver is built in, and that the database outlives the process.
    ///
    /// # Errors
    ///
    /// Says what is wrong without repeating the value, which may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err("is not a URL".to_owned());
        };
        let Some(engine) = Engine::of_scheme(&scheme.to_ascii_lowercase()) else {
            return Err(unknown_scheme());
        };
        if let Some(feature) = engine.feature().filter(|_| !engine.is_built_in()) {
            return Err(format!(
                "asks for {engine}, which is not built into this program. Build it in: \
                 cargo build --release -p rc-web --features {feature}"
            ));
        }
        parameters::check(engine, url)?;
        let place = match engine {
            Engine::Sqlite => Place::Here(sqlite_file(rest)?),
            Engine::Files => Place::Here(folder(rest)?),
            _ => Place::Server(address(url)),
        };
        Ok(Self {
            url: url.to_owned(),
            engine,
            place,
        })
    }

    /// The URL as given, for the driver only.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The kind of store.
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// The SQLite file, or the folder of files; `None` if a server keeps the records.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Here(path) => Some(path),
            Place::Server(_) => None,
        }
    }

    /// Whether both surely name one store: the same URL, or the same file or folder. Of a server it is known
    /// only of equal URLs.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        let at = |url: &Self| identity(url.path()?);
        self.url == other.url || at(self).is_some_and(|here| at(other) == Some(here))
    }

    /// A file beside what is at [`path`](Self::path): same folder, same name, `.extension` added.
    pub fn beside(&self, extension: &str) -> Option<PathBuf> {
        let mut name = self.path()?.as_os_str().to_owned();
        name.push(".");
        name.push(extension);
        Some(PathBuf::from(name))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Here(path) => write!(f, "{}, {}", self.engine, path.display()),
            Place::Server(address) if address.is_empty() => write!(f, "{}", self.engine),
            Place::Server(address) => write!(f, "{}, {address}", self.engine),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What two names of one file have in common; links of both kinds lead to the same. `None` if it is not there.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

/// The scheme is not repeated: it could be part of a password.
fn unknown_scheme() -> String {
    const ALL: [Engine; 5] = [
        Engine::Sqlite,
        Engine::Postgres,
        Engine::MySql,
        Engine::Redis,
        Engine::Files,
    ];
    let built_in = ALL.iter().filter(|engine| engine.is_built_in());
    let built_in: Vec<_> = built_in.map(ToString::to_string).collect();
    format!(
        "has an unknown scheme. Built into this program: {}",
        built_in.join("; ")
    )
}

/// Host, port and database of a server's URL: nothing if it cannot be told surely what is a password.
fn address(url: &str) -> String {
    let Ok(parsed) = Url::parse(url) else {
        return String::new();
    };
    // A `/` in a password that is not escaped would make half of it a host.
    // So would a `?` or a `#`.
    let odd = parsed.fragment().is_some()
        || parsed.path().contains('@')
        || parsed.query().is_some_and(|query| query.contains('@'));
    let Some(host) = parsed.host_str().filter(|_| !odd) else {
        return String::new();
    };
    let port = parsed
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    format!("{host}{port}{}", parsed.path())
}

fn sqlite_file(rest: &str) -> Result<PathBuf, String> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let in_memory = query.split('&').any(|pair| pair == "mode=memory");
    if in_memory || path.is_empty() || path.starts_with(":memory:") {
        return Err(
            "names an in-memory database, which would forget every sign-in at the next start"
                .to_owned(),
        );
    }
    Ok(PathBuf::from(percent_decoded(path)?))
}

fn folder(rest: &str) -> Result<PathBuf, String> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path.contains('?') {
        return Err("names no folder; write for example file:///var/lib/app/tokens".to_owned());
    }
    // The files beside it have one place, whether or not it is written with a `/` at the end.
    let path = PathBuf::from(percent_decoded(path)?);
    Ok(path.components().collect())
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
            let parsed = DatabaseUrl::parse(url).unwrap();
            assert_eq!(parsed.path(), Some(Path::new(file)), "{url}");
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
    fn a_driver_is_built_in_or_refused_with_the_command_that_builds_it() {
        for (scheme, feature) in [
            ("postgres", "postgres"),
            ("postgresql", "postgres"),
            ("mysql", "mysql"),
            ("mariadb", "mysql"),
            ("redis", "redis"),
            ("redis-cluster", "redis"),
            ("valkey", "redis"),
            ("valkey-cluster", "redis"),
            ("valkey-sentinel", "redis"),
            ("file", "file"),
        ] {
            let url = format!("{scheme}://app:hunter2@db.example/app");
            match DatabaseUrl::parse(&url) {
                Ok(parsed) => assert!(parsed.engine().is_built_in(), "{scheme}"),
                Err(problem) => {
                    let command = format!("cargo build --release -p rc-web --features {feature}");
                    assert!(problem.contains(&command), "{problem}");
                    assert!(!problem.contains("hunter2"), "{problem}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_scheme_is_not_repeated() {
        let problem = DatabaseUrl::parse("hunter2:x").unwrap_err();
        assert!(!problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn of_a_server_host_and_database_are_printed_and_nothing_else() {
        for (url, printed) in [
            (
                "postgres://app:hunter2@db.example:5433/app?x=hunter2",
                "db.example:5433/app",
            ),
            ("postgres:///app?host=/run/postgresql", ""),
            ("postgres://app:hunt/er2@db.example/app", ""),
            ("postgres://app:12/hunter2@db.example/app", ""),
            ("postgres://app:12?hunter2@db.example/app", ""),
            ("postgres://app:12#hunter2@db.example/app", ""),
            ("redis-cluster://:hunter2@a.example:7000,b.example:7001", ""),
        ] {
            assert_eq!(address(url), printed, "{url}");
        }
    }

    #[test]
    fn a_file_is_the_same_in_every_spelling() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        std::fs::write(&file, "").unwrap();
        let spelled = |path: String| DatabaseUrl::parse(&format!("sqlite:{path}")).unwrap();
        let plain = spelled(file.display().to_string());
        for path in [
            format!("//{}?mode=rwc", file.display()),
            format!("{}/./a.db", folder.path().display()),
        ] {
            assert!(spelled(path.clone()).is_same_place(&plain), "{path}");
        }
        let other = spelled(format!("{}/b.db", folder.path().display()));
        assert!(!other.is_same_place(&plain));
    }

    #[cfg(feature = "file")]
    #[test]
    fn the_locks_of_a_folder_are_the_same_with_and_without_a_slash_at_the_end() {
        let beside = |url: &str| DatabaseUrl::parse(url).unwrap().beside("lock");
        assert_eq!(beside("file:tokens/"), beside("file:tokens"));
    }

    #[test]
    fn companions_lie_beside_the_file() {
        let url = DatabaseUrl::parse("sqlite://dir/a.db?mode=rwc").unwrap();
        assert_eq!(
            url.beside("lock").as_deref(),
            Some(Path::new("dir/a.db.lock"))
        );
    }
}
