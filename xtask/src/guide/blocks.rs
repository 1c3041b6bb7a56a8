//! The blocks of a guide: what stands between fences.

use crate::Fallible;

const FENCE: &str = "```";

/// The first command that fails ends everything, and is named.
const SETTINGS: &str =
    r#"set -euo pipefail; trap 'echo; echo "line $LINENO failed: $BASH_COMMAND"' ERR"#;

/// What a fence says is inside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Language {
    JavaScript,
    Python,
    Rust,
    Shell,
    Toml,
}

impl Language {
    fn of(fence: &str) -> Option<Self> {
        match fence {
            "js" => Some(Self::JavaScript),
            "python" => Some(Self::Python),
            // Without the attribute rustdoc leaves out what is a test, and finds nothing wrong.
            "rust,test_harness" => Some(Self::Rust),
            "sh" => Some(Self::Shell),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    /// Whether a reader saves such a block in a file.
    pub(super) fn is_saved(self) -> bool {
        matches!(self, Self::JavaScript | Self::Python | Self::Toml)
    }
}

/// One block.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Block {
    /// Of its first fence, counted from 1.
    pub(super) line: usize,
    pub(super) language: Language,
    pub(super) content: String,
}

impl Block {
    /// The name in a comment on its first line, up to a colon.
    pub(super) fn file_name(&self) -> Option<&str> {
        let first = self.content.lines().next()?;
        let comment = first
            .strip_prefix("// ")
            .or_else(|| first.strip_prefix("# "))?;
        let name = comment.split(':').next()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_' || c == '-';
        (name.contains('.') && name.chars().all(plain)).then_some(name)
    }

    /// The file in which a block for a shell leaves its output.
    pub(super) fn output_name(&self) -> String {
        format!("line-{}.out", self.line)
    }
}

/// All blocks of `text`.
///
/// # Errors
///
/// Begins with a line number: a block is of a language that nothing runs, or has no end.
pub(super) fn parse(text: &str) -> Fallible<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(fence) = line.trim_start().strip_prefix(FENCE) else {
            continue;
        };
        let language = Language::of(fence.trim_end()).ok_or_else(|| {
            format!("{number}: nothing runs a block of {fence:?}; it has to be sh, js, python, toml or rust,test_harness")
        })?;
        let mut content = String::new();
        loop {
            match lines.next() {
                Some((line, _)) if line.trim() == FENCE => break,
                Some((line, _)) => content.extend([line, "\n"]),
                None => return Err(format!("{number}: this block has no end")),
            }
        }
        blocks.push(Block {
            line: number,
            language,
            content,
        });
    }
    Ok(blocks)
}

/// One script of all blocks for a shell, each at the line that it has in `text`, so that the numbers in what
/// the shell says are those of the guide.
pub(super) fn shell_script(text: &str, blocks: &[Block]) -> String {
    let mut lines = vec![String::new(); text.lines().count()];
    for block in blocks
        .iter()
        .filter(|block| block.language == Language::Shell)
    {
        let begin = format!("{SETTINGS}; exec >{} 2>&1", block.output_name());
        let script = std::iter::once(begin).chain(block.content.lines().map(str::to_owned));
        // The line of the fence counts from 1.
        for (place, line) in lines.iter_mut().skip(block.line - 1).zip(script) {
            *place = line;
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# Title\n\n```sh\necho 1\n```\n\n```toml\n# a.toml: mine\nb = 1\n```\n```sh\nfalse\n```\n";

    #[test]
    fn a_block_knows_its_line_its_language_and_its_file() {
        let blocks = parse(TEXT).unwrap();
        let seen = blocks.iter().map(|block| (block.line, block.language));
        let expected = [
            (3, Language::Shell),
            (7, Language::Toml),
            (11, Language::Shell),
        ];
        assert!(seen.eq(expected));
        assert_eq!(blocks[1].file_name(), Some("a.toml"));
        assert_eq!(blocks[0].file_name(), None);
    }

    #[test]
    fn a_file_of_another_folder_is_no_name() {
        let text = "```js\n// ../a.js\n```\n";
        assert_eq!(parse(text).unwrap()[0].file_name(), None);
    }

    #[test]
    fn the_script_has_each_command_at_its_line_of_the_guide() {
        let script = shell_script(TEXT, &parse(TEXT).unwrap());
        let line = |number: usize| script.lines().nth(number - 1).unwrap();
        assert_eq!(line(4), "echo 1");
        assert_eq!(line(9), "");
        assert!(line(11).ends_with("exec >line-11.out 2>&1"));
        assert_eq!(line(12), "false");
    }

    #[test]
    fn a_block_that_nothing_would_run_is_refused_with_its_line() {
        for (text, word) in [
            ("\n```console\n```\n", "2: nothing runs"),
            ("```rust\n```\n", "1: nothing runs"),
            ("```\n```\n", "1: nothing runs"),
            ("```sh\n", "1: this block has no end"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(word), "{message}");
        }
    }
}
