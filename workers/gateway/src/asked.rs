//! What a request asks for: scheme, host, path and query of its URL, read in one way only.
//!
//! The runtime gives the URL as the client wrote it. A browser resolves dots before it asks, a client
//! by hand does not, and servers disagree about escapes, backslashes, doubled slashes and path
//! parameters. So dot segments are resolved here, once, as the URL standard does (section 4.4), and
//! everybody behind the gateway gets the result; [`Asked::readings`] tells how else a server could
//! understand what remains, so that no reading leads past the route table.

use std::fmt::Write as _;

/// The parts of a request's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub https: bool,
    /// Host and port as the client named them.
    pub authority: String,
    /// As the table names it: without port and dot at the end, in lower case.
    pub host: String,
    /// Starts with `/`, has no dot segments and is of ASCII; otherwise as it was sent.
    pub path: String,
    /// With its `?`, or empty; of ASCII.
    pub query: String,
}

/// Why a request is not looked up at all; what the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

const BAD_HOST: Unreadable = Unreadable("the Host header is not a host name with an optional port");
const BAD_PATH: Unreadable = Unreadable("the path has blanks or control characters");
const HIDDEN_DOTS: Unreadable =
    Unreadable("the path hides \".\" or \"..\" segments behind escapes, backslashes or parameters");

/// How often an escape of an escape is looked into: servers behind servers decode once each.
const ROUNDS: usize = 3;

impl Asked {
    pub fn read(url: &str) -> Result<Self, Unreadable> {
        let (scheme, rest) = url.split_once("://").ok_or(BAD_HOST)?;
        // Every target starts with a slash: a `?` or `#` before it came with the host.
        let (authority, rest) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
        let rest = rest.split('#').next().unwrap_or(rest);
        let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let host = host_of(authority).ok_or(BAD_HOST)?;
        if path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(BAD_PATH);
        }
        Ok(Self {
            // A WebSocket's scheme is what an operator may ask about.
            https: ["https", "wss"]
                .iter()
                .any(|tls| scheme.eq_ignore_ascii_case(tls)),
            authority: authority.to_ascii_lowercase(),
            host,
            path: ascii(&resolved(path)),
            query: ascii(query),
        })
    }

    /// What servers that decode, merge slashes or drop parameters make of the path, each once, and those
    /// that take a decoded `?` or `#` for its end; none when it is plain. The error is a path whose dots
    /// only some of them see.
    pub fn readings(&self) -> Result<Vec<String>, Unreadable> {
        let mut readings = Vec::new();
        if !self.path.contains(['%', ';', '\\']) && !self.path.contains("//") {
            return Ok(readings);
        }
        let mut bytes = self.path.as_bytes().to_vec();
        for _ in 0..ROUNDS {
            read(&bytes, &mut readings)?;
            let decoded = decoded(&bytes);
            if decoded == bytes {
                return Ok(readings);
            }
            bytes = decoded;
        }
        read(&bytes, &mut readings)?;
        Ok(readings)
    }

    /// Whether the path, decoded, has what ends a string or a line in many a server.
    pub fn has_terminators(&self) -> bool {
        let mut bytes = self.path.as_bytes().to_vec();
        for _ in 0..ROUNDS {
            bytes = decoded(&bytes);
        }
        bytes.iter().any(|byte| b"\0\r\n".contains(byte))
    }
}

/// The host of `host`, `host:port` or `[v6]:port`, when it is one.
fn host_of(authority: &str) -> Option<String> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let good_port = |port: &str| {
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        digits && port.parse::<u16>().is_ok()
    };
    if !port.is_none_or(good_port) || host.len() > 255 {
        return None;
    }
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        return Some(host.to_ascii_lowercase());
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let label = |label: &str| !label.is_empty() && label.bytes().all(good);
    name.split('.')
        .all(label)
        .then(|| name.to_ascii_lowercase())
}

