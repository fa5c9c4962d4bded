//! What goes in front of a compiled profile: calls newer than the profile do not exist.
//!
//! Calls whose number is beyond everything the profile names (for that architecture) fail with ENOSYS instead of
//! the profile's EPERM. Such a call is newer than the profile or than the installed libseccomp, and programs know
//! what to do when a kernel lacks it, but not when it is forbidden. runc does the same.

use libseccomp::{ScmpArch, ScmpSyscall};

use super::compile::INSTRUCTION;
use super::profile::Action;
use super::resolve::Resolved;

/// Set in the numbers of x32 calls, which share x86-64's architecture token.
const X32_BIT: u32 = 0x4000_0000;
const ENOSYS: u32 = 38;

/// `AUDIT_ARCH_*` of the architectures whose newest call is looked for.
fn audit(arch: ScmpArch) -> Option<u32> {
    Some(match arch {
        ScmpArch::X8664 | ScmpArch::X32 => 0xc000_003e,
        ScmpArch::X86 => 0x4000_0003,
        ScmpArch::Aarch64 => 0xc000_00b7,
        ScmpArch::Arm => 0x4000_0028,
        ScmpArch::Riscv64 => 0xc000_00f3,
        ScmpArch::Ppc64Le => 0xc000_0015,
        ScmpArch::S390X => 0x8000_0016,
        ScmpArch::S390 => 0x0000_0016,
        ScmpArch::Loongarch64 => 0xc000_0102,
        _ => return None,
    })
}

/// One instruction: `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }`.
fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> [u8; INSTRUCTION] {
    let [c0, c1] = code.to_ne_bytes();
    let [k0, k1, k2, k3] = k.to_ne_bytes();
    [c0, c1, jt, jf, k0, k1, k2, k3]
}

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const RETURN_ERRNO: u32 = 0x0005_0000;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

/// The greatest number the profile names, by architecture.
fn newest(resolved: &Resolved, arch: ScmpArch) -> Option<u32> {
    resolved
        .syscalls
        .iter()
        .flat_map(|rule| &rule.names)
        .filter_map(|name| ScmpSyscall::from_name_by_arch(name, arch).ok())
        // Calls the architecture lacks have negative numbers.
        .filter_map(|syscall| u32::try_from(i32::from(syscall)).ok())
        .max()
        .map(|number| if arch == ScmpArch::X32 { number | X32_BIT } else { number })
}

/// The instructions in front: ENOSYS for what is newer than the profile.
pub(super) fn stub(resolved: &Resolved, arches: &[ScmpArch]) -> Vec<u8> {
    let lets_pass =
        matches!(resolved.default_action, Action::Allow | Action::Log | Action::Trace | Action::Notify);
    let already = resolved.default_action == Action::Errno && resolved.default_errno_ret == Some(ENOSYS);
    if lets_pass || already {
        return Vec::new();
    }
    let mut blocks: Vec<Vec<[u8; INSTRUCTION]>> = Vec::new();
    for arch in arches.iter().filter(|arch| **arch != ScmpArch::X32) {
        let (Some(token), Some(newest_here)) = (audit(*arch), newest(resolved, *arch)) else { continue };
        let refuse = instruction(RETURN, 0, 0, RETURN_ERRNO | ENOSYS);
        // The last instruction of each block leaves the stub; its distance is set below.
        let leave = instruction(JUMP, 0, 0, 0);
        let mut block = vec![instruction(LOAD, 0, 0, NUMBER)];
        match (*arch, newest(resolved, ScmpArch::X32).filter(|_| arches.contains(&ScmpArch::X32))) {
            (ScmpArch::X8664, Some(newest_x32)) => block.extend([
                instruction(JUMP_AT_LEAST, 1, 0, X32_BIT),
                instruction(JUMP_GREATER, 1, 2, newest_here),
                instruction(JUMP_GREATER, 0, 1, newest_x32),
                refuse,
            ]),
            // Without x32 its numbers are a foreign architecture's, which is libseccomp's to refuse.
            (ScmpArch::X8664, None) => block.extend([
                instruction(JUMP_AT_LEAST, 2, 0, X32_BIT),
                instruction(JUMP_GREATER, 0, 1, newest_here),
                refuse,
            ]),
            _ => block.extend([instruction(JUMP_GREATER, 0, 1, newest_here), refuse]),
        }
        block.push(leave);
        let skip = u8::try_from(block.len()).unwrap_or(u8::MAX);
        block.insert(0, instruction(JUMP_EQUAL, 0, skip, token));
        blocks.push(block);
    }
    if blocks.is_empty() {
        return Vec::new();
    }
    let total: usize = blocks.iter().map(Vec::len).sum();
    let mut out = vec![instruction(LOAD, 0, 0, ARCH)];
    for mut block in blocks {
        let left = total + 1 - (out.len() + block.len());
        if let Some(leave) = block.last_mut() {
            *leave = instruction(JUMP, 0, 0, u32::try_from(left).unwrap_or(0));
        }
        out.extend(block);
    }
    out.concat()
}
