use types::pack::Formats;

use super::*;

fn release(number: u32) -> Release {
    Release {
        release: number,
        sha1: Sha1::of(&number.to_be_bytes()),
        size: 1,
        formats: Formats {
            min: "34".to_owned(),
            max: "64".to_owned(),
        },
        minecraft: None,
        warnings: Vec::new(),
        uploaded_at: Timestamp::from_seconds(0),
        uploaded_by: "ci".to_owned(),
        check: types::pack::Check::default(),
    }
}

fn row(day: &str, number: u32, version: &str, count: u64, last_at: i64) -> Row {
    Row {
        day: day.to_owned(),
        sha1: release(number).sha1,
        version: version.to_owned(),
        count,
        last_at: Timestamp::from_seconds(last_at),
    }
}

#[test]
fn downloads_are_summed_by_release_version_and_day() {
    let now = Timestamp::from_seconds(1_795_262_400); // 2026-11-21T12:00:00Z
    let rows = [
        row("2026-11-21", 1, "1.21.4", 5, 1_795_262_000),
        row("2026-11-20", 1, "1.21.4", 2, 1_795_170_000),
        row("2026-11-20", 1, "other", 1, 1_795_180_000),
        row("2026-11-21", 2, "26.1", 4, 1_795_262_100),
        row("2026-11-18", 2, "26.1", 100, 1_795_000_000),
        row("2026-11-21", 9, "26.1", 100, 1_795_262_200),
    ];
    let releases = [release(1), release(2), release(3)];
    let stats = stats(&PackName::main(), &releases, &rows, now, 3);
    let json = serde_json::to_string(&stats).unwrap();
    let [one, two, three] = [1, 2, 3].map(|number| release(number).sha1);
    assert_eq!(
        json,
        format!(
            concat!(
                r#"{{"pack":"main","days":3,"total":12,"releases":["#,
                r#"{{"release":3,"sha1":"{three}","downloads":0,"last_at":null,"versions":{{}}}},"#,
                r#"{{"release":2,"sha1":"{two}","downloads":4,"last_at":"2026-11-21T11:55:00Z","versions":{{"26.1":4}}}},"#,
                r#"{{"release":1,"sha1":"{one}","downloads":8,"last_at":"2026-11-21T11:53:20Z","versions":{{"1.21.4":7,"other":1}}}}],"#,
                r#""daily":[{{"day":"2026-11-19","downloads":0}},{{"day":"2026-11-20","downloads":3}},{{"day":"2026-11-21","downloads":9}}]}}"#,
            ),
            one = one,
            two = two,
            three = three,
        )
    );
}

#[test]
fn a_row_crosses_into_the_database_and_back_as_it_is() {
    let stored = as_stored(&row("2026-11-21", 1, "1.21.4", 5, 1_795_262_000));
    let json = serde_json::to_string(std::slice::from_ref(&stored)).unwrap();
    let sha1 = release(1).sha1;
    assert_eq!(
        json,
        format!(r#"[["2026-11-21","{sha1}","1.21.4",5,1795262000]]"#)
    );
    let back: Vec<StoredRow> = serde_json::from_str(&json).unwrap();
    assert_eq!(back, [stored]);
}

#[test]
fn the_first_day_is_counted_from_today() {
    let now = Timestamp::from_seconds(1_795_262_400);
    assert_eq!(first_day(now, 1), "2026-11-21");
    assert_eq!(first_day(now, 30), "2026-10-23");
    assert_eq!(first_day(now, 90), "2026-08-24");
}
