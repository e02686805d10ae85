//! Mistakes of the operator.

use std::process::{Command, Output};

use super::server_process::{ServerProcess, TIDINGS};

fn tidings(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(TIDINGS);
    command.args(arguments).envs(environment.iter().copied()).output().expect("the binary runs")
}

#[test]
fn all_mistakes_are_told_at_once_by_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tidings.toml");
    std::fs::write(&file, "listen = 7\ncolour = \"red\"\n[limits]\ncontent_bytes_max = 0\nnothing_max = 1\n")
        .unwrap();
    let environment = [("TIDINGS_DATADIR", "x"), ("MONGODB_URI", "mongodb://x"), ("TIDINGS_STORE", "paper")];
    for command in ["check-config", "serve"] {
        let output = tidings(&[command, "--config", file.to_str().unwrap()], &environment);
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stderr).unwrap();
        for key in [
            "listen",
            "colour",
            "content_bytes_max",
            "nothing_max",
            "TIDINGS_DATADIR",
            "MONGODB_URI",
            "TIDINGS_STORE",
        ] {
            assert!(told.contains(key), "{key} is not in:\n{told}");
        }
    }
    assert_eq!(tidings(&["check-config"], &[]).status.code(), Some(0));
}

#[test]
fn a_certificate_that_is_not_there_is_a_mistake_of_the_configuration() {
    let files = [("TIDINGS_TLS_CERTIFICATE", "/no/such.crt"), ("TIDINGS_TLS_KEY", "/no/such.key")];
    let output = tidings(&["check-config"], &files);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("tls: cannot read /no/such.crt"), "{told}");
}

#[test]
fn a_data_directory_has_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(dir.path());
    let data_dir = dir.path().to_str().unwrap();
    let second = tidings(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir], &[]);
    assert!(!second.status.success());
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(told.contains(data_dir) && told.contains("in use"), "{told}");
    assert!(server.stop());
}
