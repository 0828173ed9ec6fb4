//! A report from its verdicts to its answer: into the book, to the providers, and what is said of
//! it.

use types::ddns::{
    Addresses, HostReport, ProviderOutcome, ProviderResult, RefusedAddress, Reported,
};

use crate::{
    book::{Book, Clock, Finished, Ports, Recorded, Request, Row, Tell},
    dyndns2::Code,
    fanout::{self, Ran},
    plan::{Due, Duty, Line, Occasion, bounded, due_among, duties, overtaken},
    report::{Verdict, left_out},
};

/// What came of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub code: Code,
    /// The addresses that it has by this report.
    pub taken: Addresses,
    pub report: HostReport,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    Hosts(Vec<Done>),
    /// Too many of them: it may come again in so many seconds.
    Limited {
        retry_after: i64,
    },
}

/// Takes a report. The error is that of the book, and then nothing is known of what it has; to
/// report again is always right.
pub async fn take<B: Book, T: Tell, C: Clock>(
    ports: &Ports<'_, B, T, C>,
    request: &Request<'_>,
) -> Result<Answered, B::Error> {
    let (rows, lines) = match ports.book.record(request).await? {
        Recorded::Limited { retry_after } => return Ok(Answered::Limited { retry_after }),
        Recorded::Taken { rows, lines } => (rows, lines),
    };
    let all = duties_of(request.verdicts, &rows);
    let (mark, sharers) = (request.mark, request.sharers);
    let ran = fanout::run(ports, mark, &all, sharers, lines, Occasion::Report).await?;
    let result = |duty: &Duty| ran.result(duty);
    let codes: Vec<Code> = (request.verdicts.iter().zip(&rows))
        .map(|(verdict, row)| code(verdict, row, &all, &ran))
        .collect();
    let done = done(request, &rows, &codes, &all, &result);
    let finished: Vec<Finished> = (done.iter().zip(&rows))
        .filter(|(done, row)| {
            let told = |result: &ProviderResult| result.result != ProviderOutcome::Current;
            done.code != row.decision || done.report.providers.iter().any(told)
        })
        .map(|(done, row)| Finished {
            id: row.id,
            decision: done.code.as_str(),
            providers: done.report.providers.clone(),
        })
        .collect();
    if !finished.is_empty() {
        ports.book.finish(&finished).await?;
    }
    Ok(Answered::Hosts(done))
}

/// What [`take`] would do; changes nothing and tells nobody. A provider that would be told is taken
/// for one that would take it, unless it is known without asking that it would not.
pub async fn preview<B: Book, T: Tell, C: Clock>(
    ports: &Ports<'_, B, T, C>,
    request: &Request<'_>,
) -> Result<Answered, B::Error> {
    let (rows, lines) = match ports.book.preview(request).await? {
        Recorded::Limited { retry_after } => return Ok(Answered::Limited { retry_after }),
        Recorded::Taken { rows, lines } => (rows, lines),
    };
    let all = duties_of(request.verdicts, &rows);
    let ran = Ran {
        lines: foreseen(lines, request, &rows),
        told: Vec::new(),
    };
    let around = [&all, request.sharers].concat();
    let now = ports.clock.now();
    let would = |duty: &Duty| {
        if due_among(duty, &around, &ran.lines, Occasion::Report, now) != Due::Tell {
            return ran.result(duty);
        }
        let fault = overtaken(duty, &around, &ran.lines);
        let fault = fault.or_else(|| ports.providers.known_fault(duty));
        ProviderResult {
            provider: duty.provider.clone(),
            result: match fault {
                Some(_) => ProviderOutcome::Refused,
                None => ProviderOutcome::WouldSend,
            },
            detail: fault.as_deref().map(bounded),
        }
    };
    let codes: Vec<Code> = (request.verdicts.iter().zip(&rows))
        .map(|(verdict, row)| {
            let Verdict::Apply { host, .. } = verdict else {
                return row.decision;
            };
            if !applied(row) {
                return row.decision;
            }
            let of_host = |duty: &&Duty| duty.required && duty.host == host.host;
            let results: Vec<_> = all
                .iter()
                .filter(of_host)
                .map(|duty| would(duty).result)
                .collect();
            let any = |result| results.contains(&result);
            if any(ProviderOutcome::Waiting) || any(ProviderOutcome::Refused) {
                Code::Failed
            } else if row.before == row.after && !any(ProviderOutcome::WouldSend) {
                Code::Nochg
            } else {
                Code::Good
            }
        })
        .collect();
    Ok(Answered::Hosts(done(request, &rows, &codes, &all, &would)))
}

