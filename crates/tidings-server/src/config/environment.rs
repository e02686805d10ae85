//! Variables of the environment: ours, `PORT`, and those of other systems that would be wrong to ignore.

use super::{Mistakes, Setting, Source};

/// Variables by which people set up what this version does not have. Starting anyway would look as if it had.
const NOT_HONOURED: [&str; 15] = [
    "AWS_S3_BUCKET",
    "DB_HOST",
    "DB_NAME",
    "DB_PASSWORD",
    "DB_PORT",
    "DB_USER",
    "JWT_SECRET",
    "KAFKA_BROKERS",
    "MONGODB_URI",
    "REDIS_PASSWORD",
    "REDIS_SENTINEL",
    "REDIS_SENTINEL_HOST_1",
    "REDIS_SENTINEL_HOST_2",
    "REDIS_SENTINEL_HOST_3",
    "REDIS_URL",
];

pub(super) fn read(environment: &[(String, String)], mistakes: &mut Mistakes) -> Vec<Setting> {
    let mut settings = Vec::new();
    // An empty variable is one that a compose file left empty: it says nothing.
    let mut given: Vec<_> = environment.iter().filter(|(_, value)| !value.is_empty()).collect();
    given.sort();
    for (name, value) in given {
        let source = Source::Variable(name.clone());
        if NOT_HONOURED.contains(&name.as_str()) {
            mistakes.add("", source, "cannot be honoured by this version: unset it");
        } else if let Some(key) = key_of(name) {
            settings.push(Setting { key, value: value.clone(), source });
        } else if name.starts_with("TIDINGS_") {
            mistakes.add("", source, "there is no such variable");
        }
    }
    settings
}

/// `PORT` is how platforms say it; our own variables say more and sort after it.
fn key_of(name: &str) -> Option<String> {
    Some(match name {
        "PORT" => "port".to_owned(),
        // As other systems say it; ours sorts after it.
        "CLIENT_URL" | "TIDINGS_CORS_ORIGINS" => "cors.origins".to_owned(),
        "TIDINGS_TLS_CERTIFICATE" => "tls.certificate".to_owned(),
        "TIDINGS_TLS_KEY" => "tls.key".to_owned(),
        "TIDINGS_LISTEN" => "listen".to_owned(),
        "TIDINGS_DATA_DIR" => "data_dir".to_owned(),
        "TIDINGS_STORE" => "store".to_owned(),
        "TIDINGS_WAL_BYTES_MAX" => "wal_bytes_max".to_owned(),
        "TIDINGS_TRUSTED_PROXIES" => "trusted_proxies".to_owned(),
        "TIDINGS_OPS_ALLOW" => "ops.allow".to_owned(),
        "TIDINGS_RATE_LIMITS" => "rate_limits".to_owned(),
        "TIDINGS_LOG" => "log.filter".to_owned(),
        "TIDINGS_LOG_FORMAT" => "log.format".to_owned(),
        name => format!("limits.{}", name.strip_prefix("TIDINGS_LIMITS_")?.to_ascii_lowercase()),
    })
}
