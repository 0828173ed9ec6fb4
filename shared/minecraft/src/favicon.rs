//! The favicon of a status: a small PNG in a data URI.
//!
//! Spec: "Minecraft Java protocol, Server List Ping, Status Response" (minecraft.wiki): `data:image/png;base64,…`,
//! 64 × 64. Old servers break the base64 into lines.

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

/// The largest favicon that is kept, in bytes of PNG. 64 × 64 pixels without any compression are 16 KiB.
pub const MAX_BYTES: usize = 64 * 1024;

/// Bytes that begin as a PNG does and are at most [`MAX_BYTES`]; the image itself is not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Favicon {
    png: Vec<u8>,
}

impl Favicon {
    /// Reads the data URI of a status; `None` if it is anything but a PNG of acceptable size.
    pub fn from_data_uri(uri: &str) -> Option<Self> {
        let base64 = uri.strip_prefix(PREFIX)?;
        if base64.len() > 2 * MAX_BYTES {
            return None;
        }
        let base64: Vec<u8> = base64
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let png = BASE64.decode(base64).ok()?;
        (png.len() <= MAX_BYTES && png.starts_with(PNG_SIGNATURE)).then_some(Self { png })
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

    /// Width and height in pixels, as the first chunk says (PNG, section 11.2.1); `None` if it is cut off or another.
    pub fn dimensions(&self) -> Option<(u32, u32)> {
        let chunk = self.png.get(PNG_SIGNATURE.len() + 4..)?;
        let data = chunk.strip_prefix(b"IHDR")?;
        let number = |at: usize| Some(u32::from_be_bytes(*data.get(at..)?.first_chunk()?));
        Some((number(0)?, number(4)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uri(bytes: &[u8]) -> String {
        format!("{PREFIX}{}", BASE64.encode(bytes))
    }

    fn png(len: usize) -> Vec<u8> {
        let mut png = PNG_SIGNATURE.to_vec();
        png.resize(len, 0);
        png
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
    fn its_dimensions_are_read_from_the_first_chunk() {
        let header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\x01\x02";
        let of = |bytes: &[u8]| Favicon::from_data_uri(&uri(bytes)).unwrap().dimensions();
        assert_eq!(of(header), Some((64, 258)));
        assert_eq!(of(&header[..header.len() - 1]), None);
        assert_eq!(of(&png(100)), None);
    }

    proptest! {
        #[test]
        fn any_string_is_a_favicon_or_none(text: String) {
            let favicon = Favicon::from_data_uri(&format!("{PREFIX}{text}"));
            prop_assert!(favicon.is_none_or(|favicon| favicon.png().starts_with(PNG_SIGNATURE)));
        }
    }
}
