//! The browser tests, with a driver of their own.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{Outcome, cargo};

/// Where the tests find the driver.
const WEBDRIVER: &str = "RC_E2E_WEBDRIVER";
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Starts a driver, runs the tests, stops the driver.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let programs = Programs::find(&env::var_os("PATH").unwrap_or_default())?;
    let driver = Driver::start(&programs.driver)?;
    // As `cargo test --workspace` selects features, so that nothing is compiled again after it.
    let mut tests = cargo::cargo(&["test", "--workspace", "--test", "browser"]);
    cargo::run(tests.args(arguments).env(WEBDRIVER, driver.url()))
}

/// What has to be installed.
#[derive(Debug)]
struct Programs {
    driver: PathBuf,
}

impl Programs {
    fn find(path: &OsString) -> Result<Self, String> {
        let find = |name: &str| {
            env::split_paths(path)
                .map(|dir| dir.join(name))
                .find(|file| file.is_file())
        };
        let browser = BROWSERS.into_iter().find_map(find);
        let driver = find("chromedriver");
        let missing = match (browser, driver) {
            (Some(_), Some(driver)) => return Ok(Self { driver }),
            (Some(_), None) => "chromium-driver",
            (None, Some(_)) => "chromium",
            (None, None) => "chromium chromium-driver",
        };
        Err(format!(
            "the browser tests need programs that are not in PATH; on Debian: apt install {missing}"
        ))
    }
}

/// A running chromedriver. Ends with this value, whatever happened in between.
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Starts on a port that the driver chooses.
    fn start(program: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let child = command
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        // From here on the child is stopped by `drop`, also when its port never appears.
        let mut driver = Self { child, port: 0 };
        driver.port = driver.announced_port()?;
        Ok(driver)
    }

    fn announced_port(&mut self) -> Result<u16, String> {
        let stdout = self
            .child
            .stdout
            .take()
            .ok_or("chromedriver has no output")?;
        let (found, port) = mpsc::channel();
        // Reads to the end, so that the driver never waits for somebody to read its output.
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for port in lines.filter_map(|line| port_in(&line)) {
                // Nobody listens any more once the first port was taken.
                let _ = found.send(port);
            }
        });
        port.recv_timeout(START_LIMIT).map_err(|_| {
            format!(
                "chromedriver did not name its port within {} s",
                START_LIMIT.as_secs()
            )
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks the driver to end, which also ends the browsers that it started.
    fn ask_to_end(&self) -> std::io::Result<()> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_read_timeout(Some(STOP_LIMIT))?;
        socket
            .write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        socket.read_to_end(&mut Vec::new()).map(drop)
    }

    fn ended_within(&mut self, limit: Duration) -> bool {
        let started = Instant::now();
        while started.elapsed() < limit {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.port != 0 && self.ask_to_end().is_ok() && self.ended_within(STOP_LIMIT) {
            return;
        }
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!(
                "cannot stop chromedriver (process {}): {error}",
                self.child.id()
            );
        }
    }
}

/// The port in `ChromeDriver was started successfully on port 41234.`
fn port_in(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_drivers_words() {
        assert_eq!(
            port_in("ChromeDriver was started successfully on port 41234."),
            Some(41234)
        );
        assert_eq!(port_in("Starting ChromeDriver 150.0 on port 0"), None);
    }

    #[test]
    fn what_is_missing_is_named_by_its_debian_package() {
        let message = Programs::find(&OsString::new()).unwrap_err();
        assert!(
            message.ends_with("apt install chromium chromium-driver"),
            "{message}"
        );
    }
}
