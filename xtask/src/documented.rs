//! What the documentation shows can be pasted: each page's configuration is one that the build
//! takes, its JSON parses, and a shell can read its scripts.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use toml::Table;
use types::config::{Config as _, DdnsConfig, ProviderSecrets};
use types::token::Tokens;

use crate::config::{Overlay, check_vars};
use crate::project::Worker;

const PAGES: [&str; 6] = [
    "README.md",
    "README.ja.md",
    "docs/ddns.md",
    "docs/gateway.md",
    "docs/health.md",
    "docs/velocity.md",
];

fn page(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(name)).unwrap()
}

/// The texts of the fenced blocks in this language; within a list they are indented.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(opened) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let inside = lines.by_ref();
        let inside = inside.take_while(|line| line.trim() != "```");
        let text: String = inside.flat_map(|line| [line, "\n"]).collect();
        if opened == language {
            blocks.push(text);
        }
    }
    blocks
}

/// All that a page says in TOML, as one file.
fn configuration(name: &str) -> Table {
    let text = blocks(&page(name), "toml").join("\n");
    text.parse()
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn each_configuration_is_one_that_the_build_takes() {
    for (name, worker, keys) in [
        ("docs/ddns.md", Worker::Ddns, &["hosts"][..]),
        ("docs/health.md", Worker::Ddns, &["services", "alerts"]),
        ("docs/gateway.md", Worker::Gateway, &["routes"]),
    ] {
        let config = configuration(name);
        for key in keys {
            assert!(config["vars"][key].is_array(), "{name}: {key}");
        }
        let checked = check_vars(worker, &config, &[]);
        assert!(checked.is_ok(), "{name}: {checked:?}");
    }
}

#[test]
fn what_the_two_readmes_configure_is_the_same_and_good() {
    let both = ["README.md", "README.ja.md"].map(|name| blocks(&page(name), "toml"));
    for readme in &both {
        let [overlay, pack] = &readme[..] else {
            panic!("{} blocks", readme.len());
        };
        let overlay: Table = overlay.parse().unwrap();
        for worker in [Worker::Status, Worker::Ddns] {
            let vars = serde_json::to_value(&overlay[worker.name()]).unwrap();
            types::config::check(worker.name(), vars).unwrap();
        }
        assert!(Overlay::parse(overlay).is_ok());
        let pack: Table = pack.parse().unwrap();
        let environment = pack["env"]["production"].as_table().unwrap();
        check_vars(Worker::Pack, environment, &[]).unwrap();
    }
    let vars = |readme: &[String]| readme[0].parse::<Table>().unwrap();
    assert_eq!(vars(&both[0]), vars(&both[1]));
}

#[test]
fn the_accounts_are_those_that_the_hosts_name() {
    let vars = serde_json::to_value(&configuration("docs/ddns.md")["vars"]).unwrap();
    let [accounts, tokens, ..] = &blocks(&page("docs/ddns.md"), "json")[..] else {
        panic!("no secrets");
    };
    let accounts = ProviderSecrets::parse(Some(&accounts.replace('…', "x")));
    for host in DdnsConfig::parse(vars).unwrap().hosts {
        for provider in &host.providers {
            let found = accounts.get(provider);
            assert!(found.is_ok(), "{found:?}");
        }
    }
    for page in [
        tokens,
        &blocks(&page("README.md"), "json")[0],
        &blocks(&page("README.ja.md"), "json")[0],
    ] {
        let hashes = page.split(['<', '>']).enumerate();
        let filled: String = hashes
            .map(|(index, text)| match index % 2 {
                0 => text.to_owned(),
                _ => format!("{index:064x}"),
            })
            .collect();
        let tokens = Tokens::parse(&filled);
        assert!(tokens.is_ok(), "{tokens:?}");
    }
}

#[test]
fn secrets_and_answers_are_json() {
    let mut seen = 0;
    for name in PAGES {
        for block in blocks(&page(name), "json") {
            let json: Result<serde_json::Value, _> = serde_json::from_str(&block);
            assert!(json.is_ok(), "{name}: {json:?}\n{block}");
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn a_shell_can_read_every_script() {
    let _alone = crate::process::STARTING.lock().unwrap();
    for name in PAGES {
        for script in blocks(&page(name), "sh") {
            let mut shell = Command::new("sh")
                .arg("-n")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            shell
                .stdin
                .take()
                .unwrap()
                .write_all(script.as_bytes())
                .unwrap();
            assert!(shell.wait().unwrap().success(), "{name}:\n{script}");
        }
    }
}
