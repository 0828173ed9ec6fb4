//! MiniMessage by table, by size and at random.

use proptest::prelude::*;

use super::*;
use crate::text::testing;

fn lookup(name: &str) -> Option<String> {
    match name {
        "online" => Some("12".to_owned()),
        "name" => Some("<red>\\<b> §cx".to_owned()),
        "long" => Some("玄".repeat(MAX_MINIMESSAGE)),
        _ => None,
    }
}

fn read(input: &str) -> (String, Vec<(usize, String)>) {
    let (text, errors) = Text::from_minimessage(input, &lookup);
    let errors = errors.into_iter().map(|error| (error.at, error.message));
    (text.to_legacy(), errors.collect())
}

fn legacy(input: &str) -> String {
    let (text, errors) = read(input);
    assert_eq!(errors, [], "{input}");
    text
}

#[test]
fn tags_style_what_is_between_them() {
    let table = [
        ("plain > text", "plain > text"),
        ("<yellow>Hello <blue>World<yellow>!", "§eHello §9World§e!"),
        ("<yellow>Hello <blue>World</blue>!", "§eHello §9World§e!"),
        ("<YELLOW>a</Yellow>b", "§ea§rb"),
        (
            "<color:red>a<c:#FF0000>b</c><colour:grey>c",
            "§ca§x§f§f§0§0§0§0b§7c",
        ),
        ("<#b23a48>a</#b23a48>b", "§x§b§2§3§a§4§8a§rb"),
        ("<dark_grey>a<grey>b", "§8a§7b"),
        ("<b>a</b><bold>b</bold>", "§lab"),
        ("<i>a<em>b<italic>c", "§oabc"),
        ("<u>a</u><underlined>b", "§nab"),
        ("<st>a</st><strikethrough>b", "§mab"),
        ("<obf>a</obf><obfuscated>b", "§kab"),
        ("<bold>a<!bold>b</!bold>c", "§la§rb§lc"),
        ("<b><bold:false>a</bold><b:off>b</b><b:true>c", "ab§lc"),
        ("<red><bold>a</red>b", "§c§la§rb"),
        ("<red><b>a<reset>b</reset>", "§c§la§rb"),
        ("a<newline>b<br>c<newline/>d\ne", "a\nb\nc\nd\ne"),
        ("<color:red>a<color:blue>b</color:red>c", "§ca§9b§rc"),
        ("<color:red>a<color:blue>b</color>c", "§ca§9b§cc"),
        ("<red/>a<b/>b", "ab"),
        ("<red></red>", ""),
    ];
    for (input, expected) in table {
        assert_eq!(legacy(input), expected, "{input}");
    }
}

#[test]
fn events_and_fonts_are_dropped_and_their_content_stays() {
    let table = [
        ("<click:open_url:https://example.com>a</click>b", "ab"),
        ("<click:run_command:'/say \"<red>:>\"'>a", "a"),
        (
            "<hover:show_text:'<red>it\\'s > \\\\ here: \"x\"'><blue>a</hover>b",
            "§9a§rb",
        ),
        ("<insertion:x>a</insertion>", "a"),
        ("<font:uniform>a</font><font:my:font>b", "ab"),
        ("<shadow:#ff0000ff:0.5>a</shadow><!shadow>b", "ab"),
        ("<key:key.jump>a</key>", "key.jumpa"),
        ("<gold><lang:block.stone>!", "§6block.stone!"),
        ("<lang_or:k:'%s and %s':'<red>a':b>", "a and b"),
        ("<tr:k:'<lang:j:\"<b>a\">'>", "k j a"),
        (
            "<selector:@p>a<score:*:kills>b<nbt:block:'0 0 0':Name>c",
            "@pabc",
        ),
    ];
    for (input, expected) in table {
        assert_eq!(legacy(input), expected, "{input}");
    }
}

