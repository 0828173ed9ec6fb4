//! First content: the sample pack, unless a pack is published already, and one ping.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Running;
use crate::project::{Project, Worker};
use crate::{cron, http};

const SAMPLE: &str = "fixtures/packs/sample.zip";

pub fn run(project: &Project, running: &Running) -> Result<()> {
    match fs::read(project.path(SAMPLE)) {
        Ok(zip) => upload(running, &zip).context("the sample pack was not uploaded")?,
        Err(_) => println!("seed: there is no {SAMPLE}, nothing is uploaded"),
    }
    let url = running.worker(Worker::Status)?.cron_url();
    let url = url.context("the status worker has no cron")?;
    cron::fire(&url, None).context("the first ping")
}

fn upload(running: &Running, zip: &[u8]) -> Result<()> {
    let agent = http::agent(Duration::from_mins(1));
    // Not through the gateway: an overlay may have other routes.
    let base = &running.worker(Worker::Pack)?.url;
    if agent
        .get(format!("{base}/api/pack/latest"))
        .call()?
        .status()
        == 200
    {
        return Ok(());
    }
    let mut answer = agent
        .put(format!("{base}/api/packs/main"))
        .header(
            "Authorization",
            format!("Bearer {}", running.tokens.operator),
        )
        .header("Content-Type", "application/zip")
        .send(zip)?;
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    ensure!(answer.status().is_success(), "{}: {text}", answer.status());
    println!("seed: uploaded {SAMPLE}");
    Ok(())
}
