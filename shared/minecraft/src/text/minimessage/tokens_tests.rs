//! Borders of tags and arguments.

use proptest::prelude::*;

use super::*;

fn tag(raw: &str) -> (String, Vec<String>, Kind) {
    let tag = Tag::parse(raw).unwrap();
    (tag.name, tag.arguments, tag.kind)
}

#[test]
fn arguments_are_parted_by_colons_outside_quotes_and_urls() {
    let table: [(&str, &str, &[&str], Kind); 11] = [
        ("<a>", "a", &[], Kind::Open),
        ("</A>", "a", &[], Kind::Close),
        ("<a/>", "a", &[], Kind::OpenAndClose),
        ("<!a:b:C>", "!a", &["b", "C"], Kind::Open),
        ("<a::b:>", "a", &["", "b", ""], Kind::Open),
        ("<a:https://x:y>", "a", &["https://x", "y"], Kind::Open),
        ("<a:'b:\"c>':d>", "a", &["b:\"c>", "d"], Kind::Open),
        (r#"<a:"b\"\\\c">"#, "a", &[r#"b"\\c"#], Kind::Open),
        (r"<a:b\\'c>", "a", &[r"b\\'c"], Kind::Open),
        ("<a:'>", "a", &["'"], Kind::Open),
        ("<a:''>", "a", &[""], Kind::Open),
    ];
    for (raw, name, arguments, kind) in table {
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        assert_eq!(
            tag(raw),
            (name.to_owned(), arguments.collect(), kind),
            "{raw}"
        );
    }
}

#[test]
fn not_everything_in_brackets_has_a_name() {
    for raw in [
        "</>",
        "<:a>",
        "< a>",
        "<3 >",
        "<a b>",
        "<玄>",
        "<a!>",
        "<script src=x>",
    ] {
        assert_eq!(Tag::parse(raw), None, "{raw}");
    }
}

#[test]
fn a_search_for_the_end_of_a_tag_is_not_repeated() {
    for pattern in ["<'", "<\"'", "<'\"", "'<", "<a\\'", "<'\\''"] {
        let input = pattern.repeat(500_000);
        assert!(Tokens::new(&input).all(|(_, token)| matches!(token, Token::Text(_))));
    }
}

proptest! {
    #[test]
    fn tokens_are_the_string(input in r#"[<>/:'"\\a玄 ]{0,40}"#) {
        let mut joined = String::new();
        for (at, token) in Tokens::new(&input) {
            let (Token::Text(text) | Token::Tag(text)) = token;
            prop_assert_eq!(at, joined.len());
            prop_assert!(!text.is_empty());
            joined.push_str(text);
            if let Token::Tag(tag) = token {
                let _ = Tag::parse(tag);
            }
        }
        prop_assert_eq!(joined, input);
    }
}
