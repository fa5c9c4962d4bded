//! Installing a compiled system call filter.

use crate::error::check;
use crate::{Error, Result};

/// Longest program the kernel takes (`BPF_MAXINSNS`).
const MAX_INSTRUCTIONS: usize = 4096;
const SECCOMP_SET_MODE_FILTER: u32 = 1;
/// Leaves speculation mitigations as they are, as container runtimes do: the default of kernels ≥ 5.16.
const SPEC_ALLOW: u32 = 1 << 2;

/// Installs the filter `program`, an array of `struct sock_filter` in native byte order, for the calling
/// thread and everything it executes. Needs `CAP_SYS_ADMIN` in its user namespace, or `no_new_privs`.
///
/// # Errors
/// `EINVAL`: not a valid program; `EACCES`: neither of the two conditions holds.
pub fn install(program: &[u8]) -> Result<()> {
    const WIDTH: usize = size_of::<libc::sock_filter>();
    let invalid = || Error::call("install seccomp filter", std::io::Error::from_raw_os_error(libc::EINVAL));
    if program.is_empty() || !program.len().is_multiple_of(WIDTH) || program.len() / WIDTH > MAX_INSTRUCTIONS
    {
        return Err(invalid());
    }
    let mut filter: Vec<libc::sock_filter> = program
        .chunks_exact(WIDTH)
        .filter_map(|bytes| {
            let bytes: [u8; WIDTH] = bytes.try_into().ok()?;
            let [a, b, jt, jf, c, d, e, f] = bytes;
            let (code, k) = (u16::from_ne_bytes([a, b]), u32::from_ne_bytes([c, d, e, f]));
            Some(libc::sock_filter { code, jt, jf, k })
        })
        .collect();
    let len = u16::try_from(filter.len()).map_err(|_| invalid())?;
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    // SAFETY: `program` points to `len` initialised instructions, both live until the call returns; the
    // kernel copies and verifies them.
    check(unsafe {
        libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, SPEC_ALLOW, &raw const program)
    })
    .map(drop)
    .map_err(|error| Error::call("install seccomp filter", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_none_is_refused_before_the_kernel_sees_it() {
        for bytes in [&[][..], &[1, 2, 3], &[0; 8 * 4097]] {
            assert_eq!(install(bytes).unwrap_err().errno(), libc::EINVAL);
        }
    }
}
