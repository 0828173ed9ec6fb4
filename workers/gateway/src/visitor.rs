//! Who reads an answer of the gateway itself: a person with a browser or a program, and in which
//! language (RFC 9110, sections 12.5.1 and 12.5.4).

/// The languages of the gateway's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Japanese,
}

impl Language {
    /// The one that the visitor prefers; English when neither is named.
    pub fn of(accept_language: Option<&str>) -> Self {
        let header = accept_language.unwrap_or("");
        let wanted = |tag: &str| {
            weights(header)
                .filter(|(range, _)| matches(range, tag))
                .map(|(_, weight)| weight)
                .max()
        };
        let any = weights(header)
            .find(|(range, _)| *range == "*")
            .map(|(_, weight)| weight);
        let weight = |tag| wanted(tag).or(any).unwrap_or(0);
        let (english, japanese) = (weight("en"), weight("ja"));
        let first = || {
            let named =
                weights(header).find(|(range, _)| matches(range, "ja") || matches(range, "en"));
            named.is_some_and(|(range, _)| matches(range, "ja"))
        };
        match japanese.cmp(&english) {
            std::cmp::Ordering::Greater => Self::Japanese,
            std::cmp::Ordering::Equal if japanese > 0 && first() => Self::Japanese,
            _ => Self::English,
        }
    }

    /// As `lang` and `Content-Language` have it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }
}

/// Whether a language range names this language, in whatever region or script.
fn matches(range: &str, language: &str) -> bool {
    let primary = range.split('-').next().unwrap_or(range);
    primary.eq_ignore_ascii_case(language)
}

/// Whether the visitor reads HTML rather than a problem in JSON: only who names HTML does, and not
/// who likes JSON more.
pub fn reads_html(accept: Option<&str>) -> bool {
    let header = accept.unwrap_or("");
    let weight = |wanted: &[&str]| {
        let named = weights(header)
            .filter(|(range, _)| wanted.iter().any(|name| range.eq_ignore_ascii_case(name)));
        named.map(|(_, weight)| weight).max().unwrap_or(0)
    };
    let html = weight(&["text/html", "application/xhtml+xml"]);
    html > 0 && html >= weight(&["application/json", "application/problem+json"])
}

/// The items of such a header with their weights in thousandths; one that is malformed weighs
/// nothing.
fn weights(header: &str) -> impl Iterator<Item = (&str, u32)> {
    header.split(',').map(|item| {
        let mut parts = item.split(';');
        let range = parts.next().unwrap_or("").trim();
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then(|| thousandths(value.trim()))
        });
        (range, weight.unwrap_or(1000))
    })
}

/// `0.8` is 800.
fn thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match (whole, digits) {
        ("0", true) => format!("{fraction:0<3}").parse().unwrap_or(0),
        ("1", true) if fraction.bytes().all(|byte| byte == b'0') => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_preferred_language_is_taken() {
        for (header, language) in [
            (None, Language::English),
            (Some(""), Language::English),
            (Some("ja"), Language::Japanese),
            (Some("ja-JP,ja;q=0.9,en;q=0.8"), Language::Japanese),
            (Some("en-US,en;q=0.9,ja;q=0.8"), Language::English),
            (Some("en;q=0.5, ja;q=0.7"), Language::Japanese),
            (Some("fr, ja;q=0.1"), Language::Japanese),
            (Some("fr"), Language::English),
            (Some("*"), Language::English),
            (Some("ja;q=0"), Language::English),
            (Some("ja;q=0, *"), Language::English),
            (Some("en;q=0, *"), Language::Japanese),
            (Some("ja, en"), Language::Japanese),
            (Some("en, ja"), Language::English),
            (Some("JA-jp"), Language::Japanese),
            (Some("jam"), Language::English),
            (Some("ja;q=2, en;q=0.1"), Language::English),
            (Some("ja;q=x, en;q=0.1"), Language::English),
        ] {
            assert_eq!(Language::of(header), language, "{header:?}");
        }
    }

    #[test]
    fn a_browser_reads_html_and_a_program_does_not() {
        for (accept, html) in [
            (
                Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
                true,
            ),
            (Some("text/html"), true),
            (Some("Text/HTML;q=0.5"), true),
            (Some("*/*"), false),
            (Some("application/json"), false),
            (Some("application/json, text/html;q=0.5"), false),
            (Some("application/json;q=0.5, text/html"), true),
            (Some("text/html;q=0"), false),
            (Some("text/*"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(reads_html(accept), html, "{accept:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in "\\PC{0,60}") {
            let _ = (Language::of(Some(&header)), reads_html(Some(&header)));
        }
    }
}
