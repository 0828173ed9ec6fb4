//! The favicon as a PNG (ISO/IEC 15948), for whoever cannot read a data URI.

use minecraft::favicon::Favicon;

/// Shown for a server that has none, or none that can be shown. Drawn for this project
/// (`assets/make-icon.ts`).
pub const DEFAULT: &[u8] = include_bytes!("../../assets/default-icon.png");

const SIGNATURE: usize = 8;
/// The length and the type before a chunk's data, and the checksum after it.
const AROUND_DATA: usize = 12;

/// The bytes of a status body's `icon`, or the default ones.
pub fn png(icon: Option<&str>) -> Vec<u8> {
    let favicon = icon.and_then(Favicon::from_data_uri);
    let whole = favicon.filter(|favicon| is_whole(favicon.png()));
    whole.map_or_else(|| DEFAULT.to_vec(), |favicon| favicon.png().to_vec())
}

/// Whether the chunks follow each other from `IHDR` to `IEND` and fill the bytes: what is cut off or
/// has something behind it is no image to pass on. A favicon has the signature already.
fn is_whole(png: &[u8]) -> bool {
    let mut rest = png.get(SIGNATURE..).unwrap_or_default();
    let mut first = true;
    while let Some((length, kind)) = chunk(rest) {
        if first != (kind == b"IHDR") {
            return false;
        }
        first = false;
        let Some(after) = length
            .checked_add(AROUND_DATA)
            .and_then(|end| rest.get(end..))
        else {
            return false;
        };
        if kind == b"IEND" {
            return after.is_empty();
        }
        rest = after;
    }
    false
}

fn chunk(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    Some((length, rest.get(..4)?))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use proptest::prelude::*;

    use super::*;

    fn uri(png: &[u8]) -> String {
        format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png))
    }

    #[test]
    fn a_whole_image_is_passed_on_and_the_default_is_one() {
        assert!(is_whole(DEFAULT));
        assert!(DEFAULT.len() < 1024, "{}", DEFAULT.len());
        assert_eq!(png(Some(&uri(DEFAULT))), DEFAULT);
        // One that is not the default, with a text chunk before its end.
        let mut other = DEFAULT[..DEFAULT.len() - 12].to_vec();
        other.extend(*b"\0\0\0\x01tEXtA\0\0\0\0");
        other.extend(&DEFAULT[DEFAULT.len() - 12..]);
        assert_eq!(png(Some(&uri(&other))), other);
    }

    #[test]
    fn what_is_no_whole_image_is_the_default() {
        let mut longer = DEFAULT.to_vec();
        longer.extend(b"<script>");
        let huge = [&DEFAULT[..8], b"\xff\xff\xff\xffIHDR"].concat();
        let headless = [&DEFAULT[..8], &DEFAULT[33..]].concat();
        for broken in [
            &DEFAULT[..DEFAULT.len() - 1],
            &DEFAULT[..8],
            &longer,
            &huge,
            &headless,
        ] {
            assert!(!is_whole(broken));
            assert_eq!(png(Some(&uri(broken))), DEFAULT);
        }
        assert_eq!(png(None), DEFAULT);
        assert_eq!(png(Some("https://example.com/icon.png")), DEFAULT);
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes: Vec<u8>) {
            let _ = is_whole(&[&DEFAULT[..8], &bytes].concat());
        }
    }
}