/// The lines as they would be after it.
fn foreseen(lines: Vec<Line>, request: &Request<'_>, rows: &[Row]) -> Vec<Line> {
    let mut lines = lines;
    for (verdict, row) in request.verdicts.iter().zip(rows) {
        let (Verdict::Apply { host, .. }, Some(after)) = (verdict, row.after) else {
            continue;
        };
        match lines.iter_mut().find(|line| line.host == host.host) {
            Some(line) if row.before == row.after => line.wanted = after,
            Some(line) => {
                line.wanted = after;
                line.updated_at = request.at;
            }
            None => lines.push(Line {
                host: host.host.clone(),
                wanted: after,
                updated_at: request.at,
                holdings: Vec::new(),
            }),
        }
    }
    lines
}

/// Whether the book gave the host these addresses.
fn applied(row: &Row) -> bool {
    matches!(row.decision, Code::Good | Code::Nochg | Code::Failed)
}

fn duties_of(verdicts: &[Verdict<'_>], rows: &[Row]) -> Vec<Duty> {
    let each = verdicts.iter().zip(rows).filter(|(_, row)| applied(row));
    each.filter_map(|(verdict, _)| match verdict {
        Verdict::Apply { host, .. } => Some(duties(host)),
        _ => None,
    })
    .flatten()
    .collect()
}

/// The code of one verdict: `good` and `nochg` only when every provider that matters has it.
fn code(verdict: &Verdict<'_>, row: &Row, all: &[Duty], ran: &Ran) -> Code {
    let Verdict::Apply { host, .. } = verdict else {
        return row.decision;
    };
    if !applied(row) {
        return row.decision;
    }
    let required = || {
        let of_host = |duty: &&Duty| duty.required && duty.host == host.host;
        all.iter().filter(of_host)
    };
    let told = |duty: &Duty| ran.sent(duty).is_some();
    if !required().all(|duty| ran.has(duty)) {
        Code::Failed
    } else if row.before == row.after && !required().any(told) {
        Code::Nochg
    } else {
        Code::Good
    }
}

fn done(
    request: &Request<'_>,
    rows: &[Row],
    codes: &[Code],
    all: &[Duty],
    result: &dyn Fn(&Duty) -> ProviderResult,
) -> Vec<Done> {
    let mut done: Vec<Done> = Vec::new();
    for ((verdict, row), code) in request.verdicts.iter().zip(rows).zip(codes) {
        let report = |code: Code, providers| HostReport {
            host: verdict.named().map(str::to_owned),
            result: code.as_str().to_owned(),
            before: row.before,
            after: row.after,
            providers,
            why: why(code, request.reported, verdict),
        };
        let (code, taken, providers) = match verdict {
            Verdict::Apply { host, addresses } => {
                let of_host = |duty: &&Duty| duty.host == host.host;
                let providers = all.iter().filter(of_host).map(result).collect();
                (*code, *addresses, providers)
            }
            Verdict::Repeat { first, .. } => match done.get(*first) {
                Some(first) if first.code.succeeded() => (Code::Nochg, first.taken, Vec::new()),
                Some(first) => (first.code, first.taken, Vec::new()),
                None => (*code, Addresses::default(), Vec::new()),
            },
            Verdict::Refuse { code, .. } => (*code, Addresses::default(), Vec::new()),
        };
        done.push(Done {
            code,
            taken,
            report: report(code, providers),
        });
    }
    done
}

/// Why a host was not given its address, or why nothing was to be done; of what was taken, what was
/// refused or left out beside it.
fn why(code: Code, reported: &Reported, verdict: &Verdict<'_>) -> Option<String> {
    let each = |one: &RefusedAddress| format!("{} is {}", one.address, one.reason);
    let mut refused: Vec<_> = reported.refused.iter().map(each).collect();
    let left_out = verdict.configured().map(|host| left_out(host, reported));
    refused.extend(left_out.into_iter().flatten());
    let refused = (!refused.is_empty()).then(|| refused.join("; "));
    let text = match code {
        Code::Good => return refused,
        Code::Nochg => "it has this address already",
        Code::Nohost => "no such host is configured here",
        Code::Notfqdn => "the host is missing or not a fully qualified name",
        Code::Numhost => "one request names 20 hosts at most",
        Code::NotYours => "the token is for other hosts",
        Code::Badauth => "the token is not known here",
        Code::Abuse => {
            "it changed to this very address too often within the last hour: two reporters disagree, or the line flaps"
        }
        Code::Failed => "a provider that matters does not have it yet; it is told again",
        Code::Dnserr => {
            return refused
                .or_else(|| Some("no address that this host could have was reported".to_owned()));
        }
    };
    Some(match refused {
        Some(refused) if matches!(code, Code::Nochg | Code::Failed) => format!("{text}; {refused}"),
        _ => text.to_owned(),
    })
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
