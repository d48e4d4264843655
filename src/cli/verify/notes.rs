//! What is worth knowing about a signature beside whether it verifies.

use jiff::Timestamp;

use crate::signing::{Authorization, Window};

/// Remarks on `authorization`, seen at `now`; they say nothing about whether it verifies.
pub(super) fn notes(authorization: &Authorization<'_>, now: Timestamp) -> Vec<String> {
    unsigned_host(authorization.header_list()).into_iter().chain(outside(authorization.window(), now)).collect()
}

fn unsigned_host(header_list: &str) -> Option<String> {
    let signed = header_list.split(';').any(|name| name == "host");
    let note =
        "`host` is not among the signed headers: the signature holds for any bucket, and Cloud Infinite may refuse it";
    (!signed).then(|| note.to_owned())
}

fn outside(window: Window, now: Timestamp) -> Option<String> {
    let now = now.as_second();
    if now < window.from() {
        Some(format!("the window begins only in {} s by this machine's clock", window.from() - now))
    } else if now > window.until() {
        Some(format!("the window ended {} s ago by this machine's clock", now - window.until()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(headers: &str, now: i64) -> Vec<String> {
        let text = format!(
            "q-sign-algorithm=sha1&q-ak=id&q-sign-time=100;200&q-key-time=100;200&q-header-list={headers}\
             &q-url-param-list=&q-signature=0123456789abcdef0123456789abcdef01234567"
        );
        notes(&Authorization::parse(&text).unwrap(), Timestamp::from_second(now).unwrap())
    }

    #[test]
    fn a_window_is_noted_only_from_outside_of_it() {
        for (now, note) in [(97, Some("begins only in 3 s")), (100, None), (200, None), (205, Some("ended 5 s ago"))] {
            let notes = noted("date;host", now);
            assert_eq!(notes.len(), usize::from(note.is_some()), "{now}: {notes:?}");
            assert!(notes.concat().contains(note.unwrap_or_default()), "{now}: {notes:?}");
        }
    }

    #[test]
    fn a_host_that_is_not_signed_is_noted() {
        for headers in ["", "date", "hostess"] {
            assert!(noted(headers, 150).concat().starts_with("`host` is not among"), "{headers}");
        }
        assert_eq!(noted("date", 99).len(), 2);
    }
}
