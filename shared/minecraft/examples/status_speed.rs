//! How fast a status response of 64 KiB is read and its text rendered: `cargo run --release -p minecraft --example
//! status_speed`, which prints one line of JSON for `cargo xtask bench status`.

use std::{hint::black_box, time::Instant};

use minecraft::{clean::ServerStatus, text::Text};
use serde_json::{Value, json};

const SIZE: usize = 64 * 1024;
const ROUNDS: u32 = 200;

/// A gradient by the letter, a full sample and a favicon, filled up with what mods say of themselves.
fn response() -> Vec<u8> {
    let letters: Vec<Value> = (0..400)
        .map(|n| json!({"text": "g", "color": format!("#{:06x}", n * 4001), "bold": n % 2 == 0}))
        .collect();
    let sample: Vec<Value> = (0..100)
        .map(|n| json!({"name": format!("§{:x}player{n}", n % 16), "id": format!("00000000-0000-4000-8000-{n:012}")}))
        .collect();
    let mut status = json!({
        "version": {"name": "§cVelocity 3.4.0", "protocol": 774},
        "players": {"max": 100, "online": 100, "sample": sample},
        "description": {"text": "", "extra": letters},
        "favicon": format!("data:image/png;base64,iVBORw0KGgoA{}", "AAAA".repeat(2000)),
        "forgeData": {"mods": []},
    });
    let missing = SIZE.saturating_sub(status.to_string().len());
    let mod_of = |n: usize| json!({"modId": format!("mod{n:05}"), "modmarker": "1.0.0"});
    let one = mod_of(0).to_string().len() + 1;
    status["forgeData"]["mods"] = (0..missing / one).map(mod_of).collect();
    status.to_string().into_bytes()
}

fn render(text: &Text) -> usize {
    text.to_plain().len()
        + text.to_html().len()
        + text.to_minimessage().len()
        + text.to_legacy().len()
}

/// Millions of bytes of the response a second.
#[expect(
    clippy::disallowed_methods,
    reason = "this is a program of the host, which measures time"
)]
fn megabytes_a_second(bytes: usize, mut work: impl FnMut()) -> f64 {
    work();
    let started = Instant::now();
    (0..ROUNDS).for_each(|_| work());
    let millions = f64::from(ROUNDS) * f64::from(u32::try_from(bytes).unwrap_or(0)) / 1e6;
    millions / started.elapsed().as_secs_f64()
}

fn main() {
    let bytes = response();
    let Ok(status) = ServerStatus::from_json(&bytes) else {
        return eprintln!("the response made here is not read");
    };
    let parse = megabytes_a_second(bytes.len(), || {
        black_box(ServerStatus::from_json(black_box(&bytes)).ok());
    });
    let both = megabytes_a_second(bytes.len(), || {
        if let Ok(status) = ServerStatus::from_json(black_box(&bytes)) {
            let names = status
                .players
                .sample
                .iter()
                .map(|player| render(&player.name));
            black_box(render(&status.motd) + names.sum::<usize>());
        }
    });
    let line = json!({
        "bytes": bytes.len(),
        "players": status.players.sample.len(),
        "parse_mb_s": parse.round(),
        "parse_and_render_mb_s": both.round(),
    });
    println!("{line}");
}
