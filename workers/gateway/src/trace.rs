//! Trace context (W3C, level 1): the header `traceparent` of a request, passed on or made.

use std::fmt::Write as _;

/// The version that is written here.
const VERSION: &str = "00";
/// Sampled: what asks nobody else decides as a root would.
const FLAGS: &str = "01";

/// The trace id of a well-formed `traceparent`: `00-<32>-<16>-<2>` of lower-case hexadecimal digits,
/// ids not zero; a later version may go on after another hyphen.
pub fn id_of(traceparent: &str) -> Option<&str> {
    let hex = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let mut fields = traceparent.split('-');
    let version = fields
        .next()
        .filter(|version| hex(version, 2) && *version != "ff")?;
    let zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let trace = fields.next().filter(|id| hex(id, 32) && !zero(id))?;
    fields.next().filter(|id| hex(id, 16) && !zero(id))?;
    fields.next().filter(|flags| hex(flags, 2))?;
    if version == VERSION && fields.next().is_some() || traceparent.len() > 256 {
        return None;
    }
    Some(trace)
}

/// A `traceparent` of its own, of 24 random bytes.
pub fn made(random: [u8; 24]) -> String {
    let mut text = format!("{VERSION}-");
    for (index, byte) in random.iter().enumerate() {
        if index == 16 {
            text.push('-');
        }
        // The ids must not be zero.
        let byte = if index == 0 || index == 16 {
            byte | 1
        } else {
            *byte
        };
        // A string takes whatever is written.
        let _ = write!(text, "{byte:02x}");
    }
    text + "-" + FLAGS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_good_one_gives_its_trace_id() {
        assert_eq!(id_of(GOOD), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let later = GOOD.replacen("00", "01", 1) + "-more";
        assert_eq!(id_of(&later), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    #[test]
    fn a_bad_one_is_none() {
        for bad in [
            "",
            "00",
            "00-0-0-0",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00-1-1-1",
        ] {
            assert_eq!(id_of(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_made_is_good(random: [u8; 24]) {
            let made = made(random);
            prop_assert_eq!(made.len(), 55);
            prop_assert!(id_of(&made).is_some());
        }

        #[test]
        fn any_text_is_looked_at(text in "\\PC{0,80}") {
            let _ = id_of(&text);
        }
    }
}
