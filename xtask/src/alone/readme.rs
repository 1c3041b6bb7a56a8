//! The examples of a README, as files that compile elsewhere.

use cargo_metadata::Package;

use super::scratch::Dependency;
use crate::Fallible;

const FENCE: &str = "```";

/// What a fence may say of a block that compiles; rustdoc takes a block that says nothing for Rust.
const COMPILES: [&str; 4] = ["", "rust", "no_run", "should_panic"];

/// The examples in Rust, each as a whole program.
///
/// # Errors
///
/// A block has no end.
pub(super) fn examples(text: &str) -> Fallible<Vec<String>> {
    let mut examples = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(tags) = line.strip_prefix(FENCE) else {
            continue;
        };
        let mut block = Vec::new();
        loop {
            match lines.next() {
                Some((line, _)) if line.trim_end() == FENCE => break,
                Some((line, _)) => block.push(line),
                None => return Err(format!("the block of line {number} has no end")),
            }
        }
        if tags.split(',').all(|tag| COMPILES.contains(&tag.trim())) {
            examples.push(program(&block));
        }
    }
    Ok(examples)
}

/// What rustdoc makes of a block: hidden lines shown, and a `main` around it where it has none.
fn program(block: &[&str]) -> String {
    let shown: Vec<&str> = block.iter().map(|line| shown(line)).collect();
    let code = shown.join("\n");
    // As rustdoc: an example may leave unused what it shows.
    let allow = "#![allow(unused)]\n";
    if code.contains("fn main(") {
        format!("{allow}{code}\n")
    } else {
        format!("{allow}fn main() {{\n{code}\n}}\n")
    }
}

/// A line without the mark that hides it.
fn shown(line: &str) -> &str {
    let code = line.trim_start();
    if code == "#" {
        ""
    } else {
        code.strip_prefix("# ").unwrap_or(line)
    }
}

/// The dependencies of the library that the examples name, which a reader adds beside it.
pub(super) fn dependencies(library: &Package, examples: &[String]) -> Vec<Dependency> {
    let mut named: Vec<Dependency> = Vec::new();
    for dependency in library
        .dependencies
        .iter()
        .filter(|dependency| dependency.name != *library.name)
    {
        let path = format!("{}::", dependency.name.replace('-', "_"));
        if !examples.iter().any(|example| names(example, &path)) {
            continue;
        }
        match named.iter_mut().find(|known| known.name == dependency.name) {
            Some(known) => known.features.extend(dependency.features.iter().cloned()),
            None => named.push(Dependency::like(dependency)),
        }
    }
    named
}

/// Whether `path` is there as a whole: `http::` is not in `rc_http::`.
fn names(code: &str, path: &str) -> bool {
    let mut places = code.match_indices(path);
    places.any(|(at, _)| {
        !code[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::libraries::planted;

    #[test]
    fn blocks_of_rust_become_programs_and_others_are_left_out() {
        let text = "# T\n```\nlet a = 1;\n```\n```sh\nls\n```\n```rust,no_run\n# fn main() {\n# }\n```\n```ignore\nx\n```\n";
        let expected = [
            "#![allow(unused)]\nfn main() {\nlet a = 1;\n}\n",
            "#![allow(unused)]\nfn main() {\n}\n",
        ];
        assert_eq!(examples(text).unwrap(), expected);
    }

    #[test]
    fn hidden_lines_are_code_and_attributes_stay() {
        assert_eq!(shown("#"), "");
        assert_eq!(shown("    # let b = 2;"), "let b = 2;");
        assert_eq!(shown("    #[derive(Debug)]"), "    #[derive(Debug)]");
    }

    #[test]
    fn a_block_without_an_end_is_named_by_its_line() {
        assert!(examples("\n```\nlet a").unwrap_err().contains("line 2"));
    }

    #[test]
    fn only_dependencies_that_the_examples_name_are_added_with_all_their_features() {
        let own = json!([
            planted::dependency("http", None, &[]),
            planted::dependency("tokio", None, &["sync"]),
            planted::dependency("tokio", Some("dev"), &["macros"]),
            planted::dependency("url", None, &[]),
        ]);
        let library = planted::library("rc-x", json!({}), own);
        let examples = ["use rc_http::Sent;\n#[tokio::main] async fn main() {}".to_owned()];
        let named = dependencies(&library, &examples);
        assert_eq!(named.len(), 1, "{named:?}");
        assert_eq!(
            (named[0].name.as_str(), named[0].features.join(" ")),
            ("tokio", "sync macros".to_owned())
        );
    }
}
