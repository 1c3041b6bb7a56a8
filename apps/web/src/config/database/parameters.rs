//! What stands after the `?` of a database server's URL.

use url::Url;

use super::Engine;

/// What PostgreSQL's driver knows, besides `options[NAME]`.
const POSTGRES: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// What the driver of MySQL and MariaDB knows.
const MYSQL: &[&str] = &[
    "charset",
    "collation",
    "socket",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "sslca",
    "sslcert",
    "sslkey",
    "sslmode",
    "statement-cache-capacity",
    "time-zone",
    "timezone",
];

/// Refuses parameters that the driver does not know: it would ignore them, so that a mistyped `sslmode`
/// means no encryption, and PostgreSQL's logs them with their values.
///
/// # Errors
///
/// Names what is known. What was given is not repeated: it could be part of a password.
pub(super) fn check(engine: Engine, url: &str) -> Result<(), String> {
    let known = match engine {
        Engine::Postgres => POSTGRES,
        Engine::MySql => MYSQL,
        Engine::Sqlite | Engine::Redis | Engine::Files => return Ok(()),
    };
    // What is no URL is refused by the driver.
    let Ok(url) = Url::parse(url) else {
        return Ok(());
    };
    for (name, _) in url.query_pairs() {
        let is_option =
            engine == Engine::Postgres && name.starts_with("options[") && name.ends_with(']');
        if !is_option && !known.contains(&&*name) {
            return Err(format!(
                "has a parameter after its `?` that the driver of {engine} does not know. Known are {}",
                known.join(", ")
            ));
        }
    }
    if engine == Engine::MySql && url.path().len() <= 1 {
        return Err("names no database; write for example mysql://app@db.example/app".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_the_driver_would_ignore_is_refused_and_not_repeated() {
        for (engine, url) in [
            (
                Engine::Postgres,
                "postgres://db.example/app?ssl_mode=hunter2",
            ),
            (
                Engine::Postgres,
                "postgres://app:12?hunter2=x@db.example/app",
            ),
            (Engine::MySql, "mysql://db.example/app?hunter2=1"),
        ] {
            let problem = check(engine, url).unwrap_err();
            assert!(problem.contains("sslmode"), "{url}: {problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn known_parameters_are_accepted() {
        for (engine, url) in [
            (Engine::Postgres, "postgres:///app?host=/run/postgresql"),
            (
                Engine::Postgres,
                "postgres://db.example/app?sslmode=require&options[statement_timeout]=5s",
            ),
            (Engine::MySql, "mysql://db.example/app?ssl-mode=REQUIRED"),
            (Engine::Redis, "redis://db.example?prefix=app:"),
        ] {
            assert_eq!(check(engine, url), Ok(()), "{url}");
        }
    }

    #[test]
    fn mysql_needs_a_database() {
        for url in ["mysql://db.example", "mysql://app@db.example:3306/"] {
            assert!(
                check(Engine::MySql, url)
                    .unwrap_err()
                    .contains("names no database"),
                "{url}"
            );
        }
    }
}
