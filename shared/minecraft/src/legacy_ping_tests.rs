//! Legacy pings, byte for byte and by property.

use proptest::prelude::*;

use super::*;

/// A kick with this reason.
fn kick(reason: &str) -> Vec<u8> {
    let units: Vec<u16> = reason.encode_utf16().collect();
    let mut bytes = vec![KICK];
    write_string(&mut bytes, &units);
    bytes
}

/// The bytes that these digits stand for.
fn bytes(hex: &str) -> Vec<u8> {
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn read(reason: &str) -> Result<Option<ServerStatus>, LegacyError> {
    reply(&kick(reason))
}

#[test]
fn the_requests_are_those_of_the_specification() {
    assert_eq!(Dialect::Beta.request("localhost", 25565), [0xfe]);
    assert_eq!(
        Dialect::Release1_4.request("localhost", 25565),
        [0xfe, 0x01]
    );
    let expected = concat!(
        "fe01fa",
        "000b",
        "004d0043007c00500069006e00670048006f00730074", // MC|PingHost
        "0019", // what follows: 7 bytes and two for each character
        "4e",
        "0009",
        "006c006f00630061006c0068006f00730074", // protocol 78, localhost
        "000063dd",                             // 25565
    );
    let sent = Dialect::Release1_6.request("localhost", 25565);
    assert_eq!(sent, bytes(expected));
}

#[test]
fn a_host_of_any_length_makes_a_request_that_says_its_own_lengths() {
    let sent = Dialect::Release1_6.request(&"玄".repeat(70_000), 1);
    let rest = usize::from(u16::from_be_bytes([sent[27], sent[28]]));
    assert_eq!(sent.len(), 29 + rest);
    assert_eq!(rest, 7 + 2 * 255);
}

#[test]
fn the_answer_of_a_release_tells_its_version() {
    let status = read("§1\x00127\x001.21.4\x00§6A §lserver\x002\x00100")
        .unwrap()
        .unwrap();
    let version = status.version.unwrap();
    assert_eq!(version.name.to_plain(), "1.21.4");
    assert_eq!(version.protocol, Some(127));
    assert_eq!(status.motd.to_plain(), "A server");
    assert_eq!(status.motd.runs().len(), 2);
    assert_eq!(
        (status.players.online, status.players.max),
        (Some(2), Some(100))
    );
}

#[test]
fn the_answer_of_a_beta_is_its_motd_and_two_numbers() {
    for (reason, motd) in [
        ("A Minecraft Server§0§20", "A Minecraft Server"),
        ("§aGreen §server§0§20", "Green erver"),
        ("§0§20", ""),
    ] {
        let status = read(reason).unwrap().unwrap();
        assert_eq!(status.motd.to_plain(), motd);
        assert_eq!(
            (status.players.online, status.players.max),
            (Some(0), Some(20))
        );
        assert_eq!(status.version, None);
    }
}

#[test]
fn a_kick_for_people_is_no_status() {
    for reason in [
        "Protocol error",
        "",
        "Outdated client! Please use 1.21",
        "§cBanned§4 for good",
        "§1\x0078\x001.6.4\x00motd\x00few\x00many",
        "§1\x0078\x001.6.4\x00motd",
        "§1\0",
        "a§1§99999999999",
    ] {
        assert_eq!(read(reason), Err(LegacyError::NoStatus), "{reason}");
    }
}

#[test]
fn what_cannot_become_an_answer_is_known_at_once() {
    assert_eq!(reply(&[]), Ok(None));
    assert_eq!(reply(&[KICK]), Ok(None));
    assert_eq!(reply(&[KICK, 0x00]), Ok(None));
    assert_eq!(reply(&[0x00]), Err(LegacyError::NoKick(0)));
    assert_eq!(reply(b"HTTP/1.1"), Err(LegacyError::NoKick(b'H')));
    assert_eq!(
        reply(&[KICK, 0xff, 0xff]),
        Err(LegacyError::TooLong(0xffff))
    );
    assert_eq!(reply(&[KICK, 0x10, 0x00]), Ok(None));
}

#[test]
fn half_a_character_is_the_replacement_character() {
    let mut bytes = kick("§1\x0078\x001.6.4\x00x\x001\x002");
    let at = bytes.iter().position(|&byte| byte == b'x').unwrap();
    bytes[at - 1] = 0xd8;
    let status = reply(&bytes).unwrap().unwrap();
    assert_eq!(status.motd.to_plain(), "\u{fffd}");
}

proptest! {
    #[test]
    fn every_cut_is_incomplete_and_what_follows_is_not_looked_at(
        motd in "[^\x00§]{0,60}",
        online: i32,
        max: i32,
        tail: Vec<u8>,
    ) {
        let mut bytes = kick(&format!("§1\x0047\x001.4.2\x00{motd}\x00{online}\x00{max}"));
        for end in 0..bytes.len() {
            prop_assert_eq!(reply(&bytes[..end]), Ok(None));
        }
        bytes.extend(tail);
        let status = reply(&bytes).unwrap().unwrap();
        prop_assert_eq!(status.motd.to_plain(), motd);
        prop_assert_eq!((status.players.online, status.players.max), (Some(online), Some(max)));
    }

    #[test]
    fn any_bytes_are_a_status_incomplete_or_an_error(mut bytes: Vec<u8>, kicked: bool) {
        if kicked {
            bytes.splice(0..0, [KICK, 0, 20]);
        }
        let _ = reply(&bytes);
        bytes.resize(MAX_REPLY, 0);
        prop_assert_ne!(reply(&bytes), Ok(None), "a full buffer is decided");
    }
}
