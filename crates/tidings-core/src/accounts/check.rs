//! What a registration may say. Each check takes the value in and gives it back in the form that is stored.

use crate::error::{Code, FieldError};
use crate::limits::Limits;
use crate::ports::store::UserChange;
use crate::visible::{is_disruptive, is_visible};

use super::register::{Register, Registration};
use super::update::UpdateUser;

/// Checks every field, so that all mistakes are told at once.
pub(super) fn check_register(command: Register, limits: &Limits) -> Result<Registration, Vec<FieldError>> {
    let mut errors = Vec::new();
    let username = check_username(&command.username, limits, &mut errors);
    check_password("/password", &command.password, limits, &mut errors);
    let email = command.email.map(|email| check_email(&email, limits, &mut errors));
    let mut name = |pointer, name: Option<String>| {
        name.map(|name| check_name(pointer, name, limits.name_chars_max, &mut errors))
    };
    let display_name = name("/displayName", command.display_name);
    let first_name = name("/firstName", command.first_name);
    let last_name = name("/lastName", command.last_name);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Registration {
        display_name: display_name.unwrap_or_else(|| username.clone()),
        username,
        email,
        first_name,
        last_name,
    })
}

fn check_username(text: &str, limits: &Limits, errors: &mut Vec<FieldError>) -> String {
    let username = text.to_lowercase();
    let (min, max) = (limits.username_chars_min, limits.username_chars_max);
    let length = username.chars().count();
    if length < min {
        errors.push(FieldError::new("/username", Code::TooShort, format!("at least {min} characters")));
    } else if length > max {
        errors.push(FieldError::new("/username", Code::TooLong, format!("at most {max} characters")));
    } else if !username.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)) {
        let detail = "letters a to z, digits, dot, underscore and hyphen";
        errors.push(FieldError::new("/username", Code::BadFormat, detail));
    }
    username
}

/// The password that somebody wants in the place of another.
pub(super) fn check_new_password(password: &str, limits: &Limits) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    check_password("/newPassword", password, limits, &mut errors);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn check_password(pointer: &str, password: &str, limits: &Limits, errors: &mut Vec<FieldError>) {
    let (min, max) = (limits.password_chars_min, limits.password_chars_max);
    let length = password.chars().count();
    if length < min {
        errors.push(FieldError::new(pointer, Code::TooShort, format!("at least {min} characters")));
    } else if length > max {
        errors.push(FieldError::new(pointer, Code::TooLong, format!("at most {max} characters")));
    }
}

/// A local part, one `@`, and a domain with a dot: what is deliverable only a mail can tell.
fn check_email(text: &str, limits: &Limits, errors: &mut Vec<FieldError>) -> String {
    let email = text.to_lowercase();
    let max = limits.email_bytes_max;
    let well_formed = email.split_once('@').is_some_and(|(local, domain)| {
        let labels_are_there = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
        !local.is_empty() && labels_are_there && !domain.contains('@')
    }) && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if email.len() > max {
        errors.push(FieldError::new("/email", Code::TooLong, format!("at most {max} bytes")));
    } else if !well_formed {
        errors.push(FieldError::new("/email", Code::BadFormat, "an address like name@example.org"));
    }
    email
}

/// Every field of an update, so that all mistakes are told at once.
pub(super) fn check_update(command: UpdateUser, limits: &Limits) -> Result<UserChange, Vec<FieldError>> {
    let mut errors = Vec::new();
    let max = limits.name_chars_max;
    let mut name =
        |pointer, name: String| (!name.is_empty()).then(|| check_name(pointer, name, max, &mut errors));
    let first_name = command.first_name.map(|text| name("/firstName", text));
    let last_name = command.last_name.map(|text| name("/lastName", text));
    let display_name = command.display_name.map(|text| check_name("/displayName", text, max, &mut errors));
    let avatar_url = command.avatar_url.map(|url| check_avatar(url, limits, &mut errors));
    let settings = command.settings;
    let change = UserChange { display_name, first_name, last_name, avatar_url, settings };
    if errors.is_empty() { Ok(change) } else { Err(errors) }
}

/// Of what is printable (RFC 3986).
const NO_PART_OF_AN_ADDRESS: &str = "\"<>\\^`{|}";

/// Clients load it: from anywhere, but over TLS, and it is no script.
fn check_avatar(url: String, limits: &Limits, errors: &mut Vec<FieldError>) -> Option<String> {
    let max = limits.avatar_url_bytes_max;
    let is_address = url.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && rest.chars().all(|c| c.is_ascii_graphic() && !NO_PART_OF_AN_ADDRESS.contains(c))
    });
    if url.is_empty() {
        return None;
    }
    if url.len() > max {
        errors.push(FieldError::new("/avatarUrl", Code::TooLong, format!("at most {max} bytes")));
    } else if !is_address {
        let detail = "an address that begins with https://, percent-encoded; empty for none";
        errors.push(FieldError::new("/avatarUrl", Code::BadFormat, detail));
    }
    Some(url)
}

