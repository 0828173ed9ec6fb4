use proptest::prelude::*;

use super::*;

fn boundary() -> Boundary {
    Boundary::of("multipart/form-data; boundary=B").unwrap()
}

/// A form of these lines, with `\r\n` between them.
fn lines(lines: &[&str]) -> Vec<u8> {
    lines.join("\r\n").into_bytes()
}

fn read(body: &[u8]) -> Result<(String, &[u8]), FormError> {
    let front = front(body, &boundary())?;
    Ok((front.id, &body[front.file_at..]))
}

#[test]
fn a_boundary_is_read_from_a_content_type() {
    let long = "x".repeat(70);
    for (content_type, expected) in [
        ("multipart/form-data; boundary=abc", "abc"),
        ("Multipart/Form-Data;BOUNDARY=abc", "abc"),
        (
            "multipart/form-data; charset=utf-8; boundary=abc ; x=y",
            "abc",
        ),
        ("multipart/form-data; boundary=\"a;b=c d\"; x=y", "a;b=c d"),
        (
            "multipart/form-data; x=\"; boundary=no\"; boundary=yes",
            "yes",
        ),
        ("multipart/form-data; boundary=\"a\\\"b\"", "a\"b"),
        ("multipart/form-data; boundary=*****", "*****"),
        ("multipart/form-data; flag; boundary=abc", "abc"),
        (&format!("multipart/form-data; boundary={long}"), &long),
    ] {
        let boundary = Boundary::of(content_type);
        let delimiter = boundary.map(|boundary| boundary.delimiter());
        let expected = format!("\r\n--{expected}").into_bytes();
        assert_eq!(delimiter, Ok(expected), "{content_type}");
    }
}

#[test]
fn what_is_no_boundary_is_refused() {
    let too_long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for (content_type, error) in [
        ("", FormError::NotAForm),
        ("application/zip", FormError::NotAForm),
        ("multipart/mixed; boundary=abc", FormError::NotAForm),
        ("multipart/form-data", FormError::NoBoundary),
        ("multipart/form-data; boundary", FormError::NoBoundary),
        ("multipart/form-data; boundary=", FormError::NoBoundary),
        ("multipart/form-data; boundary=\"\"", FormError::NoBoundary),
        ("multipart/form-data; boundary=\"abc", FormError::NoBoundary),
        (
            "multipart/form-data; boundary=\"abc \"",
            FormError::OddBoundary,
        ),
        (
            "multipart/form-data; boundary=\"a\tb\"",
            FormError::OddBoundary,
        ),
        ("multipart/form-data; boundary=ä", FormError::OddBoundary),
        (&too_long, FormError::LongBoundary(71)),
    ] {
        assert_eq!(Boundary::of(content_type), Err(error), "{content_type:?}");
    }
}

#[test]
fn the_forms_of_real_clients_are_read() {
    let curl = lines(&[
        "--B",
        "Content-Disposition: form-data; name=\"id\"",
        "",
        "token",
        "--B",
        "Content-Disposition: form-data; name=\"pack\"; filename=\"pack.zip\"",
        "Content-Type: application/octet-stream",
        "",
        "PK-file",
    ]);
    let apache = lines(&[
        "--B",
        "Content-Disposition: form-data; name=\"id\"",
        "Content-Type: text/plain; charset=ISO-8859-1",
        "Content-Transfer-Encoding: 8bit",
        "",
        "token",
        "--B",
        "Content-Disposition: form-data; name=\"pack\"; filename=\"pack.zip\"",
        "Content-Type: application/octet-stream",
        "Content-Transfer-Encoding: binary",
        "",
        "PK-file",
    ]);
    let odd = lines(&[
        "a preamble",
        "--B \t",
        "X-Other: name=\"pack\"",
        "content-disposition:form-data;filename=\"name=pack; \\\"\";NAME=id",
        "",
        "token",
        "--B",
        "Content-Disposition: form-data; name=other",
        "",
        "",
        "--B",
        "Content-Disposition: form-data; name=pack",
        "",
        "PK-file",
    ]);
    for body in [curl, apache, odd] {
        let expected = Ok(("token".to_owned(), &b"PK-file"[..]));
        assert_eq!(read(&body), expected, "{}", String::from_utf8_lossy(&body));
    }
}

