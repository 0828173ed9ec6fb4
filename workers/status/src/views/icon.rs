//! The favicon as a PNG (ISO/IEC 15948), for whoever cannot read a data URI.

use minecraft::favicon::Favicon;

/// Shown for a server that has none, or none that can be shown. Drawn for this project
/// (`assets/make-icon.ts`).
pub const DEFAULT: &[u8] = include_bytes!("../../assets/default-icon.png");

/// The bytes of a status body's `icon`, or the default ones.
pub fn png(icon: Option<&str>) -> Vec<u8> {
    let favicon = icon.and_then(Favicon::from_data_uri);
    favicon.map_or_else(|| DEFAULT.to_vec(), |favicon| favicon.png().to_vec())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    fn uri(png: &[u8]) -> String {
        format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png))
    }

    /// One that is not the default, with a text chunk before its end.
    fn whole() -> Vec<u8> {
        let (head, end) = DEFAULT.split_at(DEFAULT.len() - 12);
        [head, b"\0\0\0\x01tEXtA\0\0\0\0", end].concat()
    }

    #[test]
    fn a_whole_image_is_passed_on_and_the_default_is_one() {
        assert!(DEFAULT.len() < 1024, "{}", DEFAULT.len());
        assert_eq!(png(Some(&uri(DEFAULT))), DEFAULT);
        assert_eq!(png(Some(&uri(&whole()))), whole());
    }

    #[test]
    fn what_is_no_whole_image_is_the_default() {
        for broken in [&DEFAULT[..DEFAULT.len() - 1], &DEFAULT[..8]] {
            assert_eq!(png(Some(&uri(broken))), DEFAULT);
        }
        assert_eq!(png(None), DEFAULT);
        assert_eq!(png(Some("https://example.com/icon.png")), DEFAULT);
    }

    #[test]
    fn what_comes_behind_an_image_is_not_passed_on() {
        let longer = [&whole(), &b"<script>"[..]].concat();
        assert_eq!(png(Some(&uri(&longer))), whole());
    }
}