#[test]
fn escapes_make_text_of_tags() {
    let table = [
        (r"\<red>a", "<red>a"),
        (r"\\<red>a", r"\§ca"),
        (r"\\\<red>", r"\<red>"),
        (r"a\b\", r"a\b\"),
        (r"<red\<b>", "<red<b>"),
        ("1 < 2 <red>a", "1 < 2 §ca"),
        ("I <3 you > him", "I <3 you > him"),
        ("<><red>a", "<>§ca"),
        ("<", "<"),
        ("<red", "<red"),
        ("<red 'a <b>'", "<red 'a §l'"),
        ("it's <red>, isn't it?", "it's §c, isn't it?"),
    ];
    for (input, expected) in table {
        assert_eq!(legacy(input), expected, "{input}");
    }
}

#[test]
fn placeholders_are_text_and_come_after_the_tags() {
    assert_eq!(legacy("<gold><online>/<ONLINE:x>/<online/>"), "§612/12/12");
    assert_eq!(legacy("<name>"), r"<red>\<b> cx");
    let red = |_: &str| Some("never".to_owned());
    let (text, _) = Text::from_minimessage("<red>a<br>", &red);
    assert_eq!(text.to_plain(), "a\n");
}

#[test]
fn what_is_no_tag_stays_and_is_told() {
    let table = [
        (
            "玄関 <foo>a</foo>",
            vec![(3, "unknown tag <foo>"), (9, "</foo> closes no tag")],
        ),
        ("a</bold>", vec![(1, "</bold> closes no tag")]),
        ("</b>", vec![(0, "</b> closes no tag")]),
        ("</color:red>", vec![(0, "</color> closes no tag")]),
        ("<color>", vec![(0, "<color> needs 1 argument")]),
        ("<click:x>", vec![(0, "<click> needs 2 arguments")]),
        (
            "<color:nope>",
            vec![(0, "<color> needs colours by name or as #rrggbb")],
        ),
        ("<#fff>", vec![(0, "unknown tag <#fff>")]),
        (
            "<gradient:red>",
            vec![(0, "<gradient> needs at least two colours")],
        ),
        (
            "<gradient:red:blue:2>",
            vec![(0, "<gradient> needs a phase from -1 to 1")],
        ),
        (
            "<gradient:red:blue:-1e300>",
            vec![(0, "<gradient> needs a phase from -1 to 1")],
        ),
        (
            "<rainbow:x>",
            vec![(
                0,
                "<rainbow> needs a whole number as its phase, maybe after a !",
            )],
        ),
    ];
    for (input, expected) in table {
        let (text, errors) = read(input);
        assert_eq!(text, input);
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(at, message)| (at, message.to_owned()))
            .collect();
        assert_eq!(errors, expected, "{input}");
    }
    assert_eq!(read("<b>a</bold>").0, "§la</bold>");
}

#[test]
fn legacy_codes_are_left_out_and_told() {
    let (text, errors) = read("a §6b§l§?<x§c>");
    assert_eq!(text, "a b?<x>");
    let places: Vec<_> = errors.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [2, 5, 7, 11]);
}

#[test]
fn gradients_colour_every_character() {
    let table = [
        (
            "<gradient>abc",
            "§x§f§f§f§f§f§fa§x§8§0§8§0§8§0b§x§0§0§0§0§0§0c",
        ),
        (
            "<gradient:#000000:#00000a:#000014>abcde</gradient>f",
            "§x§0§0§0§0§0§0a§x§0§0§0§0§0§5b§x§0§0§0§0§0§ac§x§0§0§0§0§0§fd§x§0§0§0§0§1§4e§rf",
        ),
        // a colour within wins, and the gradient goes on behind it where it would be
        (
            "<gradient:#000000:#000004>a<red>bc</red><b>d</b><online/>",
            "§x§0§0§0§0§0§0a§cbc§x§0§0§0§0§0§2§ld§x§0§0§0§0§0§31§x§0§0§0§0§0§42",
        ),
        // and so does a gradient within
        (
            "<gradient:#000000:#000004>a<gradient:#100000:#200000>bcd</gradient>e",
            "§x§0§0§0§0§0§0a§x§1§0§0§0§0§0b§x§1§8§0§0§0§0c§x§2§0§0§0§0§0d§x§0§0§0§0§0§4e",
        ),
        ("<gradient:RED:Blue>a", "§x§f§f§5§5§5§5a"),
        ("<gradient:red:blue></gradient>", ""),
        (
            "<rainbow>abc",
            "§x§f§f§0§0§0§0a§x§0§0§f§f§0§0b§x§0§0§0§0§f§fc",
        ),
        (
            "<rainbow:!>abc",
            "§x§0§0§0§0§f§fa§x§0§0§f§f§0§0b§x§f§f§0§0§0§0c",
        ),
        ("<rainbow:5>a<reset>b", "§x§0§0§f§f§f§fa§rb"),
        ("<transition:#000000:#00000a:.5>ab", "§x§0§0§0§0§0§5ab"),
        ("<transition:#000000:#00000a:-.2>ab", "§x§0§0§0§0§0§2ab"),
        ("<transition:#000000:#00000a:1>ab", "§x§0§0§0§0§0§aab"),
        ("<transition:#000000:#00000a:0.5>ab", "§x§0§0§0§0§0§5ab"),
        ("<transition:#000000:#00000a:-0.2>ab", "§x§0§0§0§0§0§2ab"),
    ];
    for (input, expected) in table {
        assert_eq!(legacy(input), expected, "{input}");
    }
}

