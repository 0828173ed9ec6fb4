use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn path(text: &str) -> JsonPath {
    JsonPath::try_from(text.to_owned()).unwrap()
}

#[test]
fn a_json_path_finds_one_place() {
    let document = json!({"a": {"b": [1, {"c d": true, "it's": 2}], "": 3}, "0": "zero", "x/y": {"~": 4}, "k-v": 5});
    for (text, found) in [
        ("$.a.b[0]", json!(1)),
        ("$['a']['b'][-1]['c d']", json!(true)),
        ("$[\"a\"].b[1]['it\\'s']", json!(2)),
        ("$['0']", json!("zero")),
        ("$.k-v", json!(5)),
        ("/a/b/0", json!(1)),
        ("/a/", json!(3)),
        ("/x~1y/~0", json!(4)),
        ("/0", json!("zero")),
        ("$", document.clone()),
    ] {
        assert_eq!(path(text).find(&document), Some(&found), "{text}");
    }
    for text in [
        "$.z",
        "$.a.b[2]",
        "$.a.b[-3]",
        "$.a[0]",
        "$[0]",
        "$.a.b.c",
        "/a/b/00",
        "/a/b/-",
        "/a/b/+1",
        "/z",
    ] {
        assert_eq!(path(text).find(&document), None, "{text}");
    }
}

#[test]
fn what_is_not_one_place_is_refused() {
    for bad in [
        "",
        "a",
        "$.",
        "$..a",
        "$.a[*]",
        "$.*",
        "$[0:1]",
        "$[?@.a]",
        "$['a'",
        "$['a\\n']",
        "$[01]",
        "$[-0]",
        "$[",
        "$[]",
        "$ .a",
        "$.a ",
        "$[1e3]",
        "$[+1]",
    ] {
        assert!(JsonPath::try_from(bad.to_owned()).is_err(), "{bad:?}");
    }
    assert!(JsonPath::try_from("$.a".repeat(200)).is_err());
}

#[test]
fn limits_compare_with_a_number() {
    let limit = |text: &str| text.parse::<Limit>();
    for (text, within, beyond) in [
        ("memory_percent < 80", 79.9, 80.0),
        ("memory_percent<=80", 80.0, 80.1),
        (" free.gb > 1.5 ", 2.0, 1.5),
        ("free >= -1", -1.0, -1.1),
        ("errors == 0", 0.0, 1.0),
        ("errors != 0", 1.0, 0.0),
    ] {
        let limit = limit(text).unwrap();
        assert!(limit.holds(within) && !limit.holds(beyond), "{text}");
        assert!(!limit.holds(f64::NAN), "{text}");
    }
    assert_eq!(limit("a<1").unwrap().to_string(), "a < 1");
    for bad in [
        "",
        "a",
        "a <",
        "< 1",
        "a = 1",
        "a << 1",
        "a < b",
        "a < inf",
        "a < NaN",
        "a b < 1",
        "a < 1 < 2",
        "a ! 1",
        "ä < 1",
    ] {
        assert!(limit(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn statuses_are_numbers_or_classes() {
    let pattern = |value: Value| serde_json::from_value::<StatusPattern>(value);
    assert_eq!(pattern(json!(301)).unwrap(), StatusPattern::Exactly(301));
    assert_eq!(pattern(json!("5XX")).unwrap(), StatusPattern::Class(5));
    for bad in [
        json!(99),
        json!(600),
        json!(-1),
        json!("0xx"),
        json!("2x"),
        json!("xx"),
        json!(2.5),
        json!(null),
        json!("+2xx x"),
    ] {
        assert!(pattern(bad.clone()).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn a_status_set_accepts_what_one_of_its_patterns_does(status in 100_u16..600, class in 1_u16..6, exact in 100_u16..600) {
        let patterns = [StatusPattern::Class(class), StatusPattern::Exactly(exact)];
        let accepted = patterns.iter().any(|pattern| pattern.matches(status));
        prop_assert_eq!(accepted, status / 100 == class || status == exact);
    }

    #[test]
    fn any_text_is_a_path_or_refused_and_never_more(text: String, dollar: bool) {
        let text = if dollar { format!("${text}") } else { text };
        if let Ok(path) = JsonPath::try_from(text.clone()) {
            prop_assert_eq!(path.as_str(), text);
            path.find(&json!({"a": [1, [2]]}));
        }
    }

    #[test]
    fn a_quoted_name_is_found_whatever_it_is(name: String) {
        let escaped = name.replace('\\', "\\\\").replace('\'', "\\'");
        let document = json!({name.clone(): {"x": 1}});
        let found = path(&format!("$['{escaped}'].x"));
        prop_assert_eq!(found.find(&document), Some(&json!(1)));
        let pointer = format!("/{}/x", name.replace('~', "~0").replace('/', "~1"));
        prop_assert_eq!(path(&pointer).find(&document), Some(&json!(1)));
    }

    #[test]
    fn a_limit_reads_back_as_written(metric in "[a-z_][a-z0-9_.]{0,20}", bound in -1e9..1e9_f64, value in -1e9..1e9_f64) {
        let limit: Limit = format!("{metric}<{bound}").parse().unwrap();
        prop_assert_eq!(limit.holds(value), value < bound);
        let again: Limit = limit.to_string().parse().unwrap();
        prop_assert_eq!(again, limit);
    }

    #[test]
    fn any_text_is_a_limit_or_refused(text: String) {
        let _ = text.parse::<Limit>();
    }
}
