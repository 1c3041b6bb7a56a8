//! Every environment variable there is, and the text of `--help`.

use std::fmt::Write as _;

/// One environment variable, as `--help` and error messages show it.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is for, one line per entry.
    pub about: &'static [&'static str],
    /// What holds when it is absent or empty.
    pub default: &'static str,
    /// A value that is accepted.
    pub example: &'static str,
}

/// The variables in the order `--help` prints them.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "RC_CLIENT_ID",
        about: &[
            "Client ID of the app registered in the RingCentral developer console.",
            "With nothing set the demo runs: a simulated platform starts beside the application.",
        ],
        default: "none: demo mode",
        example: "AbCdEfGhIjKlMnOpQrStUv",
    },
    Variable {
        name: "RC_DEMO",
        about: &[
            "Demo or not: on = the simulated platform, off = never; a registered app is required.",
            "Set it to off in production, so that a lost configuration is an error and no demo.",
        ],
        default: "on if nothing of a registered app is set; half of one is an error",
        example: "off",
    },
    Variable {
        name: "RC_CLIENT_SECRET",
        about: &["Client secret of that app."],
        default: "none: a public app, which authenticates by PKCE alone",
        example: "the client secret shown by the developer console",
    },
    Variable {
        name: "RC_REDIRECT_URI",
        about: &[
            "The OAuth redirect URI, byte for byte as registered in the console.",
            "Its path is where this application receives the callback; https, or http on loopback.",
            "Requests are answered for its host and port and for names of this machine; a proxy must",
            "pass one of them on as Host. /healthz and /readyz may also be asked by IP address.",
        ],
        default: "demo mode: http://127.0.0.1:PORT/oauth/callback with the port of BIND; otherwise required",
        example: "https://app.example.com/oauth/callback",
    },
    Variable {
        name: "RC_SERVER_URL",
        about: &["The platform to talk to; https, or http on loopback."],
        default: "https://platform.ringcentral.com",
        example: "https://platform.ringcentral.com",
    },
    Variable {
        name: "DATABASE_URL",
        about: &[
            "Where sign-ins are kept, encrypted: sqlite://FILE for one machine. Other stores have to be",
            "built in (cargo build -p rc-web --features postgres,mysql,redis,file): postgres://, mysql://,",
            "redis://, redis-cluster://, redis-sentinel:// for any number of machines; file://FOLDER.",
        ],
        default: "demo mode: sqlite://rc-demo/rc-demo.db?mode=rwc; otherwise sqlite://rc-web.db?mode=rwc",
        example: "sqlite:///var/lib/rc-web/rc-web.db?mode=rwc",
    },
    Variable {
        name: "RC_ENCRYPTION_KEYS",
        about: &[
            "Keys that encrypt the database and the cookies: id:base64 of 32 bytes[,id:…].",
            "The first one is active, the others still open what they sealed.",
        ],
        default: "demo mode: a key file beside the database (rc-demo/rc-demo.keys if that is a server), made on first start; otherwise required",
        example: "2026a:$(openssl rand -base64 32)",
    },
    Variable {
        name: "RC_ENCRYPTION_KEYS_FILE",
        about: &[
            "A file with those keys instead, which only its owner may read; its text may end with a line break.",
        ],
        default: "none",
        example: "/etc/rc-web/keys",
    },
    Variable {
        name: "BIND",
        about: &["Address and port to listen on; port 0 takes a free one."],
        default: "127.0.0.1:8080",
        example: "127.0.0.1:8080",
    },
    Variable {
        name: "RC_METRICS_BIND",
        about: &[
            "Address and port of a listener of its own for GET /metrics, in Prometheus' text format.",
            "On a loopback address it answers to names of this machine; on others to whoever reaches it.",
        ],
        default: "none: nothing is measured",
        example: "127.0.0.1:9464",
    },
    Variable {
        name: "RC_AUTH_BUDGET",
        about: &["The app's own limit on token requests, COUNT/SECONDSs, or off."],
        default: "what the platform's own headers say",
        example: "5/60s",
    },
    Variable {
        name: "RC_REFRESH_REPLAY",
        about: &[
            "What the platform does with a refresh token that was used before:",
            "grace = answers with the same new pair again (RingCentral), none = refuses it.",
        ],
        default: "grace for https hosts of ringcentral.com and for the demo, none elsewhere",
        example: "none",
    },
    Variable {
        name: "RC_SIM_LIMITS",
        about: &["Demo mode only: on = the simulated platform enforces its rate limits."],
        default: "off",
        example: "on",
    },
    Variable {
        name: "RUST_LOG",
        about: &["What to log to stderr, as tracing filter directives. No level logs a secret."],
        default: "info",
        example: "info,rc_auth=debug",
    },
    Variable {
        name: "RC_CALLBACK_LIMIT",
        about: &[
            "How many authorization codes the platform may refuse from one browser address",
            "(IPv6: /64) in a window, COUNT/SECONDSs, or off. Its further callbacks get 429.",
        ],
        default: "3/60s",
        example: "3/60s",
    },
    Variable {
        name: "RC_TRUSTED_PROXIES",
        about: &[
            "Reverse proxies, addresses or networks, whose X-Forwarded-For or Forwarded is believed.",
            "Behind a proxy that is not listed all browsers count as one address, and a stranger's",
            "refused codes hold up everybody's sign-in for a window.",
        ],
        default: "none",
        example: "127.0.0.1,10.0.0.0/8",
    },
    Variable {
        name: "RC_REQUIRE_ISS",
        about: &[
            "on = refuse callbacks without iss (RFC 9207). RingCentral sends none.",
            "Not in demo mode. An iss that is there is always checked.",
        ],
        default: "off",
        example: "on",
    },
];

/// The answer to `--help`.
pub fn help() -> String {
    let mut text = String::from(
        "rc-web: sign in with RingCentral, call the API, refresh, sign out\n\n\
         Usage: rc-web [--help | --version]\n       rc-web store --help\n\n\
         It is configured by environment variables; an empty one counts as absent.\n",
    );
    for variable in VARIABLES {
        let _ = write!(text, "\n  {}\n", variable.name);
        for line in variable.about {
            let _ = writeln!(text, "      {line}");
        }
        let _ = writeln!(text, "      Default: {}", variable.default);
        let _ = writeln!(
            text,
            "      Example: {}={}",
            variable.name, variable.example
        );
    }
    text
}

/// The example of the variable called `name`.
pub(super) fn example_of(name: &str) -> &'static str {
    let named = |variable: &&Variable| variable.name == name;
    VARIABLES
        .iter()
        .find(named)
        .map_or("", |variable| variable.example)
}
