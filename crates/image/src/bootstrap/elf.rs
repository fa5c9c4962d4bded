//! Is this file a program that runs without anything else of its file system?

const PT_INTERP: u32 = 3;

/// The machine this build runs on, as ELF numbers it; none where that is not known here.
fn host_machine() -> Option<u16> {
    match std::env::consts::ARCH {
        "x86_64" => Some(62),
        "x86" => Some(3),
        "aarch64" => Some(183),
        "arm" => Some(40),
        "riscv64" => Some(243),
        "s390x" => Some(22),
        "powerpc64" => Some(21),
        "loongarch64" => Some(258),
        _ => None,
    }
}

/// Checks that the file is an ELF executable for this host that names no interpreter.
pub(super) fn check(file: &[u8]) -> Result<(), &'static str> {
    const BROKEN: &str = "it is not an ELF executable (its headers are damaged)";
    if !file.starts_with(b"\x7fELF") {
        return Err("it is not an ELF executable");
    }
    let wide = match file.get(4) {
        Some(1) => false,
        Some(2) => true,
        _ => return Err(BROKEN),
    };
    let big = match file.get(5) {
        Some(1) => false,
        Some(2) => true,
        _ => return Err(BROKEN),
    };
    let number = |at: usize, len: usize| -> Option<u64> {
        let bytes = file.get(at..at.checked_add(len)?)?;
        let fold = |n: u64, b: &u8| (n << 8) | u64::from(*b);
        Some(if big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    };
    let kind = number(16, 2).ok_or(BROKEN)?;
    // Position-independent static programs are of the type of shared objects.
    if !matches!(kind, 2 | 3) {
        return Err("it is not an ELF executable");
    }
    let machine = number(18, 2).ok_or(BROKEN)?;
    if host_machine().is_some_and(|host| u64::from(host) != machine) {
        return Err("it is for another processor architecture");
    }
    let (table, entry_size, count) = if wide {
        (number(32, 8), number(54, 2), number(56, 2))
    } else {
        (number(28, 4), number(42, 2), number(44, 2))
    };
    let table = usize::try_from(table.ok_or(BROKEN)?).map_err(|_| BROKEN)?;
    let entry_size = usize::try_from(entry_size.ok_or(BROKEN)?).map_err(|_| BROKEN)?;
    let count = usize::try_from(count.ok_or(BROKEN)?).map_err(|_| BROKEN)?;
    if count == 0 {
        return Err(BROKEN);
    }
    for i in 0..count {
        let at = i.checked_mul(entry_size).and_then(|o| table.checked_add(o)).ok_or(BROKEN)?;
        if number(at, 4).ok_or(BROKEN)? == u64::from(PT_INTERP) {
            return Err("it is dynamically linked; a static busybox is needed (package busybox-static)");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn damaged_files_are_refused() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert!(check(&own).unwrap_err().contains("dynamically linked"));
        assert!(check(b"").is_err());
        for len in [4, 5, 6, 17, 20, 40, 63, 100] {
            assert!(check(&own[..len]).is_err(), "{len}");
        }
        let mut other = own.clone();
        other[18] ^= 0x55;
        assert_eq!(check(&other), Err("it is for another processor architecture"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>) {
            let _ = check(&bytes);
            bytes.splice(0..0, *b"\x7fELF\x02\x01");
            let _ = check(&bytes);
        }
    }
}
