//! What a browser is called where its owner looks for it.

/// A short name for the browser that sends this `User-Agent`, such as "Firefox on Linux"; `None` for what is no
/// browser known here.
///
/// Good enough to tell one's own devices apart. It is what the browser says of itself, so nothing may depend on it.
///
/// ```
/// let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
/// assert_eq!(rc_auth_web::device_name(firefox).as_deref(), Some("Firefox on Linux"));
/// assert_eq!(rc_auth_web::device_name("curl/8.0"), None);
/// ```
#[must_use]
pub fn device_name(user_agent: &str) -> Option<String> {
    let browser = first(user_agent, BROWSERS)?;
    Some(match first(user_agent, SYSTEMS) {
        Some(system) => format!("{browser} on {system}"),
        None => browser.to_owned(),
    })
}

fn first(user_agent: &str, names: &[(&str, &'static str)]) -> Option<&'static str> {
    let known = names.iter().find(|(mark, _)| user_agent.contains(mark));
    known.map(|(_, name)| *name)
}

/// In this order: most browsers also claim to be those further down.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// In this order: an iPhone claims to be like Mac OS X, Android to be Linux.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_browsers_are_named_with_their_system() {
        for (user_agent, name) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome on Android",
            ),
            ("Mozilla/5.0 (Unheard) Firefox/1.0", "Firefox"),
        ] {
            assert_eq!(device_name(user_agent).as_deref(), Some(name));
        }
        assert_eq!(device_name(""), None);
        assert_eq!(device_name("ExampleBot/1.0 (Linux)"), None);
    }
}
