//! A terminal in which the example device runs, or a shell.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use tidings_testkit::actors::PATIENCE;

/// A running program; killed when it is dropped.
pub struct Terminal {
    name: String,
    program: Child,
    keyboard: ChildStdin,
    screen: Receiver<String>,
}

impl Terminal {
    /// Runs a command line of a document in the example's directory.
    pub fn open(name: &str, command: &str, url: &str) -> Self {
        let program = in_example(command, url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut program = program.unwrap_or_else(|error| panic!("{command} does not run: {error}"));
        let keyboard = program.stdin.take().expect("its input");
        let output = BufReader::new(program.stdout.take().expect("its output"));
        let (shown, screen) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if shown.send(line).is_err() {
                    return;
                }
            }
        });
        Self { name: name.to_owned(), program, keyboard, screen }
    }

    pub fn type_line(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").expect("a running program");
    }

    /// The next line must be this one.
    #[track_caller]
    pub fn expect(&self, line: &str) {
        assert_eq!(self.next_line(), line, "in {}'s terminal", self.name);
    }

    /// The next line.
    #[track_caller]
    pub fn next_line(&self) -> String {
        let shown = self.screen.recv_timeout(PATIENCE);
        shown.unwrap_or_else(|error| panic!("nothing comes in {}'s terminal: {error}", self.name))
    }

    /// All lines up to this one, which is the last.
    #[track_caller]
    pub fn lines_until(&self, last: &str) -> Vec<String> {
        let mut lines = vec![self.next_line()];
        while lines.last().is_some_and(|line| line != last) {
            lines.push(self.next_line());
        }
        lines
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Gone already if it failed.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A command line of a document, to be run in the example's directory.
pub fn in_example(command: &str, url: &str) -> Command {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().expect("a command"));
    command.args(words).current_dir(repository().join("examples/node")).env("DEVICE_SERVER", url);
    command
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
