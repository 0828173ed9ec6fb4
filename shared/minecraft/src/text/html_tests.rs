//! HTML byte by byte, and as a browser's parser reads it.

use proptest::prelude::*;
use scraper::{Html, Node};
use serde_json::json;

use crate::json;
use crate::text::{Decoration, Style, Text, shown, testing};

#[test]
fn every_style_is_a_fixed_property() {
    let table = [
        ("", ""),
        ("a\nb", "a<br>b"),
        (
            "§6§lgenkan§r §7home",
            r#"<span style="color:#ffaa00;font-weight:bold">genkan</span> <span style="color:#aaaaaa">home</span>"#,
        ),
        (
            "§x§b§2§3§a§4§8§k§l§m§n§oall",
            r#"<span class="obfuscated" style="color:#b23a48;font-weight:bold;font-style:italic;text-decoration:underline line-through">all</span>"#,
        ),
        ("§ka", r#"<span class="obfuscated">a</span>"#),
        (
            "§ma§r§nb",
            r#"<span style="text-decoration:line-through">a</span><span style="text-decoration:underline">b</span>"#,
        ),
    ];
    for (legacy, html) in table {
        assert_eq!(Text::from_legacy(legacy).to_html(), html, "{legacy}");
    }
}

#[test]
fn nothing_of_the_text_is_html() {
    let script = "<script>alert('1' & \"2\")</script>\0\r\u{1b}";
    let escaped = "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;";
    for component in [
        json!(script),
        json!({"text": script, "color": script, "font": script, "clickEvent": {"value": script}}),
        json!({"translate": script, "bold": script}),
        json!({"translate": "k", "fallback": "%s", "with": [{"text": script, "hoverEvent": script}]}),
        json!({"keybind": script, "shadow_color": script}),
        json!({"selector": script, "color": "#<b>ab\""}),
        json!({"score": {"name": "n", "objective": script, "value": script}}),
    ] {
        assert_eq!(
            Text::from_component(&component).to_html(),
            escaped,
            "{component}"
        );
    }
    let (text, _) = Text::from_minimessage(script, &|_| None);
    assert_eq!(text.to_html(), escaped);
    assert_eq!(Text::from_legacy(script).to_html(), escaped);
}

#[test]
fn bytes_that_are_no_text_are_shown_as_such() {
    let sent =
        b"{\"text\":\"\\ud800<\\u0000\xff\",\"extra\":[\"\\udc00>\",{\"text\":\"\\u0000\"}]}";
    let text = Text::from_component(&json::parse(sent).unwrap());
    assert_eq!(text.to_html(), "\u{fffd}&lt;\u{fffd}\u{fffd}&gt;");
    assert_eq!(text.to_ansi(), "\u{fffd}<\u{fffd}\u{fffd}>");
}

/// What a browser shows, and a sentence if there is anything in it that is not ours.
fn parsed(html: &str) -> Result<String, String> {
    let document = Html::parse_fragment(html);
    if !document.errors.is_empty() {
        return Err(format!("{:?}", document.errors));
    }
    let mut text = String::new();
    // below the root there is the <html> element that a fragment is parsed into
    for node in document.root_element().descendants().skip(1) {
        match node.value() {
            Node::Text(characters) => text.push_str(characters),
            Node::Element(element) => {
                match element.name() {
                    "br" => text.push('\n'),
                    "span" => {}
                    other => return Err(format!("<{other}>")),
                }
                for (name, value) in element.attrs() {
                    match name {
                        "class" if value == "obfuscated" => {}
                        "style" => value.split(';').try_for_each(property)?,
                        other => return Err(format!("{other}={value}")),
                    }
                }
            }
            other => return Err(format!("{other:?}")),
        }
    }
    Ok(text)
}

fn property(property: &str) -> Result<(), String> {
    let is_ours = match property.split_once(':') {
        Some(("color", value)) => value.strip_prefix('#').is_some_and(|hex| {
            hex.len() == 6 && hex.bytes().all(|digit| digit.is_ascii_hexdigit())
        }),
        Some(("font-weight", value)) => value == "bold",
        Some(("font-style", value)) => value == "italic",
        Some(("text-decoration", value)) => value
            .split(' ')
            .all(|line| line == "underline" || line == "line-through"),
        _ => false,
    };
    is_ours.then_some(()).ok_or_else(|| property.to_owned())
}

proptest! {
    #[test]
    fn html_holds_the_text_and_nothing_else(text in testing::text()) {
        let plain: String = shown(&text.to_plain()).collect();
        prop_assert_eq!(parsed(&text.to_html()), Ok(plain));
    }

    #[test]
    fn style_never_changes_what_html_says(runs in testing::runs()) {
        let bare: Vec<_> = runs.iter().map(|(text, _)| (text.clone(), Style::default())).collect();
        prop_assert_eq!(
            parsed(&testing::joined(&runs).to_html()),
            parsed(&testing::joined(&bare).to_html())
        );
    }
}

#[test]
fn the_check_of_the_properties_finds_what_is_not_ours() {
    for html in [
        "<b>a</b>",
        "<span id=a>a</span>",
        "<span style=\"color:red\">a</span>",
        "<!--a-->",
        "<span",
    ] {
        assert!(parsed(html).is_err(), "{html}");
    }
    let all = Decoration::ALL
        .into_iter()
        .fold(Style::default(), |style, decoration| {
            style.with(decoration, true)
        });
    let mut text = Text::default();
    text.push("a&b\n", all);
    assert_eq!(parsed(&text.to_html()), Ok("a&b\n".to_owned()));
}
