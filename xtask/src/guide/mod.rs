//! The guide for those who test an integration: every block of `docs/testing.md` is run.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Fallible, Outcome, cargo, interop, no_arguments};

mod blocks;
mod run;

use blocks::{Block, Language};
use run::Ended;

const GUIDE: &str = "docs/testing.md";
/// The item of rc-sim whose documentation the guide is, so that its Rust blocks are doctests.
const RUST_BLOCKS: &str = "Guide";
/// Those that the shell's blocks listen on: a reader's `rc-sim` has its usual port.
const PORTS: [u16; 2] = [8090, 8091];

/// Runs every block.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let (text, blocks) = read()?;
    let mut tests = cargo::cargo(&["test", "--package", "rc-sim", "--doc", "--", RUST_BLOCKS]);
    cargo::run(&mut tests).map_err(|error| {
        let rust = blocks
            .iter()
            .filter(|block| block.language == Language::Rust);
        let lines: Vec<String> = rust.map(|block| block.line.to_string()).collect();
        format!(
            "{error}: a block of Rust in {GUIDE}, line {}",
            lines.join(" or ")
        )
    })?;
    follow(&text, &blocks)
}

/// As a step of ci, where the Rust blocks have run among the tests of rc-sim.
pub(crate) fn check() -> Outcome {
    let (text, blocks) = read()?;
    follow(&text, &blocks)
}

fn read() -> Fallible<(String, Vec<Block>)> {
    let text = cargo::read(GUIDE)?;
    let blocks = blocks::parse(&text).map_err(|error| format!("{GUIDE}:{error}"))?;
    Ok((text, blocks))
}

/// Runs all blocks but those of Rust.
fn follow(text: &str, blocks: &[Block]) -> Outcome {
    for port in PORTS {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
            format!("the guide needs port {port}, which cannot be had: {error}")
        })?;
    }
    let installed = interop::install_all()?;
    // Below the packages of Node, which looks for them in the folders above a script.
    let folder = tempfile::tempdir_in(installed.folder())
        .map_err(|error| format!("no temporary folder: {error}"))?;
    let reader = Reader::new(&installed, folder.path())?;
    reader.save_files(blocks)?;
    let shell = reader.type_in(text, blocks);
    println!("{GUIDE}: sh {}", word(&shell));
    shell?;
    for block in blocks {
        if let Some(mut command) = reader.test_command(block)? {
            let outcome = reader.run_test(block, &mut command);
            println!(
                "{GUIDE}:{}: {:?} {}",
                block.line,
                block.language,
                word(&outcome)
            );
            outcome?;
        }
    }
    Ok(())
}

fn word(outcome: &Outcome) -> &'static str {
    if outcome.is_ok() { "ok" } else { "FAILED" }
}

/// Somebody who follows the guide in an empty folder, with `rc-sim` in `PATH`.
#[derive(Debug)]
struct Reader<'a> {
    folder: &'a Path,
    environment: Vec<(String, String)>,
    python: PathBuf,
}

impl<'a> Reader<'a> {
    fn new(installed: &interop::Installed, folder: &'a Path) -> Fallible<Self> {
        let simulator = interop::build()?;
        let mut path = vec![simulator.parent().unwrap_or(folder).to_owned()];
        path.extend(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        ));
        let path = std::env::join_paths(path).map_err(|error| format!("PATH: {error}"))?;
        let path = path.into_string().map_err(|_| "PATH is not UTF-8")?;
        Ok(Self {
            folder,
            environment: vec![("PATH".to_owned(), path)],
            python: installed.program(interop::Language::Python),
        })
    }

    /// Blocks that name a file are in it before anything is run.
    fn save_files(&self, blocks: &[Block]) -> Outcome {
        for block in blocks.iter().filter(|block| block.language.is_saved()) {
            let name = block.file_name().ok_or_else(|| {
                failed(
                    block.line,
                    "its first line has to be a comment with the name of its file",
                )
            })?;
            fs::write(self.folder.join(name), &block.content)
                .map_err(|error| failed(block.line, &format!("cannot save {name}: {error}")))?;
        }
        Ok(())
    }

    /// All blocks for a shell go to one and the same, in which the later ones find what the earlier ones made.
    fn type_in(&self, text: &str, blocks: &[Block]) -> Outcome {
        let script = self.folder.join("guide.sh");
        fs::write(&script, blocks::shell_script(text, blocks))
            .map_err(|error| format!("cannot write {}: {error}", script.display()))?;
        let mut command = self.command("bash");
        let Ended { success, output } = run::run(command.arg(&script), self.folder)?;
        if success {
            return Ok(());
        }
        // Each block begins an output of its own: the last that there is belongs to the one that failed.
        let shell = blocks
            .iter()
            .filter(|block| block.language == Language::Shell);
        let begun = shell.rev().find_map(|block| {
            let output = fs::read(self.folder.join(block.output_name())).ok()?;
            Some((block.line, String::from_utf8_lossy(&output).into_owned()))
        });
        let (line, output) = begun.unwrap_or((1, output));
        Err(failed(line, &output))
    }

    /// What runs a block that is a test by itself.
    fn test_command(&self, block: &Block) -> Fallible<Option<Command>> {
        let (program, arguments): (&Path, &[&str]) = match block.language {
            Language::JavaScript => ("node".as_ref(), &["--test"]),
            Language::Python => (&self.python, &["-m", "pytest", "--quiet"]),
            Language::Rust | Language::Shell | Language::Toml => return Ok(None),
        };
        let name = block.file_name().ok_or("a test without a file")?;
        let mut command = self.command(program);
        command.args(arguments).arg(name);
        Ok(Some(command))
    }

    fn run_test(&self, block: &Block, command: &mut Command) -> Outcome {
        let Ended { success, output } = run::run(command, self.folder)?;
        if success {
            Ok(())
        } else {
            Err(failed(block.line, &output))
        }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        interop::own_environment(&mut command, &self.environment);
        command.current_dir(self.folder);
        command
    }
}

fn failed(line: usize, why: &str) -> String {
    format!("{GUIDE}:{line}: this block failed:\n{}", why.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_has_blocks_in_every_language_and_files_of_different_names() {
        let (_, blocks) = read().unwrap();
        for language in [
            Language::JavaScript,
            Language::Python,
            Language::Rust,
            Language::Shell,
            Language::Toml,
        ] {
            assert!(
                blocks.iter().any(|block| block.language == language),
                "{language:?}"
            );
        }
        let saved = blocks.iter().filter(|block| block.language.is_saved());
        let mut names: Vec<_> = saved.map(|block| block.file_name().unwrap()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    /// Otherwise `cargo test -- Guide` finds nothing to run, and nothing wrong.
    #[test]
    fn rc_sim_has_the_guide_among_its_doctests() {
        let lib = cargo::read("crates/rc-sim/src/lib.rs").unwrap();
        let item = format!("#[doc = include_str!(\"../../../{GUIDE}\")]\nstruct {RUST_BLOCKS};");
        assert!(lib.contains(&item));
    }

    #[test]
    fn a_command_that_fails_is_told_with_its_line_and_what_its_block_said() {
        let folder = tempfile::tempdir().unwrap();
        let reader = Reader {
            folder: folder.path(),
            environment: Vec::new(),
            python: PathBuf::new(),
        };
        let text = "```sh\nsleep 60 &\n```\n\n```sh\necho before\nfalse\n```\n";
        let blocks = blocks::parse(text).unwrap();
        let message = reader.type_in(text, &blocks).unwrap_err();
        for part in ["docs/testing.md:5:", "before", "line 7 failed: false"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("sleep"), "{message}");
    }
}
