//! The README's five minutes and the tour of `docs/tour.md`, typed literally: each block is a terminal's, `>` is typed,
//! the rest must be shown, in that order and with nothing between.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use super::server_process::{ServerProcess, free_address};
use super::terminal::Terminal;

const README: &str = include_str!("../../README.md");
const TOUR: &str = include_str!("../../docs/tour.md");
/// The server of the documents.
const DOCUMENTED: &str = "http://127.0.0.1:3000";
/// Said by the shell behind each block.
const END: &str = "end of block";

/// The fenced blocks of a document: the word behind the fence, and the lines.
pub fn blocks(document: &'static str) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            blocks.push((kind, lines.by_ref().take_while(|line| *line != "```").collect()));
        }
    }
    blocks
}

#[test]
fn the_five_minutes_work_as_they_are_written() {
    let shown = walk(README, &["alice", "bob"]);
    for answer in ["\"kind\":\"self\"", "\"content_bytes_max\":16384"] {
        assert!(shown.contains(answer), "{answer} is not in {shown}");
    }
}

#[test]
fn the_tour_works_as_it_is_written() {
    walk(TOUR, &["dora", "emil"]);
}

/// Types a document; what the shell showed where the document does not say it.
fn walk(document: &'static str, people: &[&'static str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let address = free_address();
    let mut server = Some(start(address, &data_dir));
    let url = format!("http://{address}");
    let mut shell = Terminal::open("the shell", "bash", &url);
    shell.type_line("exec 2>&1");
    let mut terminals: HashMap<&str, Terminal> = HashMap::new();
    let (mut walked, mut shown) = (0, String::new());
    let mut blocks = blocks(document).into_iter().peekable();
    while let Some((kind, lines)) = blocks.next() {
        match kind {
            _ if people.contains(&kind) => {
                for line in lines {
                    walked += 1;
                    if let Some(command) = line.strip_prefix("$ ") {
                        terminals.insert(kind, Terminal::open(kind, command, &url));
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
            "sh" => {
                walked += lines.len();
                let script = lines.join("\n").replace(DOCUMENTED, &url);
                shell.type_line(&script);
                // On a line of its own, also behind an answer without an end.
                shell.type_line(&format!("printf '\\n{END}\\n'"));
                let answer = shell.lines_until(END);
                let answer = answer[..answer.len() - 1].join("\n");
                // Where the document says what is shown, it is that; else nothing is refused.
                if let Some((_, said)) = blocks.next_if(|(kind, _)| *kind == "text") {
                    assert_eq!(answer.trim_end().lines().collect::<Vec<_>>(), said, "{script}");
                } else {
                    assert!(!answer.contains("\"requestId\""), "{script}\n{answer}");
                    shown.push_str(&answer);
                }
            }
            _ => assert_eq!(kind, "", "nobody knows what {lines:?} is"),
        }
    }
    assert!(walked > 40, "the document's blocks were not found");
    drop(server);
    shown
}

/// As the documents start it: with every default.
fn start(address: SocketAddr, data_dir: &Path) -> ServerProcess {
    ServerProcess::start_with(address, data_dir, &[("TIDINGS_RATE_LIMITS", "on")], None)
}
