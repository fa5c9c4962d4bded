//! The exact tar comes out again, for archives as other programs write them; and what is on disk is what GNU tar would
//! have extracted.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::*;

/// Runs a program that must succeed; its output.
fn run(program: &str, args: &[&str], dir: &Path) -> Vec<u8> {
    let out = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// A tree with some of everything.
const TREE: &str = r#"
set -e
mkdir -p t/dir/sub t/empty "t/sp ace"
printf hello > t/dir/file
chmod 4755 t/dir/file
chown 1000:2000 t/dir/file
ln t/dir/file t/hard
ln -s ../dir/file t/dir/link
ln -s /absolute/$(printf 'x%.0s' $(seq 200)) t/longlink
mkdir -p t/$(printf 'd%.0s' $(seq 90))/$(printf 'e%.0s' $(seq 90))
echo long > t/$(printf 'd%.0s' $(seq 90))/$(printf 'e%.0s' $(seq 90))/$(printf 'f%.0s' $(seq 90))
mkfifo t/fifo
mknod t/null c 1 3
head -c 1000000 /dev/urandom > t/big
truncate -s 3000000 t/sparse
printf data1 | dd of=t/sparse conv=notrunc bs=1 seek=100000 status=none
printf data2 | dd of=t/sparse conv=notrunc bs=1 seek=2500000 status=none
truncate -s 500000 t/hole
chmod 1777 t/empty
touch -d '2001-02-03 04:05:06.789' t/dir/file t/dir t/empty
touch -d '1965-01-01' t/big
touch -h -d '2010-01-01' t/dir/link
"#;

fn source() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    run("bash", &["-c", TREE], dir.path());
    dir
}

/// A listing of names, kinds, modes, owners, sizes, times, links and content.
fn listing(dir: &Path, nanoseconds: bool) -> String {
    let time = if nanoseconds { "%T@" } else { "%Ts" };
    let script = format!(
        "find . -mindepth 1 -printf '%P|%y|%m|%U|%G|%n|%l|{time}|' \\( -type f -printf '%s' -exec sha256sum {{}} \\; -o -printf '\\n' \\) | sort"
    );
    let text = String::from_utf8(run("bash", &["-c", &script], dir)).unwrap();
    assert!(text.lines().count() > 15, "{text}");
    text
}

#[test]
fn every_format_of_gnu_tar_is_reproduced_and_extracted_like_gnu_tar_does() {
    let source = source();
    for (format, sparse) in [
        ("gnu", None),
        ("pax", None),
        ("gnu", Some("")),
        ("oldgnu", Some("")),
        ("pax", Some("0.0")),
        ("pax", Some("0.1")),
        ("pax", Some("1.0")),
    ] {
        let root = root();
        let mut args =
            vec!["-C".to_owned(), "t".into(), format!("--format={format}"), "--numeric-owner".into()];
        if let Some(version) = sparse {
            args.push("-S".into());
            if !version.is_empty() {
                args.push(format!("--sparse-version={version}"));
            }
        }
        args.extend(["-cf".into(), "-".into(), ".".into()]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let bytes = run("tar", &args, source.path());
        if sparse.is_some() {
            assert!(bytes.len() < 1_200_000, "{format}: not sparse");
        }
        let layer = root.unpack_exact(&bytes);
        let nanoseconds = format == "pax";
        let (got, want) =
            (listing(&root.tree(&layer), nanoseconds), listing(&source.path().join("t"), nanoseconds));
        assert_eq!(got, want, "{format} {sparse:?}");
        if sparse.is_some() {
            let stat = stat(root.tree(&layer).join("sparse"));
            assert!(stat.st_blocks * 512 < 200_000, "{format} {sparse:?}: the holes were filled");
        }
    }
}

#[test]
fn ustar_and_v7_archives_are_reproduced_too() {
    let source = source();
    run("bash", &["-c", "rm -r t/longlink; touch -d 2000-01-01 t/big; rm -r t/ddd*"], source.path());
    for format in ["ustar", "v7"] {
        if format == "v7" {
            run("bash", &["-c", "rm t/fifo t/null"], source.path());
        }
        let root = root();
        let bytes = run("tar", &["-C", "t", &format!("--format={format}"), "-cf", "-", "."], source.path());
        let layer = root.unpack_exact(&bytes);
        assert_eq!(fs::read(root.tree(&layer).join("hard")).unwrap(), b"hello");
        assert!(stat(root.tree(&layer).join("empty")).st_mode & 0o170000 == 0o040000);
    }
}

#[test]
fn odd_block_sizes_and_bytes_after_the_end_are_kept() {
    let source = source();
    for blocking in ["1", "20", "200"] {
        let bytes = run("tar", &["-b", blocking, "-cf", "-", "t/dir"], source.path());
        root().unpack_exact(&bytes);
    }
    let bytes =
        [run("tar", &["-cf", "-", "t/dir"], source.path()), b"something after the end".to_vec()].concat();
    root().unpack_exact(&bytes);
    // No end at all, as some writers leave it.
    root().unpack_exact(&file("a", "b").bytes());
    root().unpack_exact(b"");
}

const PYTHON: &str = r#"
import io, sys, tarfile
formats = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
fmt = sys.argv[1]
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=formats[fmt],
                 pax_headers={"comment": "global"} if fmt == "pax" else None)