const ID: &str = "Content-Disposition: form-data; name=\"id\"";
const PACK: &str = "Content-Disposition: form-data; name=\"pack\"; filename=\"p.zip\"";

#[test]
fn what_is_wrong_with_a_form_is_named() {
    for (body, error) in [
        (lines(&[]), "does not begin with the boundary"),
        (
            lines(&["--C", ID, "", "token"]),
            "does not begin with the boundary",
        ),
        (lines(&["--B--"]), "no field \"id\""),
        (lines(&["--B"]), "no field \"id\""),
        (
            lines(&["--Bx", ID, "", "t", "--B"]),
            "followed by other text",
        ),
        (
            lines(&["--B", ID, "", "token", "--B--", ""]),
            "no field \"pack\"",
        ),
        (
            lines(&["--B", ID, "", "token", "--B", PACK]),
            "no field \"pack\"",
        ),
        (lines(&["--B", ID, "", "token"]), "no field \"id\""),
        (
            lines(&["--B", PACK, "", "PK", "--B", ID, "", "t", "--B--"]),
            "\"id\" (a token) is missing, or comes after",
        ),
        (
            lines(&[
                "--B", ID, "", "a", "--B", ID, "", "b", "--B", PACK, "", "PK",
            ]),
            "\"id\" twice",
        ),
        (
            lines(&["--B", "", "", "token", "--B"]),
            "no Content-Disposition",
        ),
        (
            lines(&["--B", "Content-Disposition: form-data", "", "x", "--B"]),
            "has no name",
        ),
        (
            lines(&[
                "--B",
                "Content-Disposition: form-data; name=\"id",
                "",
                "x",
                "--B",
            ]),
            "has no name",
        ),
        (
            [&lines(&["--B", ID, "", ""])[..], b"\xff\r\n--B"].concat(),
            "\"id\" is no text",
        ),
    ] {
        let said = read(&body).unwrap_err().to_string();
        assert!(
            said.contains(error),
            "{}: {said}",
            String::from_utf8_lossy(&body)
        );
    }
}

#[test]
fn an_end_is_told_from_another_field_and_from_none() {
    for end_of in ["--", "--\r\n", "--\r\n\r\n", "-- \t\r\n"] {
        assert_eq!(end(Some(end_of.as_bytes())), Ok(()), "{end_of:?}");
    }
    for (after, error) in [
        ("\r\nContent-Disposition: form-data", FormError::NotLast),
        (" \r\n", FormError::NotLast),
        ("--\r\nmore", FormError::NotLast),
        ("x--", FormError::NotLast),
        ("-", FormError::NoEnd),
        ("", FormError::NoEnd),
    ] {
        assert_eq!(end(Some(after.as_bytes())), Err(error), "{after:?}");
    }
    let blank = [b"--", &[b' '; MAX_AFTER][..]].concat();
    assert_eq!(end(Some(&blank)), Err(FormError::NotLast));
    assert_eq!(end(None), Err(FormError::NoEnd));
}

proptest! {
    #[test]
    fn no_body_and_no_header_is_too_odd_to_judge(body in any::<Vec<u8>>(), text in ".{0,80}") {
        let _ = read(&body);
        let _ = end(Some(&body));
        let _ = Boundary::of(&format!("multipart/form-data; {text}"));
        let lines = lines(&["--B", &text, "", &text, "--B", PACK, "", &text]);
        let _ = read(&lines);
    }

    #[test]
    fn a_form_that_is_cut_anywhere_is_either_the_same_or_refused(cut in 0_usize..200, id in "[A-Za-z0-9_-]{1,43}") {
        let body = lines(&["--B", ID, "", &id, "--B", PACK, "", "PK-file"]);
        let cut = cut.min(body.len());
        if let Ok((read, file)) = read(&body[..cut]) {
            prop_assert_eq!(read, id);
            prop_assert!(b"PK-file".starts_with(file));
        }
    }
}
