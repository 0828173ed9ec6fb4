//! Tests of the kind `minecraft`.

use serde_json::json;

use super::{
    memory::Act,
    network::Resolved,
    tests::{look, says, service, talking},
    *,
};

#[test]
fn a_minecraft_server_is_up_when_it_answers_a_status_request() {
    let server = service(json!({"kind": "minecraft", "address": "mc.example.com"}));
    let status = include_bytes!("../../../../fixtures/ping/status-response.bin");
    let memory = talking(&[Act::Says(status.to_vec())]);
    assert_eq!(look(&memory, &server), Outcome::up(Some(7)));
    assert_eq!(
        *memory.asked.borrow(),
        [
            "SRV _minecraft._tcp.mc.example.com",
            "dial mc.example.com 25565",
            "hang up"
        ]
    );
    for (acts, code) in [
        (vec![Act::Closes], "closed-before-status"),
        (vec![Act::Hangs], "timeout"),
        (vec![says("HTTP/1.1 400 Bad Request\r\n\r\n")], "bad-frame"),
        (
            vec![Act::Says(status[..100].to_vec()), Act::Closes],
            "bad-frame",
        ),
    ] {
        let outcome = look(&talking(&acts), &server);
        assert_eq!(
            (outcome.verdict, outcome.code()),
            (Verdict::Down, Some(code))
        );
    }
}

#[test]
fn a_minecraft_server_is_looked_for_where_its_srv_record_leads_unless_a_port_is_said() {
    let asked = |address: &str, resolved: Result<Resolved, NetworkError>| {
        let server = service(json!({"kind": "minecraft", "address": address}));
        let mut memory = talking(&[Act::Closes]);
        memory.resolved = resolved;
        let outcome = look(&memory, &server);
        let asked = memory.asked.borrow();
        let dialled = asked.iter().find(|line| line.starts_with("dial"));
        (dialled.cloned(), asked[0].starts_with("SRV"), outcome)
    };
    let dialled = |address: &str, resolved| {
        let (dialled, by_dns, _) = asked(address, resolved);
        (dialled.unwrap(), by_dns)
    };
    let records = || {
        let records = ["5 0 1 far.example.com", "1 0 25570 near.example.com"];
        Ok(Resolved::Records(records.map(str::to_owned).to_vec()))
    };
    let itself = || ("dial mc.example.com 25565".to_owned(), true);
    let near = ("dial near.example.com 25570".to_owned(), true);
    assert_eq!(dialled("mc.example.com", records()), near);
    for resolved in [
        Ok(Resolved::Records(Vec::new())),
        Ok(Resolved::NoSuchName),
        Ok(Resolved::Failed(2)),
        Err(NetworkError::Timeout),
    ] {
        assert_eq!(dialled("mc.example.com", resolved), itself());
    }
    for (address, line) in [
        ("mc.example.com:25565", "dial mc.example.com 25565"),
        ("8.8.8.8", "dial 8.8.8.8 25565"),
        ("localhost", "dial localhost 25565"),
    ] {
        assert_eq!(dialled(address, records()), (line.to_owned(), false));
    }
    // A run that has no request left has not found anything out.
    let spent = NetworkError::Broken(outside::SPENT.to_owned());
    let (dialled, _, outcome) = asked("mc.example.com", Err(spent));
    assert_eq!(
        (dialled, outcome.detail.as_deref()),
        (None, Some(outside::SPENT))
    );
}
