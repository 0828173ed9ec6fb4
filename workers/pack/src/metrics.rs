//! What Prometheus scrapes of the packs.
//!
//! Spec: Prometheus text format 0.0.4, written by `types::prometheus`.

use std::collections::BTreeMap;

use types::{
    Sha1, Timestamp,
    prometheus::{Kind, Page},
};

use crate::{registry::Registry, report::Report};

/// The page at `now`. `downloads` is of each release ever, if that is known; of one that is gone
/// nothing is told. What the cron counts is as of its last run, and is not there before the first one.
pub fn text(
    registries: &[Registry],
    downloads: Option<&BTreeMap<Sha1, u64>>,
    report: Option<&Report>,
    now: Timestamp,
) -> String {
    let mut page = Page::default();
    packs(&mut page, registries);
    if let Some(counts) = downloads {
        downloaded(&mut page, registries, counts);
    }
    if let Some(report) = report {
        let uploads = report.uploads;
        for (name, help, value) in [
            (
                "genkan_pack_uploads_waiting",
                "Uploads that are under way",
                uploads.waiting,
            ),
            (
                "genkan_pack_uploads_stuck",
                "Of these, those that nobody has taken up for 20 minutes",
                uploads.stuck,
            ),
            (
                "genkan_pack_uploads_rejected",
                "Uploads that were rejected in the last day, and objects in incoming/ that were",
                uploads.rejected,
            ),
            (
                "genkan_pack_registries_unreadable",
                "Packs whose registry cannot be read",
                report.unreadable,
            ),
            (
                "genkan_pack_channels_unfetchable",
                "Channels whose release cannot be fetched from its public URL",
                report.unfetchable,
            ),
        ] {
            page.value(Kind::Gauge, name, help, &value);
        }
        let name = "genkan_pack_last_cron_age_seconds";
        let help = "Time since the last run of the cron";
        page.value(Kind::Gauge, name, help, &(now - report.at).max(0));
    }
    page.into_text()
}

fn packs(page: &mut Page, registries: &[Registry]) {
    let help = "Releases of a pack that are kept";
    let mut samples = page.metric(Kind::Gauge, "genkan_pack_releases", help);
    for pack in registries.iter().map(Registry::pack) {
        samples.sample(&[("pack", pack.pack.as_str())], &pack.releases.len());
    }
    let help = "The number of the release that a channel points to";
    let mut samples = page.metric(Kind::Gauge, "genkan_pack_channel_release", help);
    for pack in registries.iter().map(Registry::pack) {
        for (channel, pointer) in &pack.channels {
            let labels = [("pack", pack.pack.as_str()), ("channel", channel.as_str())];
            samples.sample(&labels, &pointer.release);
        }
    }
}

fn downloaded(page: &mut Page, registries: &[Registry], counts: &BTreeMap<Sha1, u64>) {
    let help = "Downloads of a release";
    let mut samples = page.metric(Kind::Counter, "genkan_pack_downloads_total", help);
    for pack in registries.iter().map(Registry::pack) {
        for release in &pack.releases {
            let (number, sha1) = (release.release.to_string(), release.sha1.to_string());
            let labels = [
                ("pack", pack.pack.as_str()),
                ("release", &number),
                ("sha1", &sha1),
            ];
            let count = counts.get(&release.sha1).copied().unwrap_or(0);
            samples.sample(&labels, &count);
        }
    }
}

#[cfg(test)]
mod tests {
    use types::{PackName, pack::Formats};
    use uuid::Uuid;

    use super::*;
    use crate::{
        archive::Inspection,
        registry::{Author, Verified},
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

    fn registry() -> Registry {
        let mut registry = Registry::new(PackName::main(), Uuid::nil());
        let (name, at) = ("ci".to_owned(), NOW);
        let author = Author { name, at };
        for byte in 1..=2 {
            let inspection = Inspection {
                formats: Formats {
                    min: "34".to_owned(),
                    max: "64".to_owned(),
                },
                minecraft: None,
                warnings: Vec::new(),
            };
            let (sha1, size) = (Sha1::of(&[byte]), 1);
            let verified = Verified {
                sha1,
                size,
                inspection,
            };
            assert!(registry.add(&verified, &author));
        }
        let stable = types::Channel::stable();
        registry.publish(&stable, &Sha1::of(&[2]), &author).unwrap();
        registry
    }

    fn samples(page: &str) -> Vec<&str> {
        page.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn packs_channels_and_downloads_are_told() {
        let downloads = BTreeMap::from([(Sha1::of(&[1]), 7), (Sha1::of(&[9]), 1)]);
        let page = text(&[registry()], Some(&downloads), None, NOW);
        let [one, two] = [1, 2].map(|byte| Sha1::of(&[byte]));
        assert_eq!(
            samples(&page),
            [
                "genkan_pack_releases{pack=\"main\"} 2".to_owned(),
                "genkan_pack_channel_release{pack=\"main\",channel=\"stable\"} 2".to_owned(),
                format!(
                    "genkan_pack_downloads_total{{pack=\"main\",release=\"1\",sha1=\"{one}\"}} 7"
                ),
                format!(
                    "genkan_pack_downloads_total{{pack=\"main\",release=\"2\",sha1=\"{two}\"}} 0"
                ),
            ]
        );
    }

    #[test]
    fn what_the_cron_counted_follows_with_its_age() {
        let mut report = Report::new(NOW.plus_seconds(-90));
        (report.uploads.waiting, report.unfetchable) = (3, 1);
        let page = text(&[], None, Some(&report), NOW);
        assert_eq!(
            samples(&page),
            [
                "genkan_pack_uploads_waiting 3",
                "genkan_pack_uploads_stuck 0",
                "genkan_pack_uploads_rejected 0",
                "genkan_pack_registries_unreadable 0",
                "genkan_pack_channels_unfetchable 1",
                "genkan_pack_last_cron_age_seconds 90",
            ]
        );
    }
}
