//! The header's bytes, as in the specification, and back.

use proptest::prelude::*;

use super::*;

fn header(source: &str, destination: &str) -> ProxyHeader {
    ProxyHeader::new(source.parse().unwrap(), destination.parse().unwrap()).unwrap()
}

/// The bytes that these digits stand for.
fn bytes(hex: &str) -> Vec<u8> {
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn version_1_is_a_line() {
    let tcp4 = header("162.158.0.1:56324", "93.184.216.34:25565");
    assert_eq!(
        tcp4.encode(ProxyVersion::V1),
        b"PROXY TCP4 162.158.0.1 93.184.216.34 56324 25565\r\n"
    );
    let tcp6 = header("[2a06:98c0:3600::103]:1", "[2606:2800:220:1::]:65535");
    assert_eq!(
        tcp6.encode(ProxyVersion::V1),
        b"PROXY TCP6 2a06:98c0:3600::103 2606:2800:220:1:: 1 65535\r\n"
    );
}

#[test]
fn version_2_is_binary() {
    let tcp4 = header("162.158.0.1:56324", "93.184.216.34:25565");
    assert_eq!(
        tcp4.encode(ProxyVersion::V2),
        bytes(concat!(
            "0d0a0d0a000d0a515549540a",
            "2111000c",
            "a29e0001",
            "5db8d822",
            "dc04",
            "63dd"
        ))
    );
    let tcp6 = header("[2a06:98c0:3600::103]:1", "[2606:2800:220:1::]:65535");
    assert_eq!(
        tcp6.encode(ProxyVersion::V2),
        bytes(concat!(
            "0d0a0d0a000d0a515549540a",
            "21210024",
            "2a0698c0360000000000000000000103",
            "26062800022000010000000000000000",
            "0001",
            "ffff"
        ))
    );
}

#[test]
fn two_families_make_no_header() {
    let v4 = "162.158.0.1:1".parse().unwrap();
    let v6 = "[2a06:98c0:3600::103]:1".parse().unwrap();
    assert_eq!(ProxyHeader::new(v4, v6), None);
    assert_eq!(ProxyHeader::new(v6, v4), None);
}

#[test]
fn what_is_no_header_of_a_tcp_connection_is_refused() {
    let local = [&SIGNATURE[..], &[0x20, 0x00, 0, 0]].concat();
    let udp = [&SIGNATURE[..], &[0x21, 0x12, 0, 12], &[1; 12]].concat();
    let short = [&SIGNATURE[..], &[0x21, 0x11, 0, 4], &[1; 4]].concat();
    for bytes in [
        &local[..],
        &udp,
        &short,
        b"PROXY UNKNOWN\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
        b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
        b"\x10\x00\x86\x06",
        b"GET / HTTP/1.1\r\n",
        &[b'P'; 200],
        &[&b"PROXY "[..], &[b'x'; 200]].concat(),
    ] {
        assert_eq!(
            decode(bytes),
            Err(NoProxyHeader),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn tlvs_are_skipped() {
    let plain = header("162.158.0.1:56324", "93.184.216.34:25565");
    let mut bytes = plain.encode(ProxyVersion::V2);
    bytes[15] += 4;
    bytes.extend_from_slice(&[0x04, 0, 1, 0]);
    assert_eq!(decode(&bytes), Ok(Some((plain, bytes.len()))));
}

fn headers() -> impl Strategy<Value = ProxyHeader> {
    let ports = (any::<u16>(), any::<u16>());
    prop_oneof![
        (any::<[[u8; 4]; 2]>(), ports).prop_map(|([from, to], ports)| {
            ProxyHeader::new((from, ports.0).into(), (to, ports.1).into()).unwrap()
        }),
        (any::<[[u16; 8]; 2]>(), ports).prop_map(|([from, to], ports)| {
            ProxyHeader::new((from, ports.0).into(), (to, ports.1).into()).unwrap()
        }),
    ]
}

proptest! {
    #[test]
    fn every_header_reads_back_and_every_cut_is_incomplete(header in headers(), tail: Vec<u8>, v2: bool) {
        let version = if v2 { ProxyVersion::V2 } else { ProxyVersion::V1 };
        let mut bytes = header.encode(version);
        let length = bytes.len();
        prop_assert!(v2 || length <= MAX_LINE);
        for end in 0..length {
            prop_assert_eq!(decode(&bytes[..end]), Ok(None));
        }
        bytes.extend(tail);
        prop_assert_eq!(decode(&bytes), Ok(Some((header, length))));
    }

    #[test]
    fn any_bytes_are_a_header_incomplete_or_an_error(mut bytes: Vec<u8>, signed: bool) {
        if signed {
            bytes.splice(0..0, SIGNATURE);
        }
        if let Ok(Some((_, length))) = decode(&bytes) {
            prop_assert!(length <= bytes.len());
        }
    }
}
