//! The favicon of a status: a small PNG in a data URI.
//!
//! Spec: "Minecraft Java protocol, Server List Ping, Status Response" (minecraft.wiki): `data:image/png;base64,…`,
//! 64 × 64. Old servers break the base64 into lines. PNG: ISO/IEC 15948.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, general_purpose::PAD};

const PREFIX: &str = "data:image/png;base64,";
/// Writes padding, reads with and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The length and the type before a chunk's data, and the checksum after it.
const AROUND_DATA: usize = 12;
/// The first chunk is the header, of this length (section 11.2.1); it begins with width and height.
const HEADER: (usize, &[u8]) = (13, b"IHDR");
const AT_DIMENSIONS: usize = 16;

/// The largest favicon that is kept, in bytes of PNG. 64 × 64 pixels without any compression are 16 KiB.
pub const MAX_BYTES: usize = 64 * 1024;

/// A PNG of at most [`MAX_BYTES`], whole by its chunks; the image itself is not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Favicon {
    png: Vec<u8>,
    dimensions: (u32, u32),
}

impl Favicon {
    /// Reads the data URI of a status; `None` if it is anything but a PNG of acceptable size. What comes
    /// behind the image is left out: clients do not look at it, so it is no reason to show none.
    pub fn from_data_uri(uri: &str) -> Option<Self> {
        let base64 = uri.strip_prefix(PREFIX)?;
        if base64.len() > 2 * MAX_BYTES {
            return None;
        }
        let base64: Vec<u8> = base64
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let mut png = BASE64.decode(base64).ok()?;
        if png.len() > MAX_BYTES {
            return None;
        }
        png.truncate(end(&png)?);
        let number = |at: usize| Some(u32::from_be_bytes(*png.get(at..)?.first_chunk()?));
        let dimensions = (number(AT_DIMENSIONS)?, number(AT_DIMENSIONS + 4)?);
        Some(Self { png, dimensions })
    }

    /// The data URI, on one line.
    pub fn to_data_uri(&self) -> String {
        let mut uri = PREFIX.to_owned();
        BASE64.encode_string(&self.png, &mut uri);
        uri
    }

    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// Width and height in pixels, as the image's header says.
    pub fn dimensions(&self) -> (u32, u32) {
        self.dimensions
    }
}

/// Where the image ends whose chunks follow each other from the header to `IEND`; `None` if it is cut off
/// or none.
fn end(png: &[u8]) -> Option<usize> {
    let mut rest = png.strip_prefix(PNG_SIGNATURE)?;
    let mut first = true;
    loop {
        let (length, kind) = chunk(rest)?;
        let is_header = (length, kind) == HEADER;
        if first != is_header {
            return None;
        }
        first = false;
        rest = rest.get(length.checked_add(AROUND_DATA)?..)?;
        if kind == b"IEND" {
            return Some(png.len() - rest.len());
        }
    }
}

/// The length of the first chunk's data, and its type.
fn chunk(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    Some((length, rest.get(..4)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uri(bytes: &[u8]) -> String {
        format!("{PREFIX}{}", BASE64.encode(bytes))
    }

    const HEAD: &[u8] = b"\0\0\0\x0dIHDR\0\0\0\x40\0\0\x01\x02\x08\x06\0\0\0\0\0\0\0";
    const END: &[u8] = b"\0\0\0\0IEND\0\0\0\0";

    /// A whole PNG of so many bytes, most of which are one chunk's.
    fn png(len: usize) -> Vec<u8> {
        let head = [PNG_SIGNATURE, HEAD].concat();
        let data = len - head.len() - END.len() - AROUND_DATA;
        let length = u32::try_from(data).unwrap().to_be_bytes();
        [&head, &length[..], b"IDAT", &vec![0; data + 4], END].concat()
    }

    #[test]
    fn line_breaks_and_missing_padding_are_no_obstacle() {
        let one_line = uri(&png(100));
        let (head, tail) = one_line.split_at(60);
        let broken = format!("{head}\n{}\r\n", tail.trim_end_matches('='));
        let favicon = Favicon::from_data_uri(&broken).unwrap();
        assert_eq!(favicon.png(), png(100));
        assert_eq!(favicon.to_data_uri(), one_line);
    }

    #[test]
    fn what_is_no_png_or_too_large_is_dropped() {
        assert!(Favicon::from_data_uri(&uri(&png(MAX_BYTES))).is_some());
        assert!(Favicon::from_data_uri(&uri(&png(MAX_BYTES + 1))).is_none());
        assert!(Favicon::from_data_uri(&uri(b"<svg onload=alert(1)>")).is_none());
        let jpeg = uri(&png(100)).replace("png", "jpeg");
        for junk in [
            "",
            "data:image/png;base64,",
            "data:image/png;base64,%%%",
            "https://example.com/i.png",
            &jpeg,
        ] {
            assert!(Favicon::from_data_uri(junk).is_none(), "{junk}");
        }
    }

    #[test]
    fn what_comes_behind_the_image_is_left_out() {
        let longer = [&png(100), &b"<script>"[..]].concat();
        let favicon = Favicon::from_data_uri(&uri(&longer)).unwrap();
        assert_eq!(favicon.png(), png(100));
        assert_eq!(favicon.to_data_uri(), uri(&png(100)));
    }

    #[test]
    fn what_is_cut_off_or_no_image_is_dropped() {
        let whole = png(100);
        assert!(Favicon::from_data_uri(&uri(&whole)).is_some());
        for len in 0..whole.len() {
            assert!(Favicon::from_data_uri(&uri(&whole[..len])).is_none());
        }
        let headless = [PNG_SIGNATURE, &whole[33..]].concat();
        let twice = [PNG_SIGNATURE, HEAD, HEAD, END].concat();
        let huge = [PNG_SIGNATURE, b"\xff\xff\xff\xffIHDR"].concat();
        for broken in [headless, twice, huge] {
            assert!(Favicon::from_data_uri(&uri(&broken)).is_none());
        }
    }

    #[test]
    fn its_dimensions_are_read_from_the_first_chunk() {
        let favicon = Favicon::from_data_uri(&uri(&png(100)));
        assert_eq!(favicon.unwrap().dimensions(), (64, 258));
        let short = [PNG_SIGNATURE, b"\0\0\0\x01IHDR\x40\0\0\0\0", END].concat();
        assert_eq!(Favicon::from_data_uri(&uri(&short)), None);
    }

    proptest! {
        #[test]
        fn any_string_is_a_favicon_or_none(text: String) {
            let favicon = Favicon::from_data_uri(&format!("{PREFIX}{text}"));
            prop_assert!(favicon.is_none_or(|favicon| favicon.png().starts_with(PNG_SIGNATURE)));
        }

        #[test]
        fn any_chunks_are_an_image_or_none(bytes: Vec<u8>) {
            let bytes = [PNG_SIGNATURE, HEAD, &bytes].concat();
            if let Some(favicon) = Favicon::from_data_uri(&uri(&bytes)) {
                prop_assert!(bytes.starts_with(favicon.png()));
            }
        }
    }
}
