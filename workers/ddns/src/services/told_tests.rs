//! From what is found of a service to what each channel hears of it.

use proptest::prelude::*;
use serde_json::json;
use types::config::{Config as _, alerts::AlertChannel};

use super::*;
use crate::alerts::outbox;

fn channel(events: &[&str]) -> AlertChannel {
    let name = events.join("-");
    let keys = json!({"name": name, "kind": "ntfy", "topic": "x", "events": events});
    serde_json::from_value(keys).unwrap()
}

fn config() -> DdnsConfig {
    let service = |id: &str| json!({"id": id, "kind": "tcp", "address": "nas.example.com:22"});
    let (mut home, mut web) = (service("home"), service("web"));
    home["alerts"] = json!([]);
    web["depends_on"] = json!(["home"]);
    web["remind_minutes"] = json!(3);
    web["successes"] = json!(2);
    let mut config =
        DdnsConfig::parse(json!({"hosts": [], "services": [home, web], "alerts": []})).unwrap();
    for trouble in [&["down"][..], &["degraded"], &["down", "degraded"]] {
        config.alerts.push(channel(&[trouble, &["up"]].concat()));
        let more = [trouble, &["up", "reminder"]].concat();
        config.alerts.push(channel(&more));
    }
    config
}

fn levels() -> impl Strategy<Value = Option<Level>> {
    prop_oneof![
        Just(None),
        Just(Some(Level::Up)),
        Just(Some(Level::Degraded)),
        Just(Some(Level::Down)),
    ]
}

proptest! {
    /// Whatever happens: nobody hears of an end of what it had not heard of, nor of the same trouble
    /// twice, and whoever heard of a trouble that is over has heard so.
    #[test]
    fn what_a_channel_hears_makes_sense(steps in prop::collection::vec((levels(), levels(), 0_u8..6, 1_usize..6), 1..60)) {
        let config = config();
        let web: ServiceId = "web".parse().unwrap();
        let mut book = Book::default();
        let mut troubles: BTreeMap<&str, AlertEvent> = BTreeMap::new();
        let mut now = Timestamp::from_seconds(1_795_255_200);
        for (home, level, upkeep, times) in steps {
            for _ in 0..times {
                now = now.plus_seconds(60);
                enter(&mut book, &config.services, now);
                let outcome = |level| Outcome { level, reason: None, at: now };
                let found = [("home", home), ("web", level)].into_iter().filter_map(|(id, level)| {
                    let found = Found { outcome: outcome(level?), latency_ms: None };
                    Some((id.parse().unwrap(), found))
                });
                let mut news = News::default();
                if upkeep == 0 {
                    news.maintenance.insert(web.clone(), "new disk".to_owned());
                }
                let open = OpenIncidents::default();
                let (_, alerts) = judge(&config, &mut book, news, &found.collect(), &open, now);
                let rows = outbox::rows_of(&config, &alerts).unwrap();
                let rows: BTreeSet<(String, String)> = rows.iter().map(|row| {
                    let row = serde_json::to_value(row).unwrap();
                    let text = |key: &str| row[key].as_str().unwrap().to_owned();
                    let event = text("key").split(' ').next().unwrap().to_owned();
                    (text("channel"), event)
                }).collect();
                let machine = &book.services[&web].machine;
                for channel in &config.alerts {
                    let name = channel.name.as_str();
                    let heard = rows.iter().filter(|(to, _)| to == name).map(|(_, event)| event.as_str());
                    for event in heard {
                        match event {
                            "up" => prop_assert!(troubles.remove(name).is_some(), "{name} {now}"),
                            "reminder" => prop_assert_eq!(machine.told, Level::Down),
                            _ => {
                                let event = serde_json::from_value(json!(event)).unwrap();
                                let before = troubles.insert(name, event);
                                prop_assert_ne!(before, Some(event));
                            }
                        }
                    }
                    let trouble = troubles.get(name).copied();
                    match machine.told {
                        Level::Up => prop_assert_eq!(trouble, None),
                        Level::Down if channel.hears(AlertEvent::Down) => prop_assert_eq!(trouble, Some(AlertEvent::Down)),
                        Level::Degraded => {
                            let expected = Some(AlertEvent::Degraded).filter(|event| channel.hears(*event));
                            prop_assert_eq!(trouble, expected);
                        }
                        Level::Down => prop_assert_ne!(trouble, Some(AlertEvent::Down)),
                    }
                }
            }
        }
    }
}