def add(name, data=b"", **kw):
    i = tarfile.TarInfo(name)
    i.size = len(data)
    for k, v in kw.items():
        setattr(i, k, v)
    t.addfile(i, io.BytesIO(data))
add("dir", type=tarfile.DIRTYPE, mode=0o755, mtime=1234567890)
add("dir/a", b"A" * 1000, mode=0o640, uid=12, gid=34, mtime=1.5 if fmt == "pax" else 1)
add("dir/l", type=tarfile.SYMTYPE, linkname="a")
add("dir/h", type=tarfile.LNKTYPE, linkname="dir/a")
add("dir/" + "n" * 120 if fmt != "ustar" else "n" * 90 + "/" + "m" * 90, b"long")
if fmt == "pax":
    add("dir/umlaut-\u00fc", b"u", pax_headers={"SCHILY.xattr.user.k": "v", "uid": "3000000000"})
if fmt == "gnu":
    add("dir/large-id", b"u", uid=3000000000, mtime=-5)
add("dir/a", b"again")
t.close()
"#;

#[test]
fn archives_written_by_python_are_reproduced() {
    for format in ["ustar", "gnu", "pax"] {
        let root = root();
        let bytes = run("python3", &["-c", PYTHON, format], root.dir.path());
        let layer = root.unpack_exact(&bytes);
        let tree = root.tree(&layer);
        assert_eq!(fs::read(tree.join("dir/a")).unwrap(), b"again");
        assert_eq!(fs::read(tree.join("dir/h")).unwrap(), vec![b'A'; 1000]);
        match format {
            "pax" => {
                let path = tree.join("dir/umlaut-\u{fc}");
                assert_eq!(xattr(&path, "user.k").unwrap(), b"v");
                assert_eq!(stat(&path).st_uid, 3_000_000_000);
                assert_eq!(
                    (stat(tree.join("dir/h")).st_mtime_nsec, layer.max_uid),
                    (500_000_000, 3_000_000_000)
                );
            }
            "gnu" => {
                let stat = stat(tree.join("dir/large-id"));
                assert_eq!((stat.st_uid, stat.st_mtime), (3_000_000_000, -5));
            }
            _ => assert!(tree.join("n".repeat(90)).join("m".repeat(90)).exists()),
        }
    }
}

#[test]
fn extended_attributes_written_by_gnu_tar_arrive() {
    let source = source();
    let python = "import os; os.setxattr('t/dir/file', 'user.k', b'v'); \
                  os.setxattr('t/big', 'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'))";
    run("python3", &["-c", python], source.path());
    let root = root();
    let bytes = run("tar", &["-C", "t", "--xattrs", "--xattrs-include=*", "-cf", "-", "."], source.path());
    let layer = root.unpack_exact(&bytes);
    assert_eq!(xattr(&root.tree(&layer).join("dir/file"), "user.k").unwrap(), b"v");
    assert_eq!(xattr(&root.tree(&layer).join("big"), "security.capability").unwrap().len(), 20);
}

#[test]
fn a_real_directory_tree_of_the_host_goes_through_unchanged() {
    let root = root();
    let scratch = tempfile::tempdir().unwrap();
    let bytes =
        run("tar", &["--format=pax", "-C", "/usr/share", "-cf", "-", "perl5", "dpkg"], scratch.path());
    assert!(bytes.len() > 100_000);
    let layer = root.unpack_exact(&bytes);
    let extracted = scratch.path().join("x");
    fs::create_dir(&extracted).unwrap();
    fs::write(scratch.path().join("x.tar"), &bytes).unwrap();
    run("tar", &["-C", "x", "-xpf", "x.tar", "--numeric-owner"], scratch.path());
    assert_eq!(listing(&root.tree(&layer), true), listing(&extracted, true));
}
