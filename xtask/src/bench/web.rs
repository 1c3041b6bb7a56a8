//! `bench web`: what the demo costs beside the application of a tutorial.
//!
//! Both run at once, at one simulated platform, and are called in turn, so that what else the machine does meets
//! both. What counts is the ratio of each pair of rounds.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::plot::{Chart, Group, Pair};
use crate::{
    Fallible, Outcome,
    processes::{NO_REDIRECT_URI, Programs, Replica, Simulator, Web, executable},
    stress::{browser::Browser, figures::Figures},
};

/// How often the demo and the tutorial are measured after each other.
const PAIRS: usize = 5;

/// Connections that call at once, each for a sign-in of its own.
const CONNECTIONS: usize = 32;

/// How much memory the demo may ever hold, in MiB.
const MOST_MEMORY: f64 = 18.0;

const PLOT: &str = "target/bench/web.svg";

/// What is asked for.
struct Work {
    path: &'static str,
    /// In one round.
    requests: u32,
    /// How many times the tutorial's processor time the demo may take.
    most: f64,
    signed_in: bool,
}

const WORKS: [Work; 2] = [
    Work {
        path: "/me",
        requests: 30_000,
        most: 1.3,
        signed_in: true,
    },
    Work {
        path: "/login",
        requests: 100_000,
        most: 1.8,
        signed_in: false,
    },
];

/// Builds all programs, measures, prints the table, draws the plot, and fails when a bound is broken.
pub(super) fn run() -> Outcome {
    let lab = ["--package=rc-web-lab", "--features=rc-web-lab/lab"];
    let (programs, messages) = Programs::release_beside(&lab)?;
    let tutorial = executable(&messages, "tutorial-peer")?;
    let load = executable(&messages, "web-load")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    // The folder outlives the programs that write to it.
    let folder = TempDir::new().map_err(|error| format!("no temporary folder: {error}"))?;
    let bench = runtime.block_on(Bench::start(&programs, &tutorial, load, folder.path()))?;
    bench.measure(programs.web())
}

/// A program under load.
struct Side {
    web: Web,
    /// One `Cookie` header per line.
    cookies: String,
}

/// What one round came to.
#[derive(Clone, Copy)]
struct Round {
    /// Processor time of a request, in microseconds.
    cost: f64,
    /// Requests in a second.
    rate: f64,
}

/// The programs, ready to be called.
struct Bench {
    demo: Side,
    tutorial: Side,
    load: PathBuf,
    _simulator: Simulator,
}

impl Bench {
    async fn start(
        programs: &Programs,
        tutorial: &Path,
        load: PathBuf,
        folder: &Path,
    ) -> Fallible<Self> {
        // Both sign the same user in.
        let sessions = (2 * CONNECTIONS).to_string();
        let arguments = ["--limits", "off", "--sessions", &sessions];
        let simulator = Simulator::start(programs, NO_REDIRECT_URI, &arguments).await?;
        Ok(Self {
            demo: Side::start(programs.web(), &simulator, folder, "demo").await?,
            tutorial: Side::start(tutorial, &simulator, folder, "tutorial").await?,
            load,
            _simulator: simulator,
        })
    }

    fn measure(&self, demo: &Path) -> Outcome {
        let mut figures = Figures::default();
        let mut groups = Vec::new();
        for work in &WORKS {
            let pairs = self.pairs(work)?;
            groups.push(report(work, &pairs, &mut figures));
        }
        let ours = mebibytes(self.demo.web.peak_memory()?);
        let other = mebibytes(self.tutorial.web.peak_memory()?);
        let name = "most memory held under that load";
        figures.at_most(name, ours, MOST_MEMORY, shown_memory);
        figures.note("  the tutorial's", shown_memory(other));
        let size = fs::metadata(demo).map_err(|error| format!("{}: {error}", demo.display()))?;
        let size = shown_memory(mebibytes(size.len() / 1024));
        figures.note("size of the demo's program", size);
        groups.push(group("most memory held", ours, other, shown_memory));
        super::draw(
            PLOT,
            &Chart {
                title: "Processor time per request and memory: demo (blue), tutorial (grey)",
                groups,
            },
        )?;
        figures.verdict()
    }

    /// The demo's rounds and the tutorial's, in turn. The first two only open connections and fill caches.
    fn pairs(&self, work: &Work) -> Fallible<Vec<(Round, Round)>> {
        eprintln!("measuring {} ..", work.path);
        self.round(&self.demo, work, work.requests / 10)?;
        self.round(&self.tutorial, work, work.requests / 10)?;
        (0..PAIRS)
            .map(|_| {
                let demo = self.round(&self.demo, work, work.requests)?;
                Ok((demo, self.round(&self.tutorial, work, work.requests)?))
            })
            .collect()
    }

