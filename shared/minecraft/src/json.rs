//! JSON as the game reads it: more forgiving about characters than `serde_json`, and about the form of numbers.
//!
//! A byte order mark is skipped, bytes that are not UTF-8 and lone surrogate escapes become U+FFFD. Nesting stops at
//! `serde_json`'s 128 levels with an error.

use serde_json::{Error, Value};

/// Parses one JSON text.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut json = String::from_utf8_lossy(bytes).into_owned().into_bytes();
    replace_lone_surrogates(&mut json);
    serde_json::from_slice(&json)
}

/// A number as a Java `int`: a fraction is dropped, as the game does; `None` for what is no number or out of range.
pub(crate) fn int(value: &Value) -> Option<i32> {
    let number = value.as_number()?;
    if let Some(integer) = number.as_i64() {
        return i32::try_from(integer).ok();
    }
    let whole = number.as_f64()?.trunc();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (f64::from(i32::MIN)..=f64::from(i32::MAX))
        .contains(&whole)
        .then_some(whole as i32)
}

/// `\ud800` without its other half is legal JSON that stands for no text.
fn replace_lone_surrogates(json: &mut [u8]) {
    let mut at = 0;
    while at < json.len() {
        at += match (json[at], escaped_unit(json, at)) {
            (b'\\', Some(0xd800..=0xdbff))
                if matches!(escaped_unit(json, at + 6), Some(0xdc00..=0xdfff)) =>
            {
                12
            }
            (b'\\', Some(0xd800..=0xdfff)) => {
                json[at..at + 6].copy_from_slice(b"\\ufffd");
                6
            }
            (b'\\', _) => 2,
            _ => 1,
        };
    }
}

fn escaped_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn characters_that_are_none_become_the_replacement_character() {
        let table: [(&[u8], &str); 6] = [
            (br#""\ud800""#, "\u{fffd}"),
            (br#""\udc00\ud83d!""#, "\u{fffd}\u{fffd}!"),
            (br#""\ud83d\ude00""#, "😀"),
            (br#""\\ud800""#, "\\ud800"),
            (b"\"\xa7a\"", "\u{fffd}a"),
            (b"\xef\xbb\xbf\"\\u0000\"", "\0"),
        ];
        for (bytes, text) in table {
            assert_eq!(
                parse(bytes).unwrap(),
                json!(text),
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn nesting_beyond_128_levels_is_an_error() {
        assert!(parse(&b"[".repeat(1 << 20)).is_err());
        assert!(parse(&br#"{"extra":["#.repeat(1 << 16)).is_err());
        assert!(parse(&[b"[".repeat(127), b"]".repeat(127)].concat()).is_ok());
    }

    #[test]
    fn numbers_are_read_as_java_ints() {
        let table = [
            (json!(774), Some(774)),
            (json!(-1), Some(-1)),
            (json!(69.0), Some(69)),
            (json!(69.9), Some(69)),
            (json!(2_147_483_648_u64), None),
            (json!(1e300), None),
            (json!("12"), None),
            (json!(true), None),
            (json!(null), None),
        ];
        for (value, expected) in table {
            assert_eq!(int(&value), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn escapes_survive_as_serde_reads_them(text: String) {
            let escaped: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(parse(format!("\"{}\"", escaped.concat()).as_bytes()).unwrap(), json!(text));
        }
    }
}
