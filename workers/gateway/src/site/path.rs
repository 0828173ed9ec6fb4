//! From a path to an object of a site. Whatever the path says, the key stays below `sites/<name>/`.
//!
//! Each segment is decoded once (RFC 3986, section 2.1) and by itself, so that an escaped slash is
//! no separator; one that is empty, hidden, a dot or two, or no UTF-8 names nothing.

use percent_encoding::percent_decode_str;
use types::site;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The object with this key.
    File(String),
    /// The index document of a folder, with this key: the path ends in a slash.
    Index(String),
}

/// What `path`, which begins with a slash and is what the site's own root is left of, names; `None`
/// for what no object can be called.
pub fn named(site: &str, path: &str) -> Option<Named> {
    let mut key = format!("{}{site}", site::PREFIX);
    let mut segments = path.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = segments.next() {
        key.push('/');
        if segment.is_empty() && segments.peek().is_none() {
            return fits(key + INDEX).map(Named::Index);
        }
        let segment = percent_decode_str(segment).decode_utf8().ok()?;
        if !site::is_segment(&segment) {
            return None;
        }
        key += &segment;
    }
    fits(key).map(Named::File)
}

/// The file that a folder is shown by.
const INDEX: &str = "index.html";

/// The key of a file at the root of a site.
pub fn at_root(site: &str, file: &str) -> String {
    format!("{}{site}/{file}", site::PREFIX)
}

/// The index document of what `key` may be the folder of.
pub fn index_below(key: &str) -> Option<String> {
    fits(format!("{key}/{INDEX}"))
}

fn fits(key: String) -> Option<String> {
    (key.len() <= site::LONGEST_KEY).then_some(key)
}

/// What an application may call a thing of its own, and shows a page for: `/users/jane.md`. No page
/// loads such a file.
const DOCUMENTS: [&str; 3] = ["application/pdf", "text/csv", "text/markdown"];

/// Whether a request for `path` comes from somebody who goes to a page of an application, and not
/// from a page that wants a file: the path names no file of a known type, and HTML is welcome, or a
/// document, and HTML is asked for by name.
pub fn is_navigation(path: &str, accept: Option<&str>) -> bool {
    let says = |kind: &str| accept.is_some_and(|accept| accept.contains(kind));
    let by_name = says("text/html");
    match site::media_type(path) {
        None => by_name || says("*/*") || accept.is_none(),
        Some(kind) => by_name && DOCUMENTS.iter().any(|document| kind.starts_with(document)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(path: &str) -> Option<String> {
        match named("www", path)? {
            Named::File(key) => Some(key),
            Named::Index(key) => Some(format!("index {key}")),
        }
    }

    #[test]
    fn a_path_names_an_object_of_its_site() {
        for (path, key) in [
            ("/", "index sites/www/index.html"),
            ("/a/b/", "index sites/www/a/b/index.html"),
            ("/a.css", "sites/www/a.css"),
            ("/a%20b.css", "sites/www/a b.css"),
            ("/%E6%97%A5%E6%9C%AC/x", "sites/www/日本/x"),
            ("/100%25.txt", "sites/www/100%.txt"),
            ("/a%2Bb+c", "sites/www/a+b+c"),
            (
                "/.well-known/security.txt",
                "sites/www/.well-known/security.txt",
            ),
            ("/a;b", "sites/www/a;b"),
        ] {
            assert_eq!(file(path).as_deref(), Some(key), "{path}");
        }
    }

    #[test]
    fn what_is_confusing_names_nothing() {
        for path in [
            "",
            "a",
            "//",
            "//a",
            "/a//b",
            "/./a",
            "/../other/x",
            "/a/..",
            "/%2e%2e/x",
            "/%2E%2e/",
            "/a%2fb",
            "/..%2fother",
            "/a%5cb",
            "/a%00",
            "/a%0a",
            "/.env",
            "/.git/config",
            "/%2egit/x",
            "/%ff",
            "/%252e%252e/%2e",
        ] {
            assert_eq!(file(path), None, "{path}");
        }
        assert_eq!(file(&format!("/{}", "a".repeat(1024))), None);
        // Decoded once and no more.
        assert_eq!(file("/%252e%252e").as_deref(), Some("sites/www/%2e%2e"));
    }

    #[test]
    fn only_pages_of_an_application_fall_back() {
        for (path, accept, navigation) in [
            ("/users/7", Some("text/html,application/xhtml+xml"), true),
            ("/users/john.doe", Some("*/*"), true),
            ("/users/", None, true),
            ("/assets/gone.js", Some("*/*"), false),
            ("/old.html", Some("text/html"), false),
            ("/users/jane.md", Some("text/html,*/*;q=0.8"), true),
            ("/files/Report.PDF", Some("text/html"), true),
            ("/users/jane.md", Some("*/*"), false),
            ("/users/jane.md", None, false),
            ("/app.js.map", Some("text/html"), false),
            ("/app.js", Some("text/html"), false),
            ("/robots.txt", Some("text/html"), false),
            ("/sitemap.xml", Some("text/html"), false),
            ("/photo.png", Some("text/html"), false),
            ("/release.zip", Some("text/html"), false),
            ("/users/7", Some("application/json"), false),
            ("/users/7", Some("image/avif,image/webp"), false),
        ] {
            assert_eq!(is_navigation(path, accept), navigation, "{path} {accept:?}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leads_out_of_its_site(path in "/([a.%/\\\\2eEfF5cC0-]|\\PC){0,40}") {
            if let Some(Named::File(key) | Named::Index(key)) = named("www", &path) {
                prop_assert!(key.starts_with("sites/www/"));
                prop_assert!(!key.split('/').any(|part| part.is_empty() || part == "." || part == ".."));
                prop_assert!(!key.contains(['\\', '\0']) && key.len() <= site::LONGEST_KEY);
            }
        }

        #[test]
        fn every_plain_name_can_be_asked_for(name in "[^/\\\\\\p{Cc}]{1,30}") {
            prop_assume!(site::is_segment(&name));
            let escaped = name.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"));
            prop_assert_eq!(file(&format!("/a/{escaped}")), Some(format!("sites/www/a/{name}")));
        }
    }
}