#[test]
fn what_is_too_long_is_cut_and_told() {
    let (text, errors) = Text::from_minimessage(&"玄".repeat(MAX_MINIMESSAGE), &lookup);
    assert_eq!(text.to_plain().len(), MAX_MINIMESSAGE / 3 * 3);
    assert_eq!(errors[0].at, MAX_MINIMESSAGE / 3);
    let (text, errors) = Text::from_minimessage("a<rainbow><long><long>b", &lookup);
    assert_eq!(text.to_plain().len(), 1 + (MAX_MINIMESSAGE - 1) / 3 * 3);
    assert_eq!(errors.len(), 1);
    let (_, errors) = Text::from_minimessage(&"<x>".repeat(MAX_MINIMESSAGE / 3), &lookup);
    assert_eq!(errors.len(), MAX_MINIMESSAGE_ERRORS);
}

#[test]
fn hostile_strings_take_no_time() {
    let patterns = [
        "<",
        "<'",
        "<\"'",
        "<a:'",
        "<b>",
        "</b>",
        "\\",
        "<gradient>",
        "<c:red>",
        "<<>",
        "'\"<",
        "<lang:a:'",
        "<#ff0000>a",
        "<rainbow>x",
        "§",
        "\u{0}<b>\u{0}",
    ];
    for pattern in patterns {
        for suffix in ["", "</b>", "'", "\">", "</c:blue></x>"] {
            let input = format!("{}{}", pattern.repeat(100_000), suffix);
            let _ = Text::from_minimessage(&input, &lookup);
        }
    }
    for (open, close) in [("<b>", "</i>"), ("<c:red>", "</c:b>"), ("<c:red>", "</c>")] {
        let half = MAX_MINIMESSAGE / 2;
        let open = open.repeat(half / open.len());
        let close = close.repeat(half / close.len());
        let _ = Text::from_minimessage(&(open + &close), &lookup);
    }
}

#[test]
fn what_is_written_is_short_and_closed() {
    let table = [
        ("", ""),
        (
            "§6§lgenkan§r\n§7a warm §oentrance",
            "<gold><bold>genkan</bold></gold><newline><gray>a warm <italic>entrance</italic></gray>",
        ),
        ("§ca<b>\\", r"<red>a\<b>\\</red>"),
        ("§x§b§2§3§a§4§8hex", "<#b23a48>hex</#b23a48>"),
        (
            "§c§la§9§lb§6§lc§od",
            "<bold><red>a</red><blue>b</blue><gold>c<italic>d</italic></gold></bold>",
        ),
        ("§6a§lb§6c", "<gold>a<bold>b</bold>c</gold>"),
    ];
    for (legacy, expected) in table {
        assert_eq!(Text::from_legacy(legacy).to_minimessage(), expected);
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(text in testing::text()) {
        let (read, errors) = Text::from_minimessage(&text.to_minimessage(), &|_| None);
        prop_assert_eq!(read, text);
        prop_assert_eq!(errors, []);
    }

    #[test]
    fn any_string_is_some_text(input in r#"(<[/!]?(b|red|c:blue|gradient|rainbow:!2|hover:a|online|x|reset|br)/?>|[<>'":/\\§#!a-c玄]|.){0,20}"#) {
        let (text, errors) = Text::from_minimessage(&input, &lookup);
        prop_assert!(!text.to_plain().contains('§'));
        prop_assert!(errors.is_sorted_by_key(|error| error.at));
        prop_assert!(errors.iter().all(|error| error.at <= input.chars().count()));
        let (again, _) = Text::from_minimessage(&text.to_minimessage(), &|_| None);
        prop_assert_eq!(again, text);
    }

    #[test]
    fn tags_change_no_character(words in prop::collection::vec((tag(), "[a-z玄 ]{0,5}"), 0..6)) {
        let input: String = words.iter().flat_map(|(tag, word)| [*tag, word]).collect();
        let plain: String = words.iter().map(|(_, word)| word.as_str()).collect();
        prop_assert_eq!(Text::from_minimessage(&input, &|_| None).0.to_plain(), plain);
    }
}

fn tag() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "<red>",
        "<b>",
        "<gradient:red:blue>",
        "<rainbow>",
        "<hover:show_text:'x'>",
        "<reset>",
    ])
}
