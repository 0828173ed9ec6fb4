//! The cron's part: it tells providers what they lack or have not been told for long, and warns of
//! those that are about to forget a host.

use types::{
    Timestamp,
    config::{DdnsHost, HostName, alerts::AlertEvent},
    ddns::{ProviderOutcome, ProviderResult},
};

use crate::{
    alerts::Alert,
    book::{Book, Clock, Note, Ports, Tell},
    dyndns2::Code,
    fanout::{self, Ran},
    plan::{Duty, Line, Occasion, duties},
};

/// The decision of a note that warns; SQL knows it by this word.
const EXPIRING: &str = "expiring";

/// Does what is due. Gives what an operator has to know, a line each: of expiries that are near. The
/// error is that of the book.
pub async fn run<B: Book, T: Tell, C: Clock>(
    ports: &Ports<'_, B, T, C>,
    mark: &str,
    hosts: &[DdnsHost],
) -> Result<Vec<String>, B::Error> {
    let mut all: Vec<Duty> = hosts.iter().flat_map(duties).collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let lines = ports.book.lines(None).await?;
    // Who does not have what is wanted comes before who is only told again, and of these whoever waits
    // longest, should there be more than one run can tell.
    all.sort_by_key(|duty| {
        let line = lines.iter().find(|line| line.host == duty.host)?;
        let holding = line.holding(&duty.provider)?;
        let has = holding.has(line.wanted);
        Some((has, holding.next_try_at, holding.acknowledged_at))
    });
    let before = lines.clone();
    let ran = fanout::run(ports, mark, &all, &[], lines, Occasion::Cron).await?;
    let now = ports.clock.now();
    let mut notes: Vec<Note> = hosts
        .iter()
        .filter_map(|host| note(host, &before, &ran, now))
        .collect();
    let warnings: Vec<Note> = hosts
        .iter()
        .filter_map(|host| warning(host, &ran, now))
        .collect();
    let said = warnings.iter().flat_map(|note| {
        let say = |result: &ProviderResult| {
            let detail = result.detail.as_deref().unwrap_or_default();
            format!("{} at {}: {detail}", note.host, result.provider)
        };
        note.providers.iter().map(say).collect::<Vec<_>>()
    });
    let said = said.collect();
    notes.extend(warnings);
    if !notes.is_empty() {
        ports.book.note(&notes).await?;
    }
    Ok(said)
}

fn line_of<'a>(lines: &'a [Line], host: &HostName) -> Option<&'a Line> {
    lines.iter().find(|line| line.host == *host)
}

/// What was told of this host; `None` when nobody was.
fn note(host: &DdnsHost, before: &[Line], ran: &Ran, now: Timestamp) -> Option<Note> {
    let was_told = |duty: &Duty| {
        let sent = ran.sent(duty);
        sent.is_some_and(|sent| !matches!(sent, crate::providers::Sent::Left { .. }))
    };
    let told: Vec<Duty> = duties(host).filter(was_told).collect();
    let first = told.first()?;
    let line = ran.line(&first.host)?;
    let taken = |duty: &Duty| ran.sent(duty).is_some_and(crate::providers::Sent::is_done);
    let had = |duty: &Duty| {
        let line = line_of(before, &duty.host)?;
        let holding = line.holding(&duty.provider)?;
        (holding.attempts == 0).then(|| holding.has(line.wanted))
    };
    let refresh = told.iter().all(|duty| had(duty) == Some(true));
    Some(Note {
        at: now,
        client: if refresh { "refresh" } else { "retry" },
        host: host.host.clone(),
        addresses: line.wanted,
        decision: if told.iter().all(taken) {
            Code::Good.as_str()
        } else {
            Code::Failed.as_str()
        },
        providers: told.iter().map(|duty| ran.result(duty)).collect(),
    })
}

/// The providers that forget this host soon and of which that was not said yet.
fn warning(host: &DdnsHost, ran: &Ran, now: Timestamp) -> Option<Note> {
    let line = ran.line(&host.host)?;
    let results: Vec<_> = duties(host)
        .filter_map(|duty| {
            let holding = line.holding(&duty.provider)?;
            let at = holding.expires_at?;
            (holding.expires_soon(now) && holding.warned_at.is_none()).then(|| ProviderResult {
                provider: duty.provider,
                result: ProviderOutcome::Expiring,
                detail: Some(format!("forgets this host at {at} unless it is told again")),
            })
        })
        .collect();
    if results.is_empty() {
        return None;
    }
    Some(Note {
        at: now,
        client: "expiry",
        host: host.host.clone(),
        addresses: line.wanted,
        decision: EXPIRING,
        providers: results,
    })
}

/// What somebody should hear of it, not only read in the log: an expiry that is near.
pub fn alert(note: &Note) -> Option<Alert> {
    if note.decision != EXPIRING {
        return None;
    }
    let say = |result: &ProviderResult| {
        let detail = result.detail.as_deref().unwrap_or_default();
        format!("{} {detail}", result.provider)
    };
    let said: Vec<_> = note.providers.iter().map(say).collect();
    Some(Alert {
        v: 1,
        event: AlertEvent::Warning,
        service: format!("ddns:{}", note.host),
        name: note.host.to_string(),
        group: None,
        state: None,
        previous: None,
        was_degraded: false,
        lasted_seconds: None,
        reason: Some(format!("{EXPIRING}: {}", said.join("; "))),
        since: note.at,
        at: note.at,
        incident: None,
    })
}
