//! Colours as Adventure's own tests have them.

use super::*;

fn colors(paint: &Paint, size: u16, indices: &[u16]) -> Vec<String> {
    indices
        .iter()
        .map(|&index| {
            let [r, g, b] = paint.color(index, size);
            format!("{r:02x}{g:02x}{b:02x}")
        })
        .collect()
}

#[test]
fn a_gradient_goes_from_the_first_colour_to_the_last() {
    let gray = Paint::Gradient(Gradient::new(Vec::new(), 0.0));
    assert_eq!(
        colors(&gray, 24, &[0, 1, 2, 6, 18, 22, 23]),
        [
            "ffffff", "f4f4f4", "e9e9e9", "bcbcbc", "373737", "0b0b0b", "000000"
        ]
    );
}

#[test]
fn a_phase_moves_a_gradient_on_and_a_negative_one_back() {
    let stops = vec![[0, 0, 0], [0, 0, 10], [0, 0, 20]];
    let table = [
        (0.5, ["00000a", "00000f", "000014"]),
        (1.0, ["000014", "00000a", "000000"]),
        (-1.0, ["000014", "00000f", "00000a"]),
        (-0.5, ["00000a", "000005", "000000"]),
    ];
    for (phase, expected) in table {
        let paint = Paint::Gradient(Gradient::new(stops.clone(), phase));
        assert_eq!(colors(&paint, 5, &[0, 1, 2]), expected, "{phase}");
    }
}

#[test]
fn a_rainbow_goes_through_all_hues() {
    let rainbow = |reversed, phase| Paint::Rainbow(Rainbow { reversed, phase });
    assert_eq!(
        colors(&rainbow(false, 0), 24, &[0, 1, 2, 3, 4, 5, 8, 12, 16, 23]),
        [
            "ff0000", "ff3f00", "ff7f00", "ffbf00", "ffff00", "bfff00", "00ff00", "00ffff",
            "0000ff", "ff003f"
        ]
    );
    assert_eq!(
        colors(&rainbow(true, 0), 24, &[0, 1, 23]),
        ["ff003f", "ff007f", "ff0000"]
    );
    assert_eq!(colors(&rainbow(false, 10), 24, &[0]), ["ff0000"]);
    assert_eq!(colors(&rainbow(false, -5), 24, &[0]), ["00ffff"]);
    assert_eq!(
        colors(&rainbow(false, i32::MIN), 1, &[0]).len(),
        1,
        "any phase is some hue"
    );
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let gradient = Paint::Gradient(Gradient::new(vec![[1; 3], [2; 3]], 1.0));
    let rainbow = Paint::Rainbow(Rainbow {
        reversed: true,
        phase: i32::MAX,
    });
    for paint in [gradient, rainbow] {
        for (index, size) in [(0, 0), (0, 1), (7, 3), (u16::MAX, u16::MAX), (u16::MAX, 1)] {
            paint.color(index, size);
        }
    }
}
