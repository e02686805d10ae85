use std::io::Write as _;

use super::*;

fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// What is said of a file and an environment, without the file's own path.
fn mistakes(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let file = file(text);
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: environment(variables),
        flags: vec![("listen", "nowhere".into())],
    };
    let said = Config::load(&sources).unwrap_err().to_string();
    said.replace(&file.path().display().to_string(), "FILE").lines().map(str::to_owned).collect()
}

#[test]
fn nothing_said_is_a_server_on_this_machine() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.data_dir, PathBuf::from("./data"));
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = file(
        "listen = '0.0.0.0:1'\ndata_dir = 'file'\n[log]\nformat = 'json'\n[limits]\ntitle_chars_max = 10\n",
    );
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: environment(&[
            ("TIDINGS_LISTEN", "0.0.0.0:2"),
            ("PORT", "9"),
            ("TIDINGS_DATA_DIR", "environment"),
            ("TIDINGS_LIMITS_TITLE_CHARS_MAX", "20"),
            ("TIDINGS_STORE", ""),
            ("MONGODB_URI", ""),
            ("HOME", "/root"),
        ]),
        flags: vec![("data_dir", "flag".into())],
    };
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:2");
    assert_eq!(config.data_dir, PathBuf::from("flag"));
    assert_eq!(config.log_format, LogFormat::Json);
    assert_eq!(config.limits.title_chars_max, 20);
}

#[test]
fn port_alone_keeps_the_address() {
    let sources = Sources { environment: environment(&[("PORT", "8080")]), ..Sources::default() };
    assert_eq!(Config::load(&sources).unwrap().listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn all_mistakes_are_told_at_once_by_key_and_source() {
    let said = mistakes(
        "listn = '127.0.0.1:3000'\nport = 3\ndata_dir = true\nstore = 'postgres://x'\nwal_bytes_max = 1\n\
         [limits]\ncontent_bytes_max = 0\ncontent_max = 1\nuser_ids_max = 'many'\nusername_chars_min = 32\n\
         username_chars_max = 4\n[log]\nfilter = 'a=b=c'\nformat = 'xml'\n",
        &[
            ("TIDINGS_LISTEM", "x"),
            ("TIDINGS_KAFKA_BROKERS", "x:9092"),
            ("TIDINGS_LIMITS_CONTENT", "1"),
            ("MONGODB_URI", "mongodb://x"),
            ("PORT", "70000"),
        ],
    );
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn what_cannot_be_read_is_one_mistake_among_the_others() {
    let said = mistakes("listen = \n", &[("REDIS_URL", "redis://x")]);
    assert!(said[0].starts_with("FILE: is not TOML:"), "{said:?}");
    assert!(said.iter().any(|line| line.starts_with("environment REDIS_URL: ")), "{said:?}");
    assert!(said.iter().any(|line| line.starts_with("flag --listen: listen: \"nowhere\"")), "{said:?}");
    let sources = Sources { file: Some(PathBuf::from("/no/such/file")), ..Sources::default() };
    assert_eq!(Config::load(&sources).unwrap_err().0.len(), 1);
}

#[test]
fn what_is_printed_reads_again() {
    let mut config = Config { data_dir: "a \"quoted\"\ndir".into(), ..Config::default() };
    config.limits.title_chars_max = 7;
    config.trusted_proxies = addresses("127.0.0.1, 10.0.0.0/8").unwrap();
    config.ops_allow = addresses("2001:db8::1").unwrap();
    config.tls = Some(TlsFiles { certificate: "a.crt".into(), key: "b\".key".into() });
    config.origins = Origins::These(
        ["https://a.example", "http://b.example:1"].map(|text| Origins::parse(text).unwrap()).into(),
    );
    let file = file(&config.to_toml());
    let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    assert_eq!(Config::load(&sources).unwrap(), config);
}

#[test]
fn origins_are_taken_as_people_write_them_and_nothing_else() {
    let load = |name: &str, value: &str| {
        let sources = Sources { environment: environment(&[(name, value)]), ..Sources::default() };
        Config::load(&sources)
            .map(|config| config.origins.to_string())
            .map_err(|mistakes| mistakes.to_string())
    };
    let said = "HTTPS://Chat.example:443/, http://localhost:5173,";
    assert_eq!(load("TIDINGS_CORS_ORIGINS", said).unwrap(), "https://chat.example, http://localhost:5173");
    assert_eq!(load("CLIENT_URL", "http://localhost:3001").unwrap(), "http://localhost:3001");
    assert_eq!(load("CLIENT_URL", "*").unwrap(), "*");
    for wrong in [
        "chat.example",
        "https://a.example/path",
        "https://*.example",
        "https://u@a.example",
        "null",
        "*, *",
        "http://a.example:80/x",
    ] {
        let told = load("TIDINGS_CORS_ORIGINS", wrong).unwrap_err();
        assert!(told.contains("is not an origin like https://chat.example"), "{wrong}: {told}");
    }
}

#[test]
fn tls_takes_both_files() {
    for (set, other) in [("TIDINGS_TLS_KEY", "tls.certificate"), ("TIDINGS_TLS_CERTIFICATE", "tls.key")] {
        let sources = Sources { environment: environment(&[(set, "some.pem")]), ..Sources::default() };
        let told = Config::load(&sources).unwrap_err().to_string();
        assert!(told.contains(other), "{told}");
    }
}

#[test]
fn a_message_must_fit_into_what_carries_it() {
    let text = "[limits]\ncontent_bytes_max = 131072\nconnection_queue_bytes_max = 65536\n";
    let file = file(text);
    let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    let said = Config::load(&sources).unwrap_err().to_string();
    for key in ["body_bytes_max", "socket_payload_bytes_max", "connection_queue_bytes_max"] {
        assert!(said.contains(key), "{key} is not in {said}");
    }
    assert_eq!(said.lines().count(), 3, "{said}");
}
