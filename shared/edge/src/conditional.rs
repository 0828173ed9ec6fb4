//! Conditional requests (RFC 9110, section 13).
//!
//! Written here and not taken from the `headers` crate, which brings the whole table of `http`
//! header names along: 14 KB of a worker's 250 (gzipped).

use worker::Headers;

/// Whether `If-None-Match` names this tag (`"abc"`, with its quotes), so that 304 is the answer.
/// The comparison is weak, as section 13.1.2 has it.
pub fn none_match_names(headers: &Headers, tag: &str) -> bool {
    header(headers, "if-none-match").is_some_and(|condition| names(&condition, tag))
}

/// Whether a change may be made to what has this tag (section 13.1.1): without `If-Match` it may.
///
/// The section has the comparison strong. Here a weak tag matches as well: the edge weakens ours when
/// it compresses an answer, and what is compared is the tag of the stored value, not of that answer.
pub fn if_match_allows(headers: &Headers, tag: &str) -> bool {
    header(headers, "if-match").is_none_or(|condition| names(&condition, tag))
}

/// Whether a `Range` counts (section 13.1.5): without `If-Range` it does, with one only when it
/// is this tag. A date never matches here, since what is served by tag has none.
pub fn if_range_allows(headers: &Headers, tag: &str) -> bool {
    header(headers, "if-range").is_none_or(|condition| is_tag(&condition, tag))
}

/// The comparison is strong, as section 13.1.5 has it: a weak tag never counts.
fn is_tag(condition: &str, tag: &str) -> bool {
    condition.trim() == tag
}

fn header(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).ok().flatten()
}

/// `*`, or a list of tags. A tag of ours holds no comma, so a comma ends one.
pub(crate) fn names(condition: &str, tag: &str) -> bool {
    condition.trim() == "*"
        || condition
            .split(',')
            .map(str::trim)
            .any(|candidate| candidate.strip_prefix("W/").unwrap_or(candidate) == tag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{is_tag, names};

    #[test]
    fn a_list_a_weak_tag_and_a_star_name_it() {
        for condition in [
            r#""a""#,
            r#"W/"a""#,
            r#""b", "a""#,
            r#""b",W/"a" "#,
            "*",
            " * ",
        ] {
            assert!(names(condition, r#""a""#), "{condition}");
        }
    }

    #[test]
    fn other_conditions_do_not() {
        for condition in ["", "a", r#""A""#, r#""b""#, r#""a"#, r#""ab""#, "W/*"] {
            assert!(!names(condition, r#""a""#), "{condition}");
        }
    }

    /// A tag, strong or weak, with the spaces that a list may have.
    fn tags() -> impl Strategy<Value = Vec<(String, bool)>> {
        prop::collection::vec(("[!#-+\\--~]{0,12}", any::<bool>()), 0..6)
    }

    fn list(tags: &[(String, bool)]) -> String {
        let weak = |weak: bool| if weak { "W/" } else { "" };
        let written = tags
            .iter()
            .map(|(tag, is_weak)| format!("{}\"{tag}\"", weak(*is_weak)));
        written.collect::<Vec<_>>().join(" , ")
    }

    proptest! {
        #[test]
        fn a_list_names_exactly_the_tags_that_are_in_it(tags in tags(), own in "[!#-+\\--~]{0,12}") {
            let own_tag = format!("\"{own}\"");
            let is_in = tags.iter().any(|(tag, _)| *tag == own);
            prop_assert_eq!(names(&list(&tags), &own_tag), is_in);
            let more = [tags, vec![(own, true)]].concat();
            prop_assert!(names(&list(&more), &own_tag));
        }

        #[test]
        fn if_range_is_met_by_the_very_tag_alone(own in "[!#-+\\--~]{0,12}", other in ".{0,20}") {
            let tag = format!("\"{own}\"");
            let (spaced, weak) = (format!(" {tag} "), format!("W/{tag}"));
            prop_assert!(is_tag(&spaced, &tag));
            prop_assert!(!is_tag(&weak, &tag));
            prop_assert_eq!(is_tag(&other, &tag), other.trim() == tag);
        }

        #[test]
        fn no_header_makes_it_fail(condition in ".{0,80}", tag in ".{0,20}") {
            let _ = names(&condition, &tag);
            let _ = is_tag(&condition, &tag);
        }
    }
}