/// What a device calls itself in the list of sessions.
pub(super) fn check_device(
    device: Option<String>,
    limits: &Limits,
) -> Result<Option<String>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let device = device.map(|device| check_name("/device", device, limits.device_chars_max, &mut errors));
    if errors.is_empty() { Ok(device) } else { Err(errors) }
}

fn check_name(pointer: &str, text: String, max: usize, errors: &mut Vec<FieldError>) -> String {
    let name = text.trim();
    if !is_visible(name) {
        errors.push(FieldError::new(pointer, Code::TooShort, "leave it out, or say something visible"));
    } else if name.chars().count() > max {
        errors.push(FieldError::new(pointer, Code::TooLong, format!("at most {max} characters")));
    } else if name.chars().any(is_disruptive) {
        let detail = "no control characters, and none that turn the direction of the text";
        errors.push(FieldError::new(pointer, Code::BadFormat, detail));
    }
    if name.len() == text.len() { text } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(username: &str, email: Option<&str>) -> Register {
        Register {
            username: username.to_owned(),
            password: "correct horse".to_owned(),
            email: email.map(str::to_owned),
            display_name: None,
            first_name: None,
            last_name: None,
        }
    }

    #[test]
    fn a_username_is_folded_to_lower_case_and_shown_where_there_is_no_display_name() {
        let registration = check_register(register("Alice.B", None), &Limits::default()).unwrap();
        assert_eq!(registration.username, "alice.b");
        assert_eq!(registration.display_name, "alice.b");
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let mut command = register("é!", Some("nobody"));
        command.password = "short".to_owned();
        command.display_name = Some("  ".to_owned());
        let pointers: Vec<_> =
            check_register(command, &Limits::default()).unwrap_err().into_iter().map(|e| e.pointer).collect();
        assert_eq!(pointers, ["/username", "/password", "/email", "/displayName"]);
    }

    #[test]
    fn a_device_says_its_name_so_that_a_stranger_s_stands_out() {
        let limits = Limits { device_chars_max: 5, ..Limits::default() };
        for (device, expected) in [
            (None, Ok(None)),
            (Some(" Phone "), Ok(Some("Phone"))),
            (Some(" \u{200B}"), Err(Code::TooShort)),
            (Some("Tablet"), Err(Code::TooLong)),
            (Some("a\nb"), Err(Code::BadFormat)),
            (Some("a\u{202E}b"), Err(Code::BadFormat)),
        ] {
            let checked = check_device(device.map(str::to_owned), &limits);
            let checked = checked.map_err(|errors| errors[0].code);
            assert_eq!(checked.as_ref().map(Option::as_deref).map_err(|code| *code), expected, "{device:?}");
        }
    }

    #[test]
    fn an_update_says_what_is_to_change_and_empty_takes_away() {
        let update = UpdateUser {
            first_name: Some(String::new()),
            avatar_url: Some("https://example.org/a.png".to_owned()),
            ..UpdateUser::default()
        };
        let change = check_update(update, &Limits::default()).unwrap();
        let expected = UserChange {
            first_name: Some(None),
            avatar_url: Some(Some("https://example.org/a.png".to_owned())),
            ..UserChange::default()
        };
        assert_eq!(change, expected);
        for url in [
            "javascript:alert(1)",
            "http://example.org",
            "https://",
            "https:///a",
            "https://a b",
            "https://é",
            "https://x/\"><script>",
        ] {
            let update = UpdateUser { avatar_url: Some(url.to_owned()), ..UpdateUser::default() };
            assert_eq!(
                check_update(update, &Limits::default()).unwrap_err()[0].code,
                Code::BadFormat,
                "{url}"
            );
        }
        let blank = Some(String::new());
        let update =
            UpdateUser { display_name: blank, last_name: Some(" ".to_owned()), ..UpdateUser::default() };
        let errors = check_update(update, &Limits::default()).unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/lastName", "/displayName"]);
    }

    #[test]
    fn addresses_are_taken_or_refused() {
        for (email, taken) in [
            ("Ann@Example.org", true),
            ("a@b.co", true),
            ("a@b", false),
            ("@example.org", false),
            ("a@é.", false),
            ("a b@example.org", false),
            ("a@b@c.org", false),
            ("a@.é", false),
        ] {
            assert_eq!(
                check_register(register("ann", Some(email)), &Limits::default()).is_ok(),
                taken,
                "{email}"
            );
        }
    }
}
