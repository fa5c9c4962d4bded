//! The built-in image's file system as a tar.

use std::io;

use tar::{Builder, EntryType, Header};

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
sync:x:4:100:sync:/bin:/bin/sync
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
";

const GROUP: &str = "\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
lp:x:7:
mail:x:8:
kmem:x:9:
wheel:x:10:root
cdrom:x:11:
dialout:x:18:
floppy:x:19:
video:x:28:
audio:x:29:
tape:x:32:
www-data:x:33:
operator:x:37:
utmp:x:43:
plugdev:x:46:
staff:x:50:
lock:x:54:
netdev:x:82:
users:x:100:
nobody:x:65534:
";

const SHADOW: &str = "\
root:*:::::::
daemon:*:::::::
bin:*:::::::
sys:*:::::::
sync:*:::::::
mail:*:::::::
www-data:*:::::::
operator:*:::::::
nobody:*:::::::
";

const NSSWITCH: &str = "\
passwd: files
group: files
shadow: files
hosts: files dns
networks: files
protocols: files
services: files
";

/// Directories, parents first: path, mode, owner and group.
const DIRECTORIES: [(&str, u32, u64); 16] = [
    ("bin/", 0o755, 0),
    ("dev/", 0o755, 0),
    ("etc/", 0o755, 0),
    ("etc/network/", 0o755, 0),
    ("home/", 0o755, 65534),
    ("lib/", 0o755, 0),
    ("root/", 0o700, 0),
    ("sbin/", 0o755, 0),
    ("tmp/", 0o1777, 0),
    ("usr/", 0o755, 0),
    ("usr/bin/", 0o755, 0),
    ("usr/sbin/", 0o755, 0),
    ("var/", 0o755, 0),
    ("var/spool/", 0o755, 0),
    ("var/spool/mail/", 0o755, 8),
    ("var/www/", 0o755, 33),
];

/// Builds the tar. `applets` are names that become links to the one binary.
pub(super) fn build(busybox: &[u8], applets: &[String]) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::with_capacity(busybox.len() + (512 << 10)));
    for (path, mode, owner) in DIRECTORIES {
        tar.append_data(&mut header(EntryType::Directory, mode, owner, 0), path, io::empty())?;
    }
    file(&mut tar, "bin/busybox", 0o755, busybox)?;
    // Hard links, as in the official image: the file is there once, under every name.
    for applet in applets.iter().filter(|name| *name != "busybox") {
        let mut link = header(EntryType::Link, 0o755, 0, 0);
        tar.append_link(&mut link, format!("bin/{applet}"), "bin/busybox")?;
    }
    // Scripts expect it there.
    tar.append_link(&mut header(EntryType::Symlink, 0o777, 0, 0), "usr/bin/env", "../../bin/env")?;
    let files = [("etc/passwd", 0o644, PASSWD), ("etc/group", 0o644, GROUP), ("etc/shadow", 0o640, SHADOW)];
    for (path, mode, text) in files {
        file(&mut tar, path, mode, text.as_bytes())?;
    }
    file(&mut tar, "etc/nsswitch.conf", 0o644, NSSWITCH.as_bytes())?;
    tar.into_inner()
}

fn file(tar: &mut Builder<Vec<u8>>, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    tar.append_data(&mut header(EntryType::Regular, mode, 0, content.len() as u64), path, content)
}

/// The same header on every host and every day.
fn header(kind: EntryType, mode: u32, owner: u64, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(size);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_gives_the_same_bytes() {
        let applets = ["sh".to_owned(), "[".to_owned(), "env".to_owned()];
        let first = build(b"binary", &applets).unwrap();
        assert_eq!(first, build(b"binary", &applets).unwrap());
        let mut names = Vec::new();
        for entry in tar::Archive::new(&first[..]).entries().unwrap() {
            let entry = entry.unwrap();
            names.push(entry.path().unwrap().to_string_lossy().into_owned());
        }
        for name in ["bin/busybox", "bin/[", "etc/passwd", "tmp/", "usr/bin/env"] {
            assert!(names.iter().any(|n| n == name), "{name} in {names:?}");
        }
    }
}
