//! `[auth.mtls]`: callers named by their client certificate.

use crate::auth::UserFrom;
use crate::config::Server;
use crate::config::reader::Table;

/// `Some(None)` where a certificate names nobody. `server` is the listener, if it could be read.
pub(in crate::config) fn user_from(auth: &Table<'_>, server: Option<&Server>) -> Option<Option<UserFrom>> {
    let table = auth.table("mtls");
    let words = UserFrom::ALL.map(|part| (part.as_str(), part));
    let user_from = table.choice("user_from", &words);
    if !table.is_there() {
        return Some(None);
    }
    table.need("user_from", "say which part of the certificate is the name: `san_uri`, `san_dns` or `subject_cn`");
    if server.is_some_and(|server| !asks_for_certificates(server)) {
        let hint = "name the authority of your clients' certificates as client_ca in server.tls";
        auth.mistake("mtls", "needs certificates, and none are asked for", hint);
    }
    user_from.map(Some)
}

fn asks_for_certificates(server: &Server) -> bool {
    server.listener.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
}
