//! Static sites: what a file is called in R2, what type it has, how long a browser may keep it.
//!
//! A site is the objects below `sites/<name>/`. `cargo xtask site push` gives each its type and its
//! `Cache-Control`; the gateway answers with these, and with what is said here of an object that was
//! put there without.

/// What the keys of all sites begin with.
pub const PREFIX: &str = "sites/";

/// The longest key that R2 takes, in bytes.
pub const LONGEST_KEY: usize = 1024;

/// What a page says: ask each time, the tag makes that cheap. So a new page is seen at once.
pub const ASK_AGAIN: &str = "no-cache";

/// What a file says whose name changes with its content.
pub const NEVER_CHANGES: &str = "public, max-age=31536000, immutable";

/// What any other file says: an hour, then ask.
pub const FOR_AN_HOUR: &str = "public, max-age=3600";

/// The types of the files that websites are made of, by extension. (The full registry would weigh
/// more than the rest of the worker.) Text says that it is UTF-8.
const TYPES: [(&str, &str); 47] = [
    ("avif", "image/avif"),
    ("bin", "application/octet-stream"),
    ("bmp", "image/bmp"),
    ("cjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("eot", "application/vnd.ms-fontobject"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("ics", "text/calendar; charset=utf-8"),
    ("jar", "application/java-archive"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("jsonld", "application/ld+json"),
    ("m4a", "audio/mp4"),
    ("map", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rss", "application/rss+xml"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

/// Folders in which the known bundlers put nothing but files named after their content.
const HASHED_FOLDERS: [&str; 3] = [
    "_app/immutable",
    "_next/static/chunks",
    "_next/static/media",
];

/// Folders in which Vite and its kin put names with eight characters of base64.
const BASE64_FOLDERS: [&str; 2] = ["assets", "_astro"];

/// The media type that a file's extension stands for; `None` when it has none that is known here.
pub fn media_type(path: &str) -> Option<&'static str> {
    let (_, extension) = file_name(path).rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    let found = TYPES.binary_search_by_key(&extension.as_str(), |(known, _)| known);
    found.ok().map(|index| TYPES[index].1)
}

/// Whether a file is a page, which names other files.
pub fn is_page(path: &str) -> bool {
    matches!(media_type(path), Some(kind) if kind.contains("html"))
}

/// The `Cache-Control` of a file of a site, by its path there.
pub fn cache_control(path: &str) -> &'static str {
    if is_page(path) {
        ASK_AGAIN
    } else if is_named_by_content(path) {
        NEVER_CHANGES
    } else {
        FOR_AN_HOUR
    }
}

/// Whether the name has a hash of the content in it, as bundlers write it: `app.8f3a2b1c.js`, or
/// `assets/index-DiwrgT3a.js`. What only looks like one (`photo-20240101.jpg`, `font-awesome5.css`)
/// must not be taken for it: a browser would keep it for a year.
fn is_named_by_content(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let below = |known: &&str| format!("/{folder}/").contains(&format!("/{known}/"));
    if HASHED_FOLDERS.iter().any(below) {
        return true;
    }
    let Some((stem, _)) = file_name(path).rsplit_once('.') else {
        return false;
    };
    // `app.8f3a2b1c.js.map` and `app.8f3a2b1c.chunk.js` have it in the middle.
    if stem.split(['.', '-', '_']).skip(1).any(is_hex_hash) {
        return true;
    }
    BASE64_FOLDERS.iter().any(below) && ends_in_base64_hash(stem)
}

/// At least eight hexadecimal digits, some of them letters and some not.
fn is_hex_hash(part: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    part.len() >= 8
        && part.bytes().all(hex)
        && part.bytes().any(|byte| byte.is_ascii_digit())
        && part.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// `-` or `.` and eight characters that are no word.
fn ends_in_base64_hash(stem: &str) -> bool {
    let Some((before, hash)) = stem
        .len()
        .checked_sub(8)
        .and_then(|at| stem.split_at_checked(at))
    else {
        return false;
    };
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let count = |of: fn(&u8) -> bool| hash.bytes().filter(of).count();
    let capitals = count(u8::is_ascii_uppercase);
    let odd = count(|byte| byte.is_ascii_digit() || *byte == b'_');
    before.len() > 1
        && before.ends_with(['-', '.'])
        && hash.bytes().all(base64)
        && capitals > 0
        && count(u8::is_ascii_lowercase) > 0
        && capitals + odd >= 3
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a file or folder of this name belongs to a site. What begins with a dot does not
/// (`.git`, `.env`), but for `.well-known` (RFC 8615); nor does what a path cannot say plainly.
pub fn is_segment(name: &str) -> bool {
    let plain = |char: char| !char.is_control() && char != '/' && char != '\\';
    !name.is_empty() && name.chars().all(plain) && (!name.starts_with('.') || name == ".well-known")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_go_by_the_extension_in_any_case() {
        assert!(TYPES.is_sorted_by_key(|(extension, _)| extension));
        for (path, expected) in [
            ("index.html", Some("text/html; charset=utf-8")),
            ("a/b.c/APP.JS", Some("text/javascript; charset=utf-8")),
            ("x.tar.gz", Some("application/gzip")),
            ("fonts/a.woff2", Some("font/woff2")),
            ("LICENSE", None),
            ("a.b/c", None),
            ("x.unheard", None),
            ("", None),
        ] {
            assert_eq!(media_type(path), expected, "{path}");
        }
    }

    #[test]
    fn a_name_with_its_contents_hash_may_be_kept_for_ever_and_no_other() {
        for hashed in [
            "main.8f3a2b1c.js",
            "static/js/main.8f3a2b1c.chunk.js",
            "main.8f3a2b1c.js.map",
            "app-0d1e2f3a4b5c6d7e.css",
            "assets/index-DiwrgT3a.js",
            "docs/assets/index-C_x-1aB2.css",
            "_astro/page.BQ3kLm9x.css",
            "_app/immutable/entry/start.js",
            "_next/static/chunks/main.js",
        ] {
            assert_eq!(cache_control(hashed), NEVER_CHANGES, "{hashed}");
        }
        for plain in [
            "app.js",
            "photo-20240101.jpg",
            "assets/photo-20240101.jpg",
            "assets/jquery-migrated.js",
            "assets/my-MyWidget.png",
            "font-awesome5free.css",
            "deadbeef.png",
            "index-DiwrgT3a.js",
            "robots.txt",
            "x/decade-facade.css",
            "assets/-DiwrgT3a",
            "é.js",
        ] {
            assert_eq!(cache_control(plain), FOR_AN_HOUR, "{plain}");
        }
        for page in ["index.html", "a/main.8f3a2b1c.html", "assets/x.HTM"] {
            assert_eq!(cache_control(page), ASK_AGAIN, "{page}");
        }
    }

    #[test]
    fn segments_are_plain_and_not_hidden() {
        for good in ["a", "a b", "日本語.html", ".well-known", "a..b", "100%.txt"] {
            assert!(is_segment(good), "{good:?}");
        }
        for bad in ["", ".", "..", ".env", ".git", "a/b", "a\\b", "a\0", "a\n"] {
            assert!(!is_segment(bad), "{bad:?}");
        }
    }
}
