//! Crons: `wrangler dev` never fires them by itself, so `dev` does it each minute and `cron` on
//! demand.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Datelike, Timelike, Utc};

use crate::project::{Project, Worker};
use crate::{dev, http, process};

/// Fires the cron of one worker of the running system and tells how it went.
pub fn run(project: &Project, worker: Worker) -> Result<()> {
    let name = worker.name();
    let running = dev::running(project)?
        .context("nothing runs in this checkout: start it with `cargo xtask dev`")?;
    let url = running["workers"][name]["cron_url"].as_str();
    let url = url.with_context(|| format!("{name} has no cron"))?;
    fire(url, None)?;
    println!("{name}: cron ok");
    Ok(())
}

/// Where the local runtime of a worker takes a cron event.
pub fn url(worker_url: &str) -> String {
    format!("{worker_url}/cdn-cgi/local/scheduled")
}

/// Fires one event; the runtime answers when the worker is done with it.
pub fn fire(url: &str, expression: Option<&str>) -> Result<()> {
    let agent = http::agent(Duration::from_mins(2));
    let mut request = agent.get(url);
    if let Some(expression) = expression {
        request = request.query("cron", expression);
    }
    let mut answer = request
        .call()
        .with_context(|| format!("the cron at {url} does not answer"))?;
    let outcome = answer.body_mut().read_to_string().unwrap_or_default();
    ensure!(
        answer.status().is_success(),
        "the cron failed ({}): {}",
        answer.status(),
        outcome.trim()
    );
    Ok(())
}

/// Fires a cron whenever it is due, from the next full minute on, and tells of every
/// event that fails. Returns only when it cannot read the expression.
pub fn keep_firing(worker: &str, url: &str, expression: &str) {
    let Some(schedule) = Schedule::parse(expression) else {
        process::tell(
            worker,
            &format!(
                "the cron `{expression}` is not fired here: `cargo xtask cron {worker}` does it"
            ),
        );
        return;
    };
    loop {
        let now = Utc::now();
        let rest =
            60_000 - u64::from(now.second()) * 1000 - u64::from(now.timestamp_subsec_millis());
        thread::sleep(Duration::from_millis(rest));
        if schedule.is_due(Utc::now())
            && let Err(error) = fire(url, Some(expression))
        {
            process::tell(worker, &format!("{error:#}"));
        }
    }
}

/// A cron expression: minute, hour, day of the month, month, day of the week (1 is Sunday), in UTC.
#[derive(Debug)]
pub struct Schedule([Vec<Item>; 5]);

/// `from..=to`, every `step`th.
#[derive(Debug)]
struct Item {
    from: u32,
    to: u32,
    step: u32,
}

impl Schedule {
    /// Reads numbers, `*`, lists, ranges and steps; not names (`MON`, `L`).
    pub fn parse(expression: &str) -> Option<Self> {
        let fields: Option<Vec<Vec<Item>>> = expression
            .split_whitespace()
            .map(|field| field.split(',').map(Item::parse).collect())
            .collect();
        Some(Self(fields?.try_into().ok()?))
    }

    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        let weekday = now.weekday().num_days_from_sunday() + 1;
        let values = [now.minute(), now.hour(), now.day(), now.month(), weekday];
        let due = |(items, value): (&Vec<Item>, u32)| items.iter().any(|item| item.has(value));
        self.0.iter().zip(values).all(due)
    }
}

impl Item {
    fn parse(text: &str) -> Option<Self> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(step.parse().ok().filter(|step| *step > 0)?)),
            None => (text, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (0, u32::MAX),
            Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
            None => {
                let from = range.parse().ok()?;
                (from, if step.is_some() { u32::MAX } else { from })
            }
        };
        Some(Self {
            from,
            to,
            step: step.unwrap_or(1),
        })
    }

    fn has(&self, value: u32) -> bool {
        (self.from..=self.to).contains(&value) && (value - self.from).is_multiple_of(self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(expression: &str, at: &str) -> bool {
        Schedule::parse(expression)
            .unwrap()
            .is_due(at.parse().unwrap())
    }

    #[test]
    fn every_minute_is_due_at_each() {
        assert!(due("* * * * *", "2026-11-21T10:00:00Z"));
        assert!(due("* * * * *", "2026-11-21T23:59:59Z"));
    }

    #[test]
    fn each_field_counts() {
        let saturday = "2026-11-21T10:17:30Z";
        assert!(due("17 * * * *", saturday));
        assert!(!due("18 * * * *", saturday));
        assert!(due("*/17 10 21 11 7", saturday));
        assert!(!due("17 10 21 11 1", saturday));
        assert!(due("5,15-20 8-12/2 * * *", saturday));
        assert!(!due("5,15-20 9-12/2 * * *", saturday));
        assert!(due("2/5 * * * *", saturday));
        assert!(!due("3/5 * * * *", saturday));
    }

    #[test]
    fn what_is_not_understood_is_not_guessed() {
        for expression in [
            "",
            "* * * *",
            "* * * * * *",
            "*/0 * * * *",
            "0 0 * * MON",
            "0 0 L * *",
        ] {
            assert!(Schedule::parse(expression).is_none(), "{expression}");
        }
    }
}
