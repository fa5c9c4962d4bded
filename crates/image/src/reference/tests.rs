//! Tables from Docker's behaviour, and properties that hold for every reference.

use proptest::prelude::*;

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn names_normalise_and_shorten_as_in_docker() {
    let cases = [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("user/app", "docker.io/user/app:latest", "user/app:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app:x", "localhost:5000/app:x", "localhost:5000/app:x"),
        ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest", "127.0.0.1:5000/a/b:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("ghcr.io/o/r:t", "ghcr.io/o/r:t", "ghcr.io/o/r:t"),
        ("Upper/app", "Upper/app:latest", "Upper/app:latest"),
        ("xn--n3h.com/app", "xn--n3h.com/app:latest", "xn--n3h.com/app:latest"),
        ("deadbeef", "docker.io/library/deadbeef:latest", "deadbeef:latest"),
    ];
    for (input, canonical, familiar) in cases {
        let parsed = Reference::parse(input).unwrap_or_else(|e| panic!("{input}: {e}")).or_latest();
        assert_eq!(parsed.to_string(), canonical, "{input}");
        assert_eq!(parsed.familiar(), familiar, "{input}");
    }
}

#[test]
fn a_digest_keeps_the_default_tag_away() {
    let parsed = Reference::parse(&format!("busybox@sha256:{HEX}")).unwrap().or_latest();
    assert_eq!(parsed.tag(), None);
    assert_eq!(parsed.to_string(), format!("docker.io/library/busybox@sha256:{HEX}"));
    let both = Reference::parse(&format!("busybox:1@sha256:{HEX}")).unwrap();
    assert_eq!((both.tag(), both.digest().map(Digest::hex)), (Some("1"), Some(HEX.to_owned())));
}

#[test]
fn malformed_names_are_refused_in_dockers_words() {
    let long = format!("{}/a", "a".repeat(300));
    let cases = [
        ("", "invalid reference format"),
        (":tag", "invalid reference format"),
        ("busybox:", "invalid reference format"),
        ("busybox: x", "invalid reference format"),
        (" busybox", "invalid reference format"),
        ("busybox@", "invalid reference format"),
        ("busybox@sha256:abc", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("/a", "invalid reference format"),
        ("a/", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("a..b", "invalid reference format"),
        ("http://host/app", "invalid reference format"),
        ("a:1:2", "invalid reference format"),
        ("caf\u{e9}", "invalid reference format"),
        ("busybox\n", "invalid reference format"),
        ("Busybox", "invalid reference format: repository name (library/Busybox) must be lowercase"),
        ("user/App:Tag", "invalid reference format: repository name (user/App) must be lowercase"),
        (HEX, &format!("invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings")),
        (&long, "repository name must not be more than 255 characters"),
        (&format!("a@sha512:{HEX}"), "unsupported digest algorithm"),
        (&format!("a@sha256:{HEX}00"), "invalid checksum digest length"),
        (&format!("a@sha256:{}", HEX.to_uppercase()), "invalid checksum digest format"),
    ];
    for (input, message) in cases {
        match Reference::parse(input) {
            Ok(parsed) => panic!("{input:?} was accepted as {parsed}"),
            Err(error) => assert_eq!(error.to_string(), message, "{input:?}"),
        }
    }
}

#[test]
fn ids_and_names_are_told_apart() {
    let id = Digest::from_hex(HEX).unwrap();
    assert_eq!(AnyReference::parse(HEX), Ok(AnyReference::Id(id)));
    assert_eq!(AnyReference::parse(&format!("sha256:{HEX}")), Ok(AnyReference::Id(id)));
    let AnyReference::Name(short) = AnyReference::parse("e3b0c44298fc").unwrap() else { panic!("an ID") };
    assert_eq!(short.familiar(), "e3b0c44298fc");
}

#[test]
fn tags_are_checked_when_set() {
    let name = Reference::parse("app").unwrap();
    assert_eq!(name.with_tag("v1").unwrap().familiar(), "app:v1");
    assert_eq!(name.with_tag("a b").unwrap_err().to_string(), "invalid tag format");
    assert_eq!(name.with_digest(Digest::of("")).without_suffixes(), name);
}

fn domain() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("docker.io".to_owned()),
        Just("localhost".to_owned()),
        "[a-z0-9]{1,8}\\.[a-z]{2,3}(:[0-9]{1,5})?",
        "[a-z]{1,8}:[0-9]{1,5}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    "[a-z0-9]{1,6}((_|\\.|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,6}(-[a-z0-9]{1,4})?){0,3}"
}

proptest! {
    #[test]
    fn parsing_never_panics_and_what_parses_prints_to_itself(s in "\\PC{0,80}") {
        if let Ok(reference) = Reference::parse(&s) {
            prop_assert_eq!(Reference::parse(&reference.to_string()).unwrap(), reference);
        }
    }

    #[test]
    fn canonical_and_familiar_forms_mean_the_same(
        domain in domain(), path in path(), tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
        digest in proptest::option::of(any::<[u8; 32]>()),
    ) {
        let mut s = format!("{domain}/{path}");
        if let Some(tag) = tag {
            s = format!("{s}:{tag}");
        }
        if let Some(bytes) = digest {
            s = format!("{s}@{}", Digest::from_bytes(bytes));
        }
        let reference = Reference::parse(&s).unwrap();
        prop_assert_eq!(&Reference::parse(&reference.to_string()).unwrap(), &reference);
        // A familiar name of 64 hex digits would be taken for an ID; the strategy's paths are too short for that.
        prop_assert_eq!(&Reference::parse(&reference.familiar()).unwrap(), &reference);
        prop_assert!(reference.tag().is_none() || !reference.is_name_only());
    }

    #[test]
    fn arbitrary_text_from_the_alphabet_of_references_round_trips(s in "[a-zA-Z0-9._:/@\\[\\]-]{0,60}") {
        if let Ok(reference) = Reference::parse(&s) {
            prop_assert_eq!(Reference::parse(&reference.familiar()).unwrap(), reference);
        }
    }
}