/// Whether a segment is `.` or `..`, with each dot as it is or as an escape.
fn dots(segment: &str) -> Option<usize> {
    let mut rest = segment;
    let mut count = 0;
    while !rest.is_empty() {
        let escape = rest
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case("%2e"));
        rest = match rest.strip_prefix('.') {
            Some(after) => after,
            None if escape => &rest[3..],
            None => return None,
        };
        count += 1;
    }
    (1..=2).contains(&count).then_some(count)
}

/// The path without dot segments and with slashes for backslashes.
fn resolved(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.strip_prefix('/').unwrap_or(&path);
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match dots(segment) {
            None => kept.push(segment),
            Some(count) => {
                if count == 2 {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
        }
    }
    format!("/{}", kept.join("/"))
}

/// What is not ASCII as escapes: so it can stand in a header as well.
fn ascii(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii() {
            escaped.push(char::from(byte));
        } else {
            // A string takes whatever is written.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// Every escape decoded, once.
fn decoded(path: &[u8]) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        let digits = (hex(path.get(at + 1)), hex(path.get(at + 2)));
        if let (b'%', (Some(high), Some(low))) = (byte, digits) {
            decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    decoded
}

/// The readings of a path that is decoded so far: as a whole, and as far as a query or a fragment in it.
fn read(path: &[u8], readings: &mut Vec<String>) -> Result<(), Unreadable> {
    readings.push(plain(path)?);
    if let Some(end) = path.iter().position(|byte| b"?#".contains(byte)) {
        readings.push(plain(&path[..end])?);
    }
    Ok(())
}

/// The path without parameters and doubled slashes; what is not text does not matter to the table.
fn plain(path: &[u8]) -> Result<String, Unreadable> {
    let text = String::from_utf8_lossy(path).replace('\\', "/");
    let mut plain = String::with_capacity(text.len());
    for segment in text.split('/') {
        let name = segment.split(';').next().unwrap_or(segment);
        if dots(name).is_some() {
            return Err(HIDDEN_DOTS);
        }
        if !name.is_empty() {
            plain.push('/');
            plain.push_str(name);
        }
    }
    if plain.is_empty() || text.ends_with('/') {
        plain.push('/');
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(target: &str) -> Asked {
        Asked::read(&format!("http://a.example.com{target}")).unwrap()
    }

    #[test]
    fn a_url_is_taken_apart() {
        let asked = Asked::read("https://A.Example.com.:8443/x/y?a=/b?c#d").unwrap();
        assert_eq!(asked.authority, "a.example.com.:8443");
        assert_eq!(asked.host, "a.example.com");
        assert_eq!(
            (asked.path.as_str(), asked.query.as_str()),
            ("/x/y", "?a=/b?c")
        );
        assert!(asked.https);
        let umlaut = Asked::read("http://a/ä/あ?ö=%C3").unwrap();
        assert_eq!(
            (umlaut.path.as_str(), umlaut.query.as_str()),
            ("/%C3%A4/%E3%81%82", "?%C3%B6=%C3")
        );
        let bare = Asked::read("http://a").unwrap();
        assert_eq!((bare.path.as_str(), bare.https), ("/", false));
        assert_eq!(Asked::read("http://[::1]:80/").unwrap().host, "[::1]");
        assert_eq!(
            Asked::read("http://127.0.0.1:80/").unwrap().host,
            "127.0.0.1"
        );
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for authority in [
            "", ".", "a..b", ".a", "a@b", "a:b@c", "a b", "a,b", "a%2eb", "ä", "a*", "a:x", "a:",
            "a:65536", "[::1", "[x]", "[::1]x", "a..", "a:80:80", "a?b", "a#b", "a\t",
        ] {
            let url = format!("http://{authority}/x");
            assert_eq!(Asked::read(&url), Err(BAD_HOST), "{authority:?}");
        }
    }

    #[test]
    fn dot_segments_are_resolved_as_a_browser_does() {
        for (path, means) in [
            ("", "/"),
            ("/", "/"),
            ("/.", "/"),
            ("/..", "/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e", "/"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/../../a", "/a"),
            ("/a//../b", "/a/b"),
            ("//a", "//a"),
            ("/a\\..\\b", "/b"),
            ("/...", "/..."),
            ("/.a/..b", "/.a/..b"),
            ("/a%2f..%2fb", "/a%2f..%2fb"),
        ] {
            assert_eq!(asked(path).path, means, "{path:?}");
        }
    }

    #[test]
    fn other_readings_of_a_path_are_known() {
        let readings = |path: &str| asked(path).readings().unwrap();
        assert!(readings("/a/b.c/~x").is_empty());
        assert_eq!(readings("//a/"), ["/a/"]);
        assert_eq!(readings("/a;x=1/b;y"), ["/a/b"]);
        assert_eq!(readings("/%61"), ["/%61", "/a"]);
        assert_eq!(readings("/a%2fb"), ["/a%2fb", "/a/b"]);
        assert_eq!(readings("/a%252fb"), ["/a%252fb", "/a%2fb", "/a/b"]);
        assert_eq!(readings("/a%5Cb%"), ["/a%5Cb%", "/a/b%"]);
        assert_eq!(readings("/a%3fb"), ["/a%3fb", "/a?b", "/a"]);
        assert_eq!(readings("/a/%23b"), ["/a/%23b", "/a/#b", "/a/"]);
        assert_eq!(readings("/a%253fb"), ["/a%253fb", "/a%3fb", "/a?b", "/a"]);
        assert_eq!(readings("/%E3%81%82"), ["/%E3%81%82", "/あ"]);
    }

    #[test]
    fn hidden_dots_are_refused() {
        for path in [
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a%2f..%2fb",
            "/a/..%2fb",
            "/..%5cb",
            "/a/%252e%252e/b",
            "/a%2f.%2fb",
            "/%252e%252e%252fb",
            "/a/..%3b/b",
            "/a%2f%2e%2e",
            "/a/..%3fb",
            "/a/.%23",
            "/a%3fb%2f..%2fc",
        ] {
            assert_eq!(asked(path).readings(), Err(HIDDEN_DOTS), "{path}");
        }
        assert_eq!(Asked::read("http://a/b\u{1}c"), Err(BAD_PATH));
    }

    #[test]
    fn what_ends_a_string_is_seen() {
        for path in ["/a%00.png", "/a%0d%0aX: 1", "/a%2500"] {
            let asked = Asked::read(&format!("http://a{}", path.replace(' ', ""))).unwrap();
            assert!(asked.has_terminators(), "{path}");
        }
        assert!(!asked("/a%20b%2f").has_terminators());
    }

    proptest! {
        /// What the URL standard's own parser makes of a path is what it is here.
        #[test]
        fn any_url_is_read_or_refused(rest in "\\PC{0,60}") {
            if let Ok(asked) = Asked::read(&format!("http://{rest}")) {
                prop_assert!(asked.path.starts_with('/') && asked.path.is_ascii() && asked.query.is_ascii());
                prop_assert!(!asked.path.contains(['?', '#', '\\']));
                prop_assert!(asked.path.split('/').all(|segment| dots(segment).is_none()));
                let _ = (asked.readings(), asked.has_terminators());
            }
        }

        #[test]
        fn resolving_twice_changes_nothing(path in "(/([a.]|%2e|%2F|\\\\|;){0,4}){0,6}") {
            let once = resolved(&path);
            prop_assert_eq!(resolved(&once), once.clone());
        }

        #[test]
        fn no_reading_has_dots(path in "(/([ab.;]|%2e|%2f|%5c|%25|2e){0,5}){1,5}") {
            if let Ok(readings) = asked(&path).readings() {
                for reading in readings {
                    prop_assert!(reading.split('/').all(|segment| segment != "." && segment != ".."));
                }
            }
        }
    }
}
