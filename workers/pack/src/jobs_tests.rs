use serde_json::{Value, json};

use super::*;

/// As the documentation of R2 shows it.
fn event(action: &str, key: &str) -> Value {
    json!({
        "account": "3f4b7e3dcab231cbfdaa90a6a28bd548",
        "action": action,
        "bucket": "genkan-packs",
        "object": { "key": key, "size": 65536, "eTag": "c846ff7a18f28c2e262116d6e8719ef0" },
        "eventTime": "2026-05-24T19:36:44.379Z"
    })
}

#[test]
fn an_event_of_r2_says_whether_something_came_or_went() {
    let key = "incoming/main/a.zip";
    for action in ["PutObject", "CopyObject", "CompleteMultipartUpload"] {
        assert_eq!(
            Message::read(&event(action, key).to_string()),
            Message::Put(key.to_owned())
        );
    }
    for action in ["DeleteObject", "LifecycleDeletion"] {
        assert_eq!(
            Message::read(&event(action, key).to_string()),
            Message::Removed
        );
    }
}

#[test]
fn what_is_no_message_is_poison() {
    for message in [
        json!(null),
        json!("text"),
        json!({}),
        json!({"action": "PutObject"}),
        json!({"action": 1, "object": {"key": "a"}}),
        event("RenameObject", "a"),
        json!({"verify": {"upload": "no uuid"}}),
        json!({"check": {"pack": "main", "sha1": "0"}}),
    ] {
        let read = Message::read(&message.to_string());
        assert!(matches!(read, Message::Poison(_)), "{message}");
    }
}

#[test]
fn a_job_is_pinned_byte_for_byte() {
    let upload = "5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11".parse().unwrap();
    let check = Job::Check {
        pack: PackName::main(),
        sha1: Sha1::of(b""),
    };
    let incoming = Job::Incoming {
        key: "incoming/main/a.zip".to_owned(),
    };
    for (job, json) in [
        (
            Job::Verify { upload },
            r#"{"verify":{"upload":"5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11"}}"#,
        ),
        (incoming, r#"{"incoming":{"key":"incoming/main/a.zip"}}"#),
        (
            check,
            r#"{"check":{"pack":"main","sha1":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&job).unwrap(), json);
        assert_eq!(Message::read(json), Message::Job(job));
    }
}

#[test]
fn word_of_a_publication_is_pinned_byte_for_byte() {
    let stable = types::Channel::stable();
    let bytes = crate::memory::SAMPLE;
    let sha1 = Sha1::of(bytes);
    let mut registry = Registry::new(PackName::main(), Uuid::nil());
    let author = crate::ingest::tests::author(60);
    registry.add(&crate::ingest::tests::verified(bytes), &author);
    let before = registry.clone();
    registry.publish(&stable, &sha1, &author).unwrap();
    registry.owe(&before);
    let url = crate::memory::url();
    let (number, change) = registry.owed()[0];
    let notice = Notice::published(&registry, number, change, &url).unwrap();
    let job = Job::Notify(Box::new(notice));
    let expected = concat!(
        r#"{"notify":{"id":"ID","type":"pack.published","timestamp":"1970-01-01T00:01:00Z","data":{"#,
        r#""action":"publish","by":"ci","channel":"stable","minecraft":null,"pack":"main","#,
        r#""previous":null,"release":1,"sha1":"SHA","size":SIZE,"#,
        r#""url":"https://rp.example.com/packs/SHA.zip","#,
        r#""uuid":"00000000-0000-0000-0000-000000000000","warnings":[]},"#,
        r#""publication":{"pack":"main","number":1}}}"#,
    );
    let expected = expected
        .replace("ID", &registry.id_of(1).to_string())
        .replace("SHA", &sha1.to_string())
        .replace("SIZE", &bytes.len().to_string());
    let json = serde_json::to_string(&job).unwrap();
    assert_eq!(json, expected);
    assert_eq!(Message::read(&json), Message::Job(job));
    // What was sent before publications had numbers.
    let (old, _) = json.split_once(r#","publication""#).unwrap();
    let Message::Job(Job::Notify(old)) = Message::read(&format!("{old}}}}}")) else {
        panic!("no notice");
    };
    assert_eq!(old.publication(), None);
}

#[test]
fn a_notice_that_looks_like_an_event_is_a_notice() {
    let pack = PackName::main();
    let refusal = Refusal {
        pack: &pack,
        by: r#""action":"DeleteObject""#.to_owned(),
        at: Timestamp::from_seconds(0),
        reason: r#"{"action":"DeleteObject","object":{"key":"a"}}"#.to_owned(),
    };
    let job = Job::Notify(Box::new(Notice::refused(Uuid::nil(), &refusal)));
    let json = serde_json::to_string(&job).unwrap();
    assert_eq!(Message::read(&json), Message::Job(job));
}
