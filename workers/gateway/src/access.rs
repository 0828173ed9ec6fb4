//! The session that Cloudflare Access opens: to a valid service token it answers with cookies that
//! open the same door. They stay with the gateway, or a visitor could go to the tunnel's host without
//! it; and a visitor's own session is not mixed with the token.
//!
//! Spec: Cloudflare One, "Authorization cookie" and "Service tokens".

/// The cookies of a session.
const SESSION: [&str; 4] = [
    "CF_Authorization",
    "CF_AppSession",
    "CF_Binding",
    "CF_Session",
];

/// What a client may say about itself to what Access guards, beside the service token: a session as a
/// header, and who has it.
pub const CLAIMS: [&str; 3] = [
    "cf-access-token",
    "cf-access-jwt-assertion",
    "cf-access-authenticated-user-email",
];

/// Whether a cookie, of `Cookie` or `Set-Cookie`, is of a session.
pub fn is_session(cookie: &str) -> bool {
    let name = cookie.split(['=', ';']).next().unwrap_or(cookie).trim();
    SESSION.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// The value of `Cookie` without those of a session, empty when nothing is left; `None` when there are
/// none in it. Of several such headers the runtime makes one, with commas.
pub fn without_session(cookies: &str) -> Option<String> {
    let mut found = false;
    let mut kept: Vec<String> = Vec::new();
    for cookie in cookies.split(';') {
        let (own, others): (Vec<_>, Vec<_>) = cookie.split(',').partition(|part| is_session(part));
        found |= !own.is_empty();
        if own.is_empty() || !others.is_empty() {
            kept.push(others.join(",").trim().to_owned());
        }
    }
    found.then(|| kept.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_a_session_is_known_by_its_name() {
        for (cookie, own) in [
            ("CF_Authorization=x; Path=/", true),
            (" cf_appsession =x", true),
            ("CF_Binding", true),
            ("CF_Session;Path=/", true),
            ("CF_Authorization2=x", false),
            ("a=CF_Authorization=x", false),
            ("a=1; CF_Authorization", false),
            ("", false),
        ] {
            assert_eq!(is_session(cookie), own, "{cookie}");
        }
    }

    #[test]
    fn the_other_cookies_stay() {
        for (cookies, kept) in [
            ("a=1; b=2, 3;c", None),
            ("", None),
            ("CF_Authorization=x", Some("")),
            ("a=1; CF_Authorization=x;b=2", Some("a=1; b=2")),
            ("a=1,CF_Authorization=x, c; b=2", Some("a=1, c; b=2")),
            ("CF_AppSession=x, CF_Binding=y; b", Some("b")),
        ] {
            assert_eq!(without_session(cookies).as_deref(), kept, "{cookies}");
        }
    }
}
