//! SHA-1 (RFC 3174) as an identity of bytes: the hash that Minecraft uses for resource packs.

use std::{fmt, str::FromStr};

use ::sha1::Digest as _;
use serde::{Deserialize, Serialize};

/// A SHA-1 digest: 20 bytes, written as 40 lower-case hexadecimal digits.
///
/// The one way in from text is [`FromStr`], which takes either case; what comes out is always
/// lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha1([u8; 20]);

/// A text that is not 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSha1;

impl Sha1 {
    /// The digest of bytes that are already in memory. Large bodies are hashed natively by the
    /// runtime instead (`edge::stream`).
    pub fn of(bytes: &[u8]) -> Self {
        Self(::sha1::Sha1::digest(bytes).into())
    }

    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl FromStr for Sha1 {
    type Err = InvalidSha1;

    fn from_str(text: &str) -> Result<Self, InvalidSha1> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidSha1)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Sha1 {
    type Error = InvalidSha1;

    fn try_from(text: String) -> Result<Self, InvalidSha1> {
        text.parse()
    }
}

impl TryFrom<&[u8]> for Sha1 {
    type Error = InvalidSha1;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidSha1> {
        bytes.try_into().map(Self).map_err(|_| InvalidSha1)
    }
}

impl From<Sha1> for String {
    fn from(sha1: Sha1) -> Self {
        hex::encode(sha1.0)
    }
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha1({self})")
    }
}

impl fmt::Display for InvalidSha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SHA-1 is 40 hexadecimal digits")
    }
}

impl std::error::Error for InvalidSha1 {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_digest_of_known_bytes_is_the_published_one() {
        // RFC 3174, section 7.3, TEST1.
        assert_eq!(
            Sha1::of(b"abc").to_string(),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
    }

    #[test]
    fn json_is_the_hex_text() {
        let sha1 = Sha1::of(b"");
        let json = serde_json::to_string(&sha1).unwrap();
        assert_eq!(json, r#""da39a3ee5e6b4b0d3255bfef95601890afd80709""#);
        assert_eq!(serde_json::from_str::<Sha1>(&json).unwrap(), sha1);
    }

    #[test]
    fn upper_case_comes_in_and_lower_case_goes_out() {
        let sha1: Sha1 = "A9993E364706816ABA3E25717850C26C9CD0D89D".parse().unwrap();
        assert_eq!(sha1, Sha1::of(b"abc"));
        assert_eq!(sha1.to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn anything_but_40_digits_is_refused() {
        for text in [
            "",
            "a9993e",
            "a9993e364706816aba3e25717850c26c9cd0d89",
            "a9993e364706816aba3e25717850c26c9cd0d89d0",
            "g9993e364706816aba3e25717850c26c9cd0d89d",
            " a9993e364706816aba3e25717850c26c9cd0d89d",
        ] {
            assert_eq!(text.parse::<Sha1>(), Err(InvalidSha1), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_and_bytes_agree(bytes: [u8; 20]) {
            let sha1 = Sha1::from_bytes(bytes);
            prop_assert_eq!(sha1.to_string().parse::<Sha1>(), Ok(sha1));
        }
    }
}
