//! HAProxy, in front of several replicas of the application or of a primary and its standby.

use std::{fs, process::Command, time::Duration};

use tempfile::TempDir;

use super::{Process, free_port, installed};

/// After this time every server was asked once or twice.
const CHECKED: Duration = Duration::from_millis(600);

/// A running proxy. Killed when dropped.
pub(crate) struct Haproxy {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Haproxy {
    /// Shares the requests that come to `port` among the replicas that say at `/readyz` that they are.
    ///
    /// A request that a replica has not begun to answer goes to another one, unless it is a POST that it
    /// may have received.
    pub(crate) fn for_replicas(port: u16, replicas: &[u16]) -> Result<Self, String> {
        let servers = servers(replicas);
        Self::start(
            port,
            &format!(
                "defaults\n  mode http\n  timeout connect 1s\n  timeout check 1s\n  timeout client 60s\n  timeout server 60s\n\
                 frontend browsers\n  bind 127.0.0.1:{port}\n  default_backend replicas\n\
                 backend replicas\n  balance roundrobin\n  option forwardfor\n  option redispatch 1\n  retries 5\n\
                 \u{20} http-reuse never\n  retry-on conn-failure empty-response\n\
                 \u{20} http-request disable-l7-retry if METH_POST\n\
                 \u{20} option httpchk\n  http-check send meth GET uri /readyz hdr Host localhost\n\
                 \u{20} default-server check inter 300ms fall 1 rise 1\n{servers}"
            ),
        )
    }

    /// Leads to whichever of these PostgreSQL servers is not in recovery, and ends the connections to one
    /// that is gone.
    pub(crate) fn for_postgres(ports: &[u16]) -> Result<Self, String> {
        let port = free_port()?;
        let servers = servers(ports);
        // A start-up message for user and database `postgres`; the query; a row with the one letter `f`.
        let hello = message(None, b"\0\x03\0\0user\0postgres\0database\0postgres\0\0");
        let query = message(Some(b'Q'), b"SELECT pg_is_in_recovery()\0");
        let no = message(Some(b'D'), b"\0\x01\0\0\0\x01f");
        Self::start(
            port,
            &format!(
                "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1h\n  timeout server 1h\n\
                 frontend clients\n  bind 127.0.0.1:{port}\n  default_backend primary\n\
                 backend primary\n  option tcp-check\n  tcp-check connect\n\
                 \u{20} tcp-check send-binary {hello}\n  tcp-check expect binary 5a0000000549\n\
                 \u{20} tcp-check send-binary {query}\n  tcp-check expect binary {no}\n\
                 \u{20} default-server check inter 300ms fall 1 rise 1 on-marked-down shutdown-sessions\n{servers}"
            ),
        )
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn start(port: u16, configuration: &str) -> Result<Self, String> {
        let program = installed("haproxy", &["/usr/sbin"], "haproxy")?;
        let folder =
            tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, configuration).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(&path);
        let mut process = Process::start(&mut command, folder.path().join("log"))?;
        process.wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        // Until it has asked them once, it takes every server to be good.
        std::thread::sleep(CHECKED);
        Ok(Self {
            _process: process,
            _folder: folder,
            port,
        })
    }
}

fn servers(ports: &[u16]) -> String {
    let lines = ports
        .iter()
        .map(|port| format!("  server at{port} 127.0.0.1:{port}\n"));
    lines.collect()
}

/// A message of PostgreSQL's protocol in hexadecimal: its letter, its length with these four bytes, and
/// what it says.
fn message(letter: Option<u8>, says: &[u8]) -> String {
    let length = (says.len() as u32 + 4).to_be_bytes();
    let bytes = letter.into_iter().chain(length).chain(says.iter().copied());
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_letter_and_its_length_in_front() {
        assert_eq!(message(Some(b'Q'), b"a\0"), "51000000066100");
        assert_eq!(message(None, b"\0\x03\0\0"), "0000000800030000");
    }
}
