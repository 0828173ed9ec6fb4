//! One range of a body (RFC 9110, section 14).

use http_range_header::{EndPosition, StartPosition, parse_range_header};

/// What a request wants of an object of known size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    /// One range: offset and length, both inside the object.
    Part {
        offset: u64,
        length: u64,
    },
    Unsatisfiable,
}

/// Reads a `Range` header (RFC 9110, section 14.2). What is malformed, or asks for several ranges,
/// counts as not there: the whole is always a right answer.
pub fn wanted(range: Option<&str>, size: u64) -> Wanted {
    let Some(range) = range.filter(|range| !range.contains(',')) else {
        return Wanted::Whole;
    };
    // The name of the unit is in any case (section 14.1), which the crate does not know.
    let of_bytes = |(unit, _): &(&str, &str)| unit.eq_ignore_ascii_case("bytes");
    let Some((_, ranges)) = range.split_once('=').filter(of_bytes) else {
        return Wanted::Whole;
    };
    let suffix = ranges.strip_prefix('-').unwrap_or_default();
    if !suffix.is_empty() && suffix.bytes().all(|digit| digit == b'0') {
        return Wanted::Unsatisfiable;
    }
    // The crate takes an empty suffix for malformed, and its `validate` refuses
    // one that is longer than the object, which RFC 9110 takes as the whole.
    let parsed = parse_range_header(&format!("bytes={ranges}")).ok();
    let Some(spec) = parsed.as_ref().and_then(|parsed| parsed.ranges.first()) else {
        return Wanted::Whole;
    };
    let (first, last) = match (spec.start, spec.end) {
        (StartPosition::FromLast(suffix), _) => (size.saturating_sub(suffix), u64::MAX),
        (StartPosition::Index(first), EndPosition::LastByte) => (first, u64::MAX),
        (StartPosition::Index(first), EndPosition::Index(last)) => (first, last),
    };
    match last.min(size.saturating_sub(1)) {
        _ if last < first => Wanted::Whole,
        _ if first >= size => Wanted::Unsatisfiable,
        last => Wanted::Part {
            offset: first,
            length: last - first + 1,
        },
    }
}

/// The `Content-Range` of an answer that has this part.
pub fn content_range(offset: u64, length: u64, size: u64) -> String {
    format!("bytes {offset}-{}/{size}", offset + length - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_range_is_read_as_rfc_9110_says() {
        let part = |offset, length| Wanted::Part { offset, length };
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-4", part(0, 5)),
            ("bytes=5-", part(5, 5)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-30", part(0, 10)),
            ("bytes=8-99", part(8, 2)),
            ("BYTES=0-4", part(0, 5)),
            ("Bytes=-3", part(7, 3)),
            ("bYtes=-0", Wanted::Unsatisfiable),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-20", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=4-2", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("bytes=bytes=0-1", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(range), 10), expected, "{range:?}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }

    /// The same by looking at each byte of a small object: whether the range has it. The crate takes
    /// numbers with leading zeros for malformed.
    fn by_byte(range: &str, size: u64) -> Wanted {
        let digits = |text: &str| {
            let padded = text.len() > 1 && text.starts_with('0');
            text.bytes().all(|byte| byte.is_ascii_digit()) && !padded
        };
        let spec = range
            .split_once('=')
            .filter(|(unit, _)| unit.to_lowercase() == "bytes");
        let ends = spec.and_then(|(_, spec)| spec.split_once('-'));
        let Some((first, last)) = ends.filter(|(first, last)| digits(first) && digits(last)) else {
            return Wanted::Whole;
        };
        let (first, last) = (first.parse::<u64>().ok(), last.parse::<u64>().ok());
        let has = |byte: &u64| match (first, last) {
            (Some(first), Some(last)) => (first..=last).contains(byte),
            (Some(first), None) => *byte >= first,
            (None, Some(suffix)) => *byte + suffix >= size,
            (None, None) => false,
        };
        let is_malformed = match (first, last) {
            (Some(first), Some(last)) => last < first,
            (first, last) => first.or(last).is_none(),
        };
        let bytes: Vec<u64> = (0..size).filter(has).collect();
        match bytes.first() {
            _ if is_malformed => Wanted::Whole,
            Some(offset) => Wanted::Part {
                offset: *offset,
                length: bytes.len() as u64,
            },
            None => Wanted::Unsatisfiable,
        }
    }

    proptest! {
        #[test]
        fn a_range_has_the_bytes_that_each_byte_by_itself_is_found_to_be_in(
            range in "((?i:bytes)|[a-z]{0,6})=?(0|[1-9][0-9]?)?-?(0|[1-9][0-9]?)?[-a]?",
            size in 1_u64..40,
        ) {
            prop_assert_eq!(wanted(Some(&range), size), by_byte(&range, size), "{:?}", range);
        }

        #[test]
        fn a_part_is_never_outside_the_object(range in ".{0,40}", from: u64, to: u64, size in 1_u64..1_000_000) {
            for range in [range, format!("bytes={from}-{to}"), format!("bytes=-{from}"), format!("bytes={from}-")] {
                if let Wanted::Part { offset, length } = wanted(Some(&range), size) {
                    prop_assert!(length > 0 && offset.checked_add(length).is_some_and(|end| end <= size));
                }
            }
        }
    }
}
