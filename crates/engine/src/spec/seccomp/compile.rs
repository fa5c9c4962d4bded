//! From a settled profile to the program the kernel runs.
//!
//! libseccomp does the translation; a few instructions of our own go in front of its program (`stub`).

use std::collections::HashSet;
use std::io::{self, Read};
use std::str::FromStr;
use std::thread;

use libseccomp::error::SeccompError as Library;
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};

use super::SeccompError;
use super::profile::{Action, Arg, Op};
use super::resolve::{Resolved, ResolvedRule};
use super::stub::stub;

/// `BPF_MAXINSNS`.
const MAX_INSTRUCTIONS: usize = 4096;
/// Size of `struct sock_filter`.
pub(super) const INSTRUCTION: usize = 8;
const EPERM: u32 = 1;

/// Compiles a profile: an array of `struct sock_filter` in native byte order, for `struct sock_fprog`.
///
/// The program neither sets `no_new_privs` nor asks for thread synchronisation: whoever installs it decides.
/// Calls the installed libseccomp has no number for are left out.
///
/// # Errors
/// Architectures libseccomp does not know, rules it refuses, and programs the kernel would refuse as too long.
pub fn compile(resolved: &Resolved) -> Result<Vec<u8>, SeccompError> {
    let default = action(resolved.default_action, resolved.default_errno_ret);
    let mut filter = ScmpFilterContext::new(default).map_err(step("creating it"))?;
    filter.set_ctl_nnp(false).map_err(step("clearing no_new_privs"))?;
    filter.set_ctl_tsync(false).map_err(step("clearing thread synchronisation"))?;
    let mut arches = vec![ScmpArch::native()];
    for name in &resolved.architectures {
        let arch = ScmpArch::from_str(name).map_err(|_| SeccompError::Architecture(name.clone()))?;
        if arch != ScmpArch::Native && !arches.contains(&arch) {
            filter.add_arch(arch).map_err(step(name))?;
            arches.push(arch);
        }
    }
    // A binary tree instead of a list: a call costs a dozen comparisons, not hundreds. libseccomp before 2.5
    // cannot, and the program is right without it.
    let _ = filter.set_ctl_optimize(2);
    for rule in &resolved.syscalls {
        add(&mut filter, rule, default)?;
    }
    let mut program = stub(resolved, &arches);
    program.extend(export(&filter)?);
    let instructions = program.len() / INSTRUCTION;
    if instructions > MAX_INSTRUCTIONS {
        return Err(SeccompError::TooLong(instructions));
    }
    Ok(program)
}

fn step(step: impl Into<String>) -> impl FnOnce(Library) -> SeccompError {
    let step = step.into();
    move |source| SeccompError::Library { step, source }
}

fn action(action: Action, errno: Option<u32>) -> ScmpAction {
    let value = errno.unwrap_or(EPERM);
    match action {
        Action::Kill | Action::KillThread => ScmpAction::KillThread,
        Action::KillProcess => ScmpAction::KillProcess,
        Action::Trap => ScmpAction::Trap,
        Action::Errno => ScmpAction::Errno(i32::try_from(value).unwrap_or(i32::MAX)),
        Action::Trace => ScmpAction::Trace(u16::try_from(value).unwrap_or(u16::MAX)),
        Action::Allow => ScmpAction::Allow,
        Action::Log => ScmpAction::Log,
        Action::Notify => ScmpAction::Notify,
    }
}

fn compare(arg: &Arg) -> ScmpArgCompare {
    let (op, datum) = match arg.op {
        Op::NotEqual => (ScmpCompareOp::NotEqual, arg.value),
        Op::Less => (ScmpCompareOp::Less, arg.value),
        Op::LessOrEqual => (ScmpCompareOp::LessOrEqual, arg.value),
        Op::Equal => (ScmpCompareOp::Equal, arg.value),
        Op::GreaterOrEqual => (ScmpCompareOp::GreaterEqual, arg.value),
        Op::Greater => (ScmpCompareOp::Greater, arg.value),
        Op::MaskedEqual => (ScmpCompareOp::MaskedEqual(arg.value), arg.value_two),
    };
    ScmpArgCompare::new(arg.index, op, datum)
}

