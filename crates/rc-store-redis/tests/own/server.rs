//! Servers of a test's own, in a folder of its own, that end with it.

use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// One `redis-server`, and what it is started with again.
pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    settings: Vec<String>,
    child: Child,
}

impl Server {
    pub(crate) fn start(settings: &[&str]) -> Self {
        let mut settings: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
        settings.extend(["--save", ""].map(str::to_owned));
        Self::serve(settings)
    }

    /// With all settings given; one of several lines is a file of settings that the server rewrites.
    pub(crate) fn serve(settings: Vec<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let child = spawn(&folder, port, &settings);
        let server = Self {
            folder,
            port,
            settings,
            child,
        };
        server.wait();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("ends");
    }

    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.folder, self.port, &self.settings);
        self.wait();
    }

    /// Sends a signal that `kill` knows by this name.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &process]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let mut client = Command::new("redis-cli");
        let output = client.args(["-p", &port]).args(words).output();
        let output = output.expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn wait(&self) {
        until(|| {
            let answer = self.ask(&["PING"]);
            answer.contains("PONG") || answer.contains("NOAUTH")
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that was killed before is no error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &TempDir, port: u16, settings: &[String]) -> Child {
    let log = File::create(folder.path().join("log")).expect("a log");
    let mut command = Command::new("redis-server");
    let configuration = folder.path().join("configuration");
    let mut settings = settings.iter().peekable();
    if let Some(text) = settings.next_if(|text| text.contains('\n')) {
        std::fs::write(&configuration, text).expect("a configuration");
        command.arg(&configuration);
    }
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.arg("--dir").arg(folder.path()).args(settings);
    command
        .stdout(log)
        .stderr(Stdio::null())
        .stdin(Stdio::null());
    command.spawn().expect("`redis-server` is in the path")
}

/// Below 55,536, so that the port of the Cluster's own talk exists too.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        if port < 55_000 {
            return port;
        }
    }
}

/// Waits for another process.
pub(crate) fn until(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "not in 30 s");
        thread::sleep(Duration::from_millis(20));
    }
}
