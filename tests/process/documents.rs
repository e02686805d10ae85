//! What the documents say of the tree: commands, links, files.

use std::path::{Path, PathBuf};

use super::terminal::repository;
use super::tour::blocks;

const README: &str = include_str!("../../README.md");

#[test]
fn the_two_commands_are_the_makefiles() {
    let makefile = std::fs::read_to_string(repository().join("Makefile")).unwrap();
    let (_, commands) = blocks(README)
        .into_iter()
        .find(|(_, lines)| lines.iter().any(|line| line.starts_with("make ")))
        .unwrap();
    for line in commands {
        let target = line.split_whitespace().nth(1).unwrap();
        assert!(makefile.contains(&format!("\n{target}: ")), "{target}");
    }
}

/// What operators are told to look for in the log is what the code says.
#[test]
fn the_lines_of_the_log_that_are_documented_are_written() {
    let text = std::fs::read_to_string(repository().join("docs/operate/single-node.md")).unwrap();
    let logs = text.split("\n## ").find(|section| section.starts_with("Logs\n")).unwrap();
    let rows = logs.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let messages: Vec<&str> = rows.flat_map(|cell| cell.split('`')).filter(|part| part.len() > 3).collect();
    assert!(messages.len() > 10, "{messages:?}");
    let sources = sources(&repository().join("crates"));
    for part in messages.iter().flat_map(|message| message.split('…')).map(str::trim) {
        assert!(sources.contains(part), "no line of the log says {part:?}");
    }
}

/// All the code under a directory, in lines as long as it likes.
fn sources(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            all.push_str(&source.replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    all
}

/// Every document, from the root of the tree.
fn documents() -> Vec<PathBuf> {
    let mut waiting = vec![repository(), repository().join("docs")];
    let mut found = Vec::new();
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && dir != repository() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// The anchors of a document, as forges make them of its headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    let slug = |heading: &str| {
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        heading.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>()
    };
    headings.map(|heading| slug(heading).replace(' ', "-")).collect()
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut checked = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{} links {link}", path.display());
            if !anchor.is_empty() {
                let there = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(there.iter().any(|known| known == anchor), "{} links {link}", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked} links");
}

/// The documents name files; each of them is there.
#[test]
fn the_files_that_documents_name_are_there() {
    let mut checked = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for name in text.split('`').skip(1).step_by(2) {
            let is_path = ["crates/", "tests/", "bench/", "fuzz/", "scripts/", "examples/"]
                .iter()
                .any(|dir| name.starts_with(dir))
                && !name.contains([' ', '{', ':', '*']);
            if is_path {
                assert!(repository().join(name).exists(), "{}: {name} does not exist", path.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "only {checked} paths were found");
    let text = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    for entry in std::fs::read_dir(repository().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(text.contains(&name), "{name} is missing in ARCHITECTURE.md");
    }
}