fn add(filter: &mut ScmpFilterContext, rule: &ResolvedRule, default: ScmpAction) -> Result<(), SeccompError> {
    let action = action(rule.action, rule.errno_ret);
    if action == default {
        // libseccomp refuses rules that change nothing.
        return Ok(());
    }
    let indexes: HashSet<u32> = rule.args.iter().map(|arg| arg.index).collect();
    // libseccomp takes one condition per argument. Several are meant as alternatives, a rule each.
    let alternatives: Vec<Vec<ScmpArgCompare>> = if indexes.len() == rule.args.len() {
        vec![rule.args.iter().map(compare).collect()]
    } else {
        rule.args.iter().map(|arg| vec![compare(arg)]).collect()
    };
    for name in &rule.names {
        let Ok(syscall) = ScmpSyscall::from_name(name) else { continue };
        for conditions in &alternatives {
            filter.add_rule_conditional(action, syscall, conditions).map_err(step(name))?;
        }
    }
    Ok(())
}

/// The program as libseccomp writes it. Older versions can only write to a descriptor.
fn export(filter: &ScmpFilterContext) -> Result<Vec<u8>, SeccompError> {
    let (mut reader, writer) = io::pipe().map_err(SeccompError::Export)?;
    thread::scope(|scope| {
        let read = scope.spawn(move || {
            let mut program = Vec::new();
            reader.read_to_end(&mut program).map(|_| program)
        });
        let written = filter.export_bpf(&writer);
        drop(writer);
        let program = match read.join() {
            Ok(result) => result.map_err(SeccompError::Export)?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        written.map_err(step("exporting"))?;
        Ok(program)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::caps::CapSet;
    use super::super::interpreter::{AARCH64, I386, Outcome, Program, X86_64};
    use super::super::{Host, Profile, default_profile};
    use super::*;

    const PERM: Outcome = Outcome::Errno(1);
    const NOSYS: Outcome = Outcome::Errno(38);
    const X32_BIT: u32 = 0x4000_0000;

    fn default(caps: CapSet) -> Program {
        let resolved = default_profile().resolve(&Host::detect().unwrap(), caps).unwrap();
        Program::new(&compile(&resolved).unwrap())
    }

    fn custom(json: &str) -> Program {
        let profile = Profile::parse(json).unwrap();
        let resolved = profile.resolve(&Host::detect().unwrap(), CapSet::defaults()).unwrap();
        Program::new(&compile(&resolved).unwrap())
    }

    fn number(name: &str) -> u32 {
        let number: i32 = ScmpSyscall::from_name(name).unwrap().into();
        u32::try_from(number).unwrap()
    }

    /// The outcome of a call by name on the native architecture.
    fn call(program: &Program, name: &str, args: &[u64]) -> Outcome {
        let native = if cfg!(target_arch = "aarch64") { AARCH64 } else { X86_64 };
        program.run(native, number(name), args)
    }

    #[test]
    fn ordinary_calls_pass() {
        let program = default(CapSet::defaults());
        for name in
            ["read", "write", "openat", "execve", "mmap", "futex", "wait4", "chroot", "ptrace", "rseq"]
        {
            assert_eq!(call(&program, name, &[]), Outcome::Allow, "{name}");
        }
    }

    #[test]
    fn every_call_of_the_profile_ends_as_the_profile_says() {
        for caps in [CapSet::EMPTY, CapSet::defaults(), CapSet::from_bits(u64::MAX)] {
            let resolved = default_profile().resolve(&Host::detect().unwrap(), caps).unwrap();
            let program = Program::new(&compile(&resolved).unwrap());
            for rule in resolved.syscalls.iter().filter(|rule| rule.args.is_empty()) {
                let expected = if rule.action == Action::Allow { Outcome::Allow } else { NOSYS };
                for name in &rule.names {
                    let Ok(syscall) = ScmpSyscall::from_name(name) else { continue };
                    let Ok(_) = u32::try_from(i32::from(syscall)) else { continue };
                    assert_eq!(call(&program, name, &[]), expected, "{name} with {caps:?}");
                }
            }
        }
    }

    #[test]
    fn dangerous_calls_are_forbidden() {
        let program = default(CapSet::defaults());
        for name in [
            "mount",
            "umount2",
            "unshare",
            "setns",
            "pivot_root",
            "bpf",
            "perf_event_open",
            "keyctl",
            "add_key",
            "request_key",
            "kexec_load",
            "init_module",
            "finit_module",
            "delete_module",
            "reboot",
            "swapon",
            "acct",
            "settimeofday",
            "clock_settime",
            "open_by_handle_at",
            "userfaultfd",
            "syslog",
            "vhangup",
            "quotactl",
            "move_pages",
            "mbind",
            "io_uring_setup",
            "sethostname",
            "fsopen",
            "open_tree",
            "move_mount",
            "mount_setattr",
            "kcmp",
            "pidfd_getfd",
        ] {
            assert_eq!(call(&program, name, &[]), PERM, "{name}");
        }
    }

    #[test]
    fn clone_makes_processes_and_threads_but_no_namespaces() {
        let program = default(CapSet::defaults());
        assert_eq!(call(&program, "clone", &[17]), Outcome::Allow);
        assert_eq!(call(&program, "clone", &[0x003d_0f00]), Outcome::Allow, "a thread");
        for flag in
            [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]
        {
            assert_eq!(call(&program, "clone", &[flag | 17]), PERM, "{flag:#x}");
        }
        assert_eq!(call(&program, "clone3", &[]), NOSYS);
        let admin = default(CapSet::from_bits(1 << 21));
        assert_eq!(call(&admin, "clone", &[0x1000_0011]), Outcome::Allow);
        assert_eq!(call(&admin, "clone3", &[]), Outcome::Allow);
        assert_eq!(call(&admin, "unshare", &[]), Outcome::Allow);
    }

    #[test]
    fn socket_families_are_listed_and_upper_halves_do_not_help() {
        let program = default(CapSet::defaults());
        for family in [1, 2, 10, 16, 17, 29, 44] {
            assert_eq!(call(&program, "socket", &[family]), Outcome::Allow, "{family}");
        }
        for family in [12, 38, 40, 46, 1000] {
            assert_eq!(call(&program, "socket", &[family]), PERM, "{family}");
            assert_eq!(call(&program, "socket", &[(1 << 32) | family]), PERM, "{family} with upper half");
            assert_eq!(call(&program, "socket", &[(0xffff_ffff << 32) | family]), PERM, "{family} negative");
        }
    }

    #[test]
    fn personalities_are_those_that_cannot_hurt() {
        let program = default(CapSet::defaults());
        for domain in [0, 8, 0x20000, 0x20008, 0xffff_ffff] {
            assert_eq!(call(&program, "personality", &[domain]), Outcome::Allow, "{domain:#x}");
        }
        // ADDR_NO_RANDOMIZE and READ_IMPLIES_EXEC.
        for domain in [0x0004_0000, 0x0040_0000] {
            assert_eq!(call(&program, "personality", &[domain]), PERM, "{domain:#x}");
        }
    }

    #[test]
    fn calls_newer_than_the_profile_do_not_exist() {
        let program = default(CapSet::defaults());
        for number in [500, 1000, 0x3fff_ffff] {
            assert_eq!(program.run(X86_64, number, &[]), NOSYS, "{number}");
        }
        assert_eq!(program.run(X86_64, X32_BIT | 900, &[]), NOSYS);
        assert_eq!(program.run(I386, 900, &[]), NOSYS);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn compat_architectures_are_filtered_alike() {
        let program = default(CapSet::defaults());
        // i386: write, mount, ptrace, socketcall, clone with a new user namespace, clone3.
        assert_eq!(program.run(I386, 4, &[]), Outcome::Allow);
        assert_eq!(program.run(I386, 21, &[]), PERM);
        assert_eq!(program.run(I386, 102, &[1]), Outcome::Allow);
        assert_eq!(program.run(I386, 120, &[0x1000_0011]), PERM);
        assert_eq!(program.run(I386, 435, &[]), NOSYS);
        // x32: write, mount, ptrace's own number.
        assert_eq!(program.run(X86_64, X32_BIT | 1, &[]), Outcome::Allow);
        assert_eq!(program.run(X86_64, X32_BIT | 165, &[]), PERM);
        assert_eq!(program.run(X86_64, X32_BIT | 521, &[]), Outcome::Allow);
        // Not an architecture of this profile at all.
        assert_eq!(program.run(AARCH64, 64, &[]), Outcome::Kill);
    }

    #[test]
    fn capabilities_open_what_they_guard() {
        let caps = |name: &str| {
            super::super::super::caps::resolve(
                &[name.to_owned()],
                &["ALL".to_owned()],
                false,
                CapSet::from_bits(u64::MAX),
            )
            .unwrap()
        };
        for (cap, name) in [
            ("SYS_BOOT", "reboot"),
            ("SYS_MODULE", "init_module"),
            ("SYS_PACCT", "acct"),
            ("SYS_PTRACE", "kcmp"),
            ("SYS_TIME", "settimeofday"),
            ("SYS_TTY_CONFIG", "vhangup"),
            ("SYS_NICE", "mbind"),
            ("SYSLOG", "syslog"),
            ("BPF", "bpf"),
            ("PERFMON", "perf_event_open"),
            ("DAC_READ_SEARCH", "open_by_handle_at"),
            ("SYS_CHROOT", "chroot"),
        ] {
            assert_eq!(call(&default(caps(cap)), name, &[]), Outcome::Allow, "{cap} {name}");
            assert_eq!(call(&default(CapSet::EMPTY), name, &[]), PERM, "{name} without {cap}");
        }
    }

    #[test]
    fn a_deny_list_of_ones_own_works() {
        let program = custom(
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
                {"names":["chmod","no_such_call"],"action":"SCMP_ACT_ERRNO","errnoRet":13},
                {"names":["mkdir"],"action":"SCMP_ACT_ERRNO"},
                {"name":"kill","action":"SCMP_ACT_KILL","args":[
                   {"index":1,"value":9,"op":"SCMP_CMP_EQ"},{"index":1,"value":15,"op":"SCMP_CMP_EQ"}]},
                {"name":"read","action":"SCMP_ACT_ALLOW"}]}"#,
        );
        assert_eq!(call(&program, "chmod", &[]), Outcome::Errno(13));
        assert_eq!(call(&program, "mkdir", &[]), PERM);
        assert_eq!(call(&program, "kill", &[1, 15]), Outcome::Kill);
        assert_eq!(call(&program, "kill", &[1, 9]), Outcome::Kill);
        assert_eq!(call(&program, "kill", &[1, 1]), Outcome::Allow);
        assert_eq!(program.run(X86_64, 900, &[]), Outcome::Allow, "no ENOSYS where the default allows");
    }

    #[test]
    fn an_unknown_architecture_is_refused() {
        let profile =
            Profile::parse(r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_PDP11"]}"#)
                .unwrap();
        let resolved = profile.resolve(&Host::detect().unwrap(), CapSet::EMPTY).unwrap();
        assert!(
            matches!(compile(&resolved), Err(SeccompError::Architecture(name)) if name == "SCMP_ARCH_PDP11")
        );
    }
}
