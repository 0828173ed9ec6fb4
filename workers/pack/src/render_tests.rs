use proptest::prelude::*;
use serde_json::json;
use types::{
    Channel, PackName, Sha1, Timestamp,
    pack::{Formats, Versions},
};

use super::*;

const SHA1: &str = "3f786850e387550fdab836ed7e6dc881de23001b";
const UUID: &str = "5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11";

fn record(prompt: Option<Value>) -> Record {
    let sha1: Sha1 = SHA1.parse().unwrap();
    Record {
        pack: PackName::main(),
        channel: Channel::stable(),
        release: 7,
        sha1,
        url: format!("https://rp.example.com:8443/packs/{sha1}.zip"),
        uuid: UUID.parse().unwrap(),
        size: 1_048_576,
        formats: Formats {
            min: "34".to_owned(),
            max: "64".to_owned(),
        },
        minecraft: Some(Versions {
            min: "1.21".to_owned(),
            max: "1.21.8".to_owned(),
        }),
        required: false,
        prompt,
        published_at: Some(Timestamp::from_seconds(1_795_255_200)),
    }
}

fn body(record: &Record, format: &str) -> String {
    render(record, format.parse().unwrap()).unwrap().body
}

/// Texts that have broken one format or another.
const HOSTILE: [&str; 14] = [
    "\"double\" 'single' `back`",
    "'''triple''' \"\"\"triple\"\"\"",
    "back\\slash \\u0041 \\\\u0041 \\n end\\",
    "two\nlines\r\nand\ttab",
    "key: value # comment",
    "# comment ! comment = : ",
    "  leading and trailing  ",
    "emoji 😀 and ŭnicode 日本語",
    "\u{0}\u{1}\u{7}\u{8}\u{c}\u{1b}\u{7f}\u{80}\u{85}\u{9f}",
    "\u{2028}\u{2029}\u{feff}\u{fffe}",
    "<red>tag</red> <click:run_command:'/op me'>x",
    "${HOME} $(id) %PATH% `id`",
    "--- \n...\n- [a]: {b}",
    "",
];

#[test]
fn a_format_is_known_by_its_name_and_an_unknown_one_is_told_which_there_are() {
    for format in Format::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    let error = "yaml".parse::<Format>().unwrap_err().to_string();
    assert_eq!(
        error,
        "\"yaml\" is none of json, text, properties, env, resourcepacksplugins, forcepack"
    );
    assert!("JSON".parse::<Format>().is_err());
    let long = "x".repeat(5000).parse::<Format>().unwrap_err().to_string();
    assert!(long.len() < 200);
}

#[test]
fn every_format_is_pinned_byte_for_byte() {
    let mut record = record(Some(json!({"text": "Übersee: #1", "color": "#ff0000"})));
    record.required = true;
    let url = &record.url;
    let json = serde_json::to_string(&record).unwrap();
    for (format, content_type, expected) in [
        (Format::Json, "application/json", json),
        (
            Format::Text,
            "text/plain; charset=utf-8",
            format!("{SHA1}\n{url}\n{UUID}\n"),
        ),
        (
            Format::Properties,
            "text/plain; charset=utf-8",
            format!(
                "resource-pack=https\\://rp.example.com\\:8443/packs/{SHA1}.zip\nresource-pack-sha1={SHA1}\n\
                 resource-pack-id={UUID}\nrequire-resource-pack=true\n\
                 resource-pack-prompt={{\"color\"\\:\"\\#ff0000\",\"text\"\\:\"\\u00dcbersee\\: \\#1\"}}\n"
            ),
        ),
        (
            Format::Env,
            "text/plain; charset=utf-8",
            format!(
                "RESOURCE_PACK={url}\nRESOURCE_PACK_SHA1={SHA1}\nRESOURCE_PACK_ID={UUID}\nRESOURCE_PACK_ENFORCE=TRUE\n\
                 RESOURCE_PACK_PROMPT={{\"color\":\"\\u0023ff0000\",\"text\":\"Übersee: \\u00231\"}}\n"
            ),
        ),
        (
            Format::ResourcepacksPlugins,
            "application/yaml",
            format!(
                "packs:\n  \"main\":\n    url: \"{url}\"\n    hash: \"{SHA1}\"\n    uuid: \"{UUID}\"\n    format: 34\n"
            ),
        ),
        (
            Format::ForcePack,
            "application/toml",
            format!(
                "[global-pack]\nenable = true\nurl = \"{url}\"\nhash = \"{SHA1}\"\ngenerate-hash = false\nexclude = []\n\n\
                 [global-pack.resourcepack]\nprompt = \"<#ff0000>Übersee: #1</#ff0000>\"\n\n\
                 [global-pack.actions.DECLINED]\nkick = true\nmessage = \"This server needs its resource pack.\"\n\n\
                 [global-pack.actions.FAILED_DOWNLOAD]\nkick = true\n\
                 message = \"The resource pack could not be downloaded. Please join again.\"\n\n\
                 [global-pack.actions.FAILED_RELOAD]\nkick = true\n\
                 message = \"The resource pack could not be loaded. Please join again.\"\n"
            ),
        ),
    ] {
        let rendered = render(&record, format).unwrap();
        assert_eq!(
            (rendered.content_type, rendered.body),
            (content_type, expected),
            "{format:?}"
        );
    }
}

