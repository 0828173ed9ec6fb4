//! A check of kind `dns`: one question, and what has to be in its answer.

use std::net::IpAddr;

use types::{RecordType, config::services::DnsCheck};

use super::{
    Outcome,
    network::{Network, Resolved, since},
};

pub async fn check<N: Network>(network: &N, check: &DnsCheck, timeout_ms: u32) -> Outcome {
    let asked = network.millis();
    let answer = network.resolve(&check.host, check.record, timeout_ms).await;
    let latency = since(network, asked);
    let records = match answer {
        Ok(Resolved::Records(records)) => records,
        Ok(Resolved::NoSuchName) => {
            return Outcome::down("nxdomain", "there is no such name").after(latency);
        }
        Ok(Resolved::Failed(code)) => {
            let words = format!("the name server answers with code {code}");
            return Outcome::down("dns", &words).after(latency);
        }
        Err(error) => return Outcome::failed(&error),
    };
    let kind = check.record.as_str();
    if records.is_empty() {
        return Outcome::down("no-records", &format!("it has no {kind} record")).after(latency);
    }
    let mut wanted = check.expect.iter();
    if wanted.all(|wanted| records.contains(&normal(wanted, check.record))) {
        return Outcome::up(Some(latency));
    }
    Outcome::down(
        "unexpected",
        &format!("an expected {kind} record is missing"),
    )
    .with_detail(&format!("the answer is {}", records.join(", ")))
    .after(latency)
}

/// What is expected, in the form in which records come (`edge::doh::Record`).
fn normal(expected: &str, record: RecordType) -> String {
    match record {
        RecordType::Txt => expected.to_owned(),
        RecordType::A | RecordType::Aaaa => match expected.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => expected.to_owned(),
        },
        _ => {
            let name = expected.strip_suffix('.').unwrap_or(expected);
            name.to_ascii_lowercase()
        }
    }
}