    fn round(&self, side: &Side, work: &Work, requests: u32) -> Fallible<Round> {
        let cookies = if work.signed_in { &side.cookies } else { "" };
        let before = side.web.processor_time()?;
        let seconds = self.call(side.web.address, work, requests, cookies)?;
        let taken = side.web.processor_time()?.saturating_sub(before);
        Ok(Round {
            cost: taken.as_secs_f64() * 1e6 / f64::from(requests),
            rate: f64::from(requests) / seconds,
        })
    }

    /// The seconds that `requests` took.
    fn call(
        &self,
        address: SocketAddr,
        work: &Work,
        requests: u32,
        cookies: &str,
    ) -> Fallible<f64> {
        // A sign-in begins with a redirect, which both spell as they like.
        let status = if work.signed_in { "200" } else { "3" };
        let mut command = Command::new(&self.load);
        command
            .args([&address.to_string(), work.path, status])
            .args([CONNECTIONS.to_string(), requests.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let failed = |error: std::io::Error| format!("cannot run web-load: {error}");
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(cookies.as_bytes()).map_err(failed)?;
        }
        let done = child.wait_with_output().map_err(failed)?;
        if !done.status.success() {
            return Err(format!("web-load failed ({})", done.status));
        }
        let said = String::from_utf8_lossy(&done.stdout);
        let seconds = said.trim().parse();
        seconds.map_err(|_| format!("web-load said {said:?}, which is no time"))
    }
}

impl Side {
    async fn start(
        program: &Path,
        simulator: &Simulator,
        folder: &Path,
        name: &str,
    ) -> Fallible<Self> {
        let database = format!("sqlite://{}/{name}.db?mode=rwc", folder.display());
        let replica = Replica {
            name,
            folder,
            database: &database,
            port: 0,
        };
        let web = Web::start_program(program, simulator, &replica).await?;
        let mut cookies = String::new();
        for _ in 0..CONNECTIONS {
            let mut browser = Browser::new(web.address);
            let signed_in = browser.sign_in(simulator, simulator.user(0)?).await;
            signed_in.map_err(|error| format!("{name}: {error}"))?;
            cookies.push_str(&browser.cookies());
            cookies.push('\n');
        }
        Ok(Self { web, cookies })
    }
}

fn report(work: &Work, pairs: &[(Round, Round)], figures: &mut Figures) -> Group {
    let of = |figure: fn(&(Round, Round)) -> f64| median(pairs.iter().map(figure).collect());
    let path = work.path;
    let ratio = of(|(demo, tutorial)| demo.cost / tutorial.cost);
    let name = format!("GET {path}: processor time over the tutorial's, median of {PAIRS}");
    figures.at_most(&name, ratio, work.most, |value| format!("{value:.2}x"));
    let all = pairs
        .iter()
        .map(|(demo, tutorial)| format!("{:.2}", demo.cost / tutorial.cost));
    figures.note("  each pair's", all.collect::<Vec<_>>().join(" "));
    let (ours, other) = (of(|pair| pair.0.cost), of(|pair| pair.1.cost));
    figures.note("  demo, per request", shown_time(ours));
    figures.note("  tutorial, per request", shown_time(other));
    let rates = (of(|pair| pair.0.rate), of(|pair| pair.1.rate));
    figures.note("  demo, requests per second", format!("{:.0}", rates.0));
    figures.note("  tutorial, requests per second", format!("{:.0}", rates.1));
    group(&format!("GET {path}"), ours, other, shown_time)
}

fn group(name: &str, ours: f64, other: f64, shown: fn(f64) -> String) -> Group {
    let name = name.to_owned();
    Group {
        pairs: vec![Pair { name, ours, other }],
        shown,
    }
}

/// The middle one of an odd number of values; not a number for none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn shown_time(micros: f64) -> String {
    super::figures::micros(micros)
}

fn shown_memory(mebibytes: f64) -> String {
    format!("{mebibytes:.1} MiB")
}

fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_and_of_nothing_no_number() {
        assert_eq!(median(vec![3.0, 1.0, 2.0, 9.0, 0.5]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn a_broken_bound_of_the_demo_is_named() {
        let round = |cost| Round { cost, rate: 1.0 };
        let pairs = [(round(20.0), round(10.0)); PAIRS];
        let mut figures = Figures::default();
        let group = report(&WORKS[0], &pairs, &mut figures);
        assert_eq!((group.pairs[0].ours, group.pairs[0].other), (20.0, 10.0));
        let message = figures.verdict().unwrap_err();
        assert!(message.contains("GET /me"), "{message}");
    }
}
