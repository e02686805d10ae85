//! The README's five minutes, typed literally: each block is a terminal's, `>` is typed, the rest must be shown, in
//! that order and with nothing between.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server_process::{ServerProcess, free_address};
use super::terminal::{Terminal, repository};

const README: &str = include_str!("../../README.md");

/// The fenced blocks of the README: the word behind the fence, and the lines.
fn blocks() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            blocks.push((kind, lines.by_ref().take_while(|line| *line != "```").collect()));
        }
    }
    blocks
}

#[test]
fn the_five_minutes_work_as_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let (data_dir, people) = (dir.path().join("data"), dir.path().join("people.json"));
    let address = free_address();
    let mut server = Some(start(address, &data_dir));
    let url = format!("http://{address}");
    let mut terminals: HashMap<&str, Terminal> = HashMap::new();
    let mut walked = 0;
    for (kind, lines) in blocks() {
        match kind {
            "alice" | "bob" => {
                for line in lines {
                    walked += 1;
                    if let Some(command) = line.strip_prefix("$ ") {
                        terminals.insert(kind, Terminal::open(kind, command, &url, &people));
                    } else if let Some(typed) = line.strip_prefix("> ") {
                        terminals.get_mut(kind).expect("an open terminal").type_line(typed);
                    } else {
                        terminals[kind].expect(line);
                    }
                }
            }
            "kill" => {
                assert_eq!(lines, ["pkill -9 -x tidings"]);
                server.take().expect("a server").kill();
                server = Some(start(address, &data_dir));
            }
            "sh" => run_shell(&lines.join("\n"), &url),
            _ => {}
        }
    }
    assert!(walked > 40, "the README's blocks were not found");
    drop(server);
}

/// Runs a block as it is written, but for the address. Nothing in it may be refused.
fn run_shell(script: &str, url: &str) {
    let script = script.replace("http://127.0.0.1:3000", url);
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", &script]).output().expect("bash");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!shown.contains("\"requestId\""), "something was refused: {shown}");
    for answer in ["\"kind\":\"self\"", "\"content_bytes_max\":16384"] {
        assert!(shown.contains(answer), "{answer} is not in {shown}");
    }
}

#[test]
fn the_two_commands_are_the_makefiles() {
    let makefile = std::fs::read_to_string(repository().join("Makefile")).unwrap();
    let (_, commands) =
        blocks().into_iter().find(|(_, lines)| lines.iter().any(|line| line.starts_with("make "))).unwrap();
    for line in commands {
        let target = line.split_whitespace().nth(1).unwrap();
        assert!(makefile.contains(&format!("\n{target}: ")), "{target}");
    }
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

/// As the tour starts it: with every default.
fn start(address: SocketAddr, data_dir: &Path) -> ServerProcess {
    ServerProcess::start_with(address, data_dir, &[("TIDINGS_RATE_LIMITS", "on")], None)
}