#[test]
fn without_a_prompt_the_variable_and_the_property_are_there_and_empty() {
    let record = record(None);
    assert!(body(&record, "properties").ends_with("\nresource-pack-prompt=\n"));
    let env = body(&record, "env");
    assert!(
        env.ends_with("\nRESOURCE_PACK_ENFORCE=FALSE\nRESOURCE_PACK_PROMPT=\n"),
        "{env}"
    );
    let toml: toml::Table = body(&record, "forcepack").parse().unwrap();
    let global = toml["global-pack"].as_table().unwrap();
    assert!(global["resourcepack"].as_table().unwrap().is_empty());
    let declined = global["actions"]["DECLINED"].as_table().unwrap();
    assert_eq!(declined["kick"].as_bool(), Some(false));
    assert!(!declined.contains_key("message"));
}

#[test]
fn a_format_with_a_minor_number_stays_a_text() {
    let mut record = record(None);
    record.formats.min = "75.10".to_owned();
    let yaml = body(&record, "resourcepacksplugins");
    assert!(yaml.ends_with("\n    format: \"75.10\"\n"), "{yaml}");
}

/// Reads one line as `java.util.Properties.load` does: comments, separators and escapes.
fn property_of(line: &str) -> (String, String) {
    let mut units: Vec<u16> = Vec::new();
    let mut key = None;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next().unwrap() {
                'u' => {
                    let hex: String = rest.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&hex, 16).unwrap());
                }
                escaped => {
                    let meant = match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'f' => '\u{c}',
                        other => other,
                    };
                    units.extend(meant.encode_utf16(&mut [0; 2]).iter());
                }
            },
            '=' | ':' if key.is_none() => {
                key = Some(String::from_utf16(&units).unwrap());
                units.clear();
                rest = rest
                    .as_str()
                    .trim_start_matches([' ', '\t', '\u{c}'])
                    .chars();
            }
            other => units.extend(other.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    (key.unwrap(), String::from_utf16(&units).unwrap())
}

fn read_back(prompt: &str) {
    let component = json!({ "text": prompt });
    let record = record(Some(component.clone()));

    let properties = body(&record, "properties");
    assert!(
        properties
            .bytes()
            .all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
    );
    let last = property_of(properties.lines().last().unwrap());
    assert_eq!(properties.lines().count(), 5);
    assert_eq!(last.0, "resource-pack-prompt");
    assert_eq!(serde_json::from_str::<Value>(&last.1).unwrap(), component);

    let env = body(&record, "env");
    assert_eq!(env.lines().count(), 5, "{env:?}");
    let value = env.lines().last().unwrap();
    let value = value.strip_prefix("RESOURCE_PACK_PROMPT=").unwrap();
    assert!(!value.contains('#') && !value.chars().any(breaks));
    assert_eq!(serde_json::from_str::<Value>(value).unwrap(), component);
    let through = the_image_reads(value);
    // The image leaves control characters bare in what it makes of their escapes.
    if !prompt.contains(|character: char| character.is_control()) {
        assert_eq!(serde_json::from_str::<Value>(&through).unwrap(), component);
    }

    let toml: toml::Table = body(&record, "forcepack").parse().unwrap();
    let read = &toml["global-pack"]["resourcepack"]["prompt"];
    let (text, errors) = Text::from_minimessage(read.as_str().unwrap(), &|_| None);
    assert_eq!((text, errors), (Text::from_component(&component), vec![]));
    assert_eq!(body(&record, "text").lines().count(), 3);
}

/// What itzg/docker-minecraft-server makes of a variable before it goes into `server.properties`.
fn the_image_reads(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("\\u") {
        let unit = after
            .get(..4)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        out.push_str(before);
        if let Some(unit) = unit {
            // These two it would take for a reference to a group, and fail.
            assert!(unit != u32::from('$') && unit != u32::from('\\'));
            out.push(char::from_u32(unit).unwrap());
            rest = &after[4..];
        } else {
            out.push_str("\\u");
            rest = after;
        }
    }
    out + rest
}

#[test]
fn hostile_prompts_are_read_back_from_every_format() {
    for prompt in HOSTILE {
        read_back(prompt);
    }
}

proptest! {
    #[test]
    fn any_prompt_is_read_back(prompt in any::<String>(), escapes in "[\\\\u0-9a-f#%$\" ]{0,30}") {
        read_back(&prompt);
        read_back(&escapes);
    }

    #[test]
    fn a_quoted_text_is_one_line_that_toml_reads_back(text in any::<String>()) {
        let line = quoted(&text);
        prop_assert_eq!(line.lines().count(), 1);
        let table: toml::Table = format!("key = {line}").parse().unwrap();
        prop_assert_eq!(table["key"].as_str(), Some(text.as_str()));
    }
}
