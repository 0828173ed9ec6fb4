//! What real servers of several versions sent (`fixtures/ping/servers`), read to the end.

use std::{fs, path::PathBuf};

use crate::{
    clean::ServerStatus,
    exchange::{Exchange, Progress},
    handshake::{Handshake, PROTOCOL},
    legacy_ping,
};

fn captured(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ping/servers");
    fs::read(folder.join(name)).unwrap()
}

/// The status in what a server sent, fed in pieces of this size.
fn status(bytes: &[u8], piece: usize) -> ServerStatus {
    let handshake = Handshake::new(PROTOCOL, "mc.krz-tech.net", 25565).unwrap();
    let (mut exchange, _) = Exchange::start(&handshake);
    let json = bytes
        .chunks(piece)
        .find_map(|piece| match exchange.feed(piece).unwrap() {
            Progress::Status(json) => Some(json),
            _ => None,
        });
    ServerStatus::from_json(&json.unwrap()).unwrap()
}

#[test]
fn every_version_answers_a_handshake_of_today() {
    for (version, protocol) in [
        ("1.7", 5),
        ("1.8.8", 47),
        ("1.12.2", 340),
        ("1.16.5", 754),
        ("1.18.2", 758),
        ("1.20.4", 765),
        ("1.21.11", 774),
        ("26.1", 775),
    ] {
        let bytes = captured(&format!("minecraft-protocol-{version}.bin"));
        let seen = status(&bytes, usize::MAX);
        assert_eq!(seen, status(&bytes, 1));
        assert_eq!(seen.motd.to_plain(), format!("genkan on {version}"));
        assert_eq!((seen.players.online, seen.players.max), (Some(0), Some(20)));
        assert_eq!(seen.version.unwrap().protocol, Some(protocol), "{version}");
    }
}

#[test]
fn flying_squid_puts_codes_into_a_component() {
    let seen = status(&captured("flying-squid-1.16.5.bin"), 7);
    assert_eq!(seen.motd.to_plain(), "genkan on\nflying-squid");
    assert_eq!(seen.motd.runs().len(), 3);
    assert_eq!(seen.players.max, Some(10));
}

#[test]
fn a_server_answers_the_pings_of_old_times() {
    for (name, version) in [
        ("legacy-1.4.bin", Some("1.7.10")),
        ("legacy-beta.bin", None),
    ] {
        let bytes = captured(name);
        for end in 0..bytes.len() {
            assert_eq!(legacy_ping::reply(&bytes[..end]), Ok(None));
        }
        let seen = legacy_ping::reply(&bytes).unwrap().unwrap();
        assert_eq!(seen.motd.to_plain(), "genkan on 1.7");
        assert_eq!((seen.players.online, seen.players.max), (Some(0), Some(20)));
        let name = seen.version.map(|version| version.name.to_plain());
        assert_eq!(name.as_deref(), version);
    }
}
