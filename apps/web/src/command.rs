//! The command line: arguments, start, signals, end.

use std::{ffi::OsString, io, process::ExitCode};

use tokio::{runtime, signal};

use crate::{
    config::{self, Config},
    operator, output,
    start::{Running, Summary},
    telemetry,
};

/// Wrong arguments or configuration.
const EXIT_USAGE: u8 = 2;

/// Runs the program with `arguments` (without its name) and environment variables from `lookup`, until a
/// signal ends it.
pub fn run(
    arguments: impl Iterator<Item = OsString>,
    lookup: impl Fn(&str) -> Option<OsString>,
) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    let command = match arguments.as_slice() {
        [] => None,
        [word, rest @ ..] if word == "store" => match operator::Command::parse(rest) {
            Some(command) => Some(command),
            None => return answer_about_the_store(rest),
        },
        _ => return answer(&arguments),
    };
    let config = match Config::from_lookup(&lookup) {
        Ok(config) => config,
        Err(error) => {
            output::complain(&format!("{error}\nAll variables: rc-web --help"));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let done = match command {
        Some(command) => operate(command, config, lookup("RC_COPY_TO")),
        None => telemetry::log_to_stderr(&config.log)
            .map_err(io::Error::other)
            .and_then(|()| serve(config)),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// What there is to say without starting anything.
fn answer(arguments: &[OsString]) -> ExitCode {
    match arguments {
        [argument] if argument == "--help" || argument == "-h" => printed(&config::help()),
        [argument] if argument == "--version" || argument == "-V" => {
            printed(concat!("rc-web ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        // Not echoed: it may be a secret meant for a variable.
        _ => {
            output::complain(
                "rc-web takes no such arguments. It is configured by environment variables; \
                 see: rc-web --help",
            );
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn printed(text: &str) -> ExitCode {
    match output::print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// `rc-web store` with nothing that is a command.
fn answer_about_the_store(arguments: &[OsString]) -> ExitCode {
    match arguments {
        [argument] if argument == "--help" || argument == "-h" => printed(operator::HELP),
        _ => {
            output::complain(operator::HELP.trim_end());
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Warnings only: what the command prints is the answer.
fn operate(
    command: operator::Command,
    config: Config,
    copy_to: Option<OsString>,
) -> io::Result<ExitCode> {
    telemetry::log_to_stderr("warn").map_err(io::Error::other)?;
    let copy_to = copy_to
        .map(OsString::into_string)
        .transpose()
        .map_err(|_| io::Error::other("RC_COPY_TO is not UTF-8"))?
        .filter(|url| !url.is_empty());
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(Box::pin(command.run(config, copy_to)));
    done.map_err(io::Error::other).map(|()| ExitCode::SUCCESS)
}

/// The runtime is this one and not a web worker's: workers stop before the last refresh is saved.
fn serve(config: Config) -> io::Result<ExitCode> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut running = Running::start(config).await.map_err(io::Error::other)?;
        if let Err(error) = output::print(&greeting(running.summary())) {
            tracing::warn!(%error, "serving, without a greeting");
        }
        tokio::select! {
            ended = running.ended() => ended.and(Ok(ExitCode::FAILURE)),
            stopped = stop_signal() => {
                stopped?;
                tracing::info!("stopping: finishing what is in the air");
                if !running.stop().await {
                    tracing::warn!("stopped before everything was saved; the next start recovers it");
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

async fn stop_signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await
}

fn greeting(summary: &Summary) -> String {
    let metrics = summary.metrics.map_or_else(String::new, |address| {
        format!("Metrics:  http://{address}/metrics\n")
    });
    let Summary {
        address,
        origin,
        server,
        database,
        keys,
        ..
    } = summary;
    let mode = if summary.simulated {
        "demo, simulated platform at"
    } else {
        "platform"
    };
    let exposed = summary.exposed.iter().map(|path| {
        let path = path.display();
        format!("Warning:  others may open {path}. Run: chmod 600 {path}\n")
    });
    let exposed: String = exposed.collect();
    format!(
        "Open {origin}\n\n\
         Listens:  {address}\n\
         {metrics}\
         Mode:     {mode} {server}\n\
         Database: {database}\n\
         Keys:     {keys}\n\
         {exposed}\n\
         Stop with Ctrl-C.\n"
    )
}
