//! What a new crate changes in files that are there: texts in, texts out.

use std::path::Path;

use super::name::Name;
use crate::Fallible;

/// The version that all crates have, as this one does.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The root manifest with the crate as a member, and as a dependency that others can name.
pub(super) fn manifest(text: &str, name: &Name) -> Fallible<String> {
    let package = name.package();
    let member = format!(
        "    \"crates/{package}\",  # {}",
        name.fill("the store on {{name}}")
    );
    let path = format!("{package} = {{ path = \"crates/{package}\", version = \"{VERSION}\" }}");
    let text = after_last(text, "    \"crates/rc-store", &member)
        .ok_or("`members` in Cargo.toml lists no store; add the crate by hand")?;
    after_last(&text, "rc-store", &path).ok_or_else(|| {
        "[workspace.dependencies] in Cargo.toml names no store; add the crate by hand".to_owned()
    })
}

/// `xtask/src/layers.rs` with the crate, which may use `rc-store` alone.
pub(super) fn layers(text: &str, name: &Name) -> Fallible<String> {
    const NEXT: &str = "    Layer {\n        name: \"rc-auth\",\n";
    let package = name.package();
    let layer = format!(
        "    Layer {{\n        name: \"{package}\",\n        uses: &[always(\"rc-store\")],\n    }},\n"
    );
    match text.split_once(NEXT) {
        Some((before, after)) => Ok([before, &layer, NEXT, after].concat()),
        None => Err("LAYERS in xtask/src/layers.rs has no rc-auth, where stores go before".into()),
    }
}

/// `docs/stores.md` with the crate at the end of the list of the section "Backends".
pub(super) fn stores(text: &str, name: &Name) -> Fallible<String> {
    const SECTION: &str = "## Backends\n";
    let (before, after) = text
        .split_once(SECTION)
        .ok_or("docs/stores.md has no section `## Backends`; add one, with a list")?;
    let end = after.find("\n## ").unwrap_or(after.len());
    let (section, rest) = after.split_at(end);
    let item = name.fill(
        "- [`rc-store-{{name}}`](../crates/rc-store-{{name}}/README.md): {{name}} (not written yet)",
    );
    let section = after_last(section, "- ", &item)
        .ok_or("the section `## Backends` of docs/stores.md has no list of `- ` lines")?;
    Ok([before, SECTION, &section, rest].concat())
}

/// The root manifest for a workspace elsewhere, of this crate alone, that finds the others in `root`.
pub(super) fn manifest_elsewhere(text: &str, name: &Name, root: &Path) -> Fallible<String> {
    let (before, rest) = text
        .split_once("members = [")
        .ok_or("Cargo.toml has no `members`")?;
    let (_, after) = rest
        .split_once("[workspace.package]")
        .ok_or("Cargo.toml has no [workspace.package]")?;
    let root = root.display().to_string().replace('\\', "/");
    let after = after.replace("path = \"crates/", &format!("path = \"{root}/crates/"));
    let member = format!(
        "members = [\"crates/{}\"]\n\n[workspace.package]",
        name.package()
    );
    Ok([before, &member, &after].concat())
}

/// `text` with `line` after the last line that begins so.
fn after_last(text: &str, begins: &str, line: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|line| line.starts_with(begins))?;
    lines.insert(last + 1, line);
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo;

    fn engine() -> Name {
        Name::new("my-engine").unwrap()
    }

    #[test]
    fn the_manifest_has_the_member_and_the_dependency_once_each() {
        let text = manifest(&cargo::read("Cargo.toml").unwrap(), &engine()).unwrap();
        let (members, dependencies) = text.split_once("[workspace.dependencies]").unwrap();
        assert_eq!(members.matches("\"crates/rc-store-my-engine\",").count(), 1);
        let line = format!(
            "\nrc-store-my-engine = {{ path = \"crates/rc-store-my-engine\", version = \"{VERSION}\" }}\n"
        );
        assert_eq!(dependencies.matches(&line).count(), 1, "{dependencies}");
    }

    #[test]
    fn the_layers_let_it_use_the_contract_alone() {
        let text = layers(&cargo::read("xtask/src/layers.rs").unwrap(), &engine()).unwrap();
        let layer = "name: \"rc-store-my-engine\",\n        uses: &[always(\"rc-store\")],";
        assert!(text.contains(layer), "{text}");
    }

    #[test]
    fn the_list_of_backends_ends_with_it_and_the_rest_stays() {
        let text = "# S\n\n## Backends\n\n- one\n\nSome text.\n\n## More\n\n- other\n";
        let item = "- [`rc-store-my-engine`](../crates/rc-store-my-engine/README.md): my-engine (not written yet)";
        let expected = text.replace("- one\n", &format!("- one\n{item}\n"));
        assert_eq!(stores(text, &engine()).unwrap(), expected);
    }

    #[test]
    fn a_file_without_its_place_is_refused_by_name() {
        let name = engine();
        for (file, edited) in [
            ("Cargo.toml", manifest("", &name)),
            ("layers.rs", layers("", &name)),
            ("docs/stores.md", stores("# S\n", &name)),
        ] {
            let message = edited.unwrap_err();
            assert!(message.contains(file), "{message}");
        }
    }
}
