//! The default profile: what an ordinary container may ask of the kernel.
//!
//! An allow list, equal in effect to Docker's: a call is on it when ordinary programs need it and it acts only
//! on what the caller owns, or when the kernel guards it by a capability the container would have to have.
//! Everything else fails with EPERM. What differs from a plain list, and why:
//!
//! - `clone3` fails with ENOSYS, so that C libraries fall back to `clone`, whose flags a filter can see;
//! - `clone` may not make namespaces (no nested user namespaces without CAP_SYS_ADMIN);
//! - `socket` names the address families it allows one by one. A range or an inequality would let a 64-bit
//!   argument through whose upper half the kernel then ignores. Left out are AF_ALG and AF_VSOCK (kernel
//!   attack surface; the way to the hypervisor) and families whose code the kernel has dropped;
//! - `io_uring_*` is absent: it performs calls this filter never sees;
//! - 32-bit x86 programs may use `socketcall`, whose family sits behind a pointer. Refusing it breaks them.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::profile::{Action, ArchMap, Arg, Op, Profile, Rule, Subject};

/// Files, directories and their attributes.
const FILES: &str = "access cachestat chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 \
    dup3 faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 \
    fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 \
    fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat ioctl \
    lchown lchown32 lgetxattr link linkat listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek \
    lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 \
    preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat \
    rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 \
    statmount statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat \
    utime utimensat utimensat_time64 utimes vmsplice write writev";

/// Waiting for things, and asynchronous input and output.
const EVENTS: &str = "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait \
    epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch \
    io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect pipe pipe2 \
    poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4 timerfd_create timerfd_gettime \
    timerfd_gettime64 timerfd_settime timerfd_settime64";

/// Memory.
const MEMORY: &str = "brk get_thread_area madvise map_shadow_stack membarrier memfd_create memfd_secret mincore \
    mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free \
    pkey_mprotect remap_file_pages set_thread_area";

/// Processes, threads, credentials, limits and scheduling.
const PROCESSES: &str = "capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 \
    futex_wait futex_waitv futex_wake getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups \
    getgroups32 getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 \
    getrlimit get_robust_list getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set \
    landlock_add_rule landlock_create_ruleset landlock_restrict_self pidfd_open prctl prlimit64 process_mrelease \
    restart_syscall riscv_hwprobe rseq sched_getaffinity sched_getattr sched_getparam sched_get_priority_max \
    sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 \
    sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp setfsgid setfsgid32 \
    setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid \
    setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid set_tid_address setuid \
    setuid32 sysinfo ugetrlimit uname uretprobe vfork wait4 waitid waitpid";

/// Signals, clocks and timers. Setting a clock still needs CAP_SYS_TIME where the call can do both.
const SIGNALS_AND_TIME: &str = "adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 \
    clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday kill nanosleep \
    pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend \
    rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo setitimer sigaltstack sigprocmask sigreturn tgkill \
    time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 \
    times tkill";

/// Sockets (but for making them) and System V and POSIX messages.
const COMMUNICATION: &str = "accept accept4 bind connect getpeername getsockname getsockopt ipc listen \
    mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 \
    mq_unlink msgctl msgget msgrcv msgsnd recv recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop \
    semtimedop semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown \
    socketcall socketpair";

/// Calls that come with a capability.
const WITH_CAPABILITY: &[(&str, &str)] = &[
    (
        "CAP_SYS_ADMIN",
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr \
         lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl \
         quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
    ),
    ("CAP_BPF", "bpf"),
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    ("CAP_PERFMON", "perf_event_open"),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module finit_module init_module"),
    ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"),
    ("CAP_SYS_RAWIO", "ioperm iopl"),
    ("CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYSLOG", "syslog"),
];

/// Calls of particular architectures, by native architecture in Go's spelling.
const WITH_ARCH: &[(&[&str], &str)] = &[
    (&["amd64", "x32"], "arch_prctl"),
    (&["amd64", "x32", "x86"], "modify_ldt"),
    (
        &["arm", "arm64"],
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
    ),
    (&["ppc64le"], "swapcontext sync_file_range2"),
    (&["riscv64"], "riscv_flush_icache"),
    (&["s390", "s390x"], "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"),
];

/// Address families beyond the first twelve (unspecified to AppleTalk's neighbours: UNIX, IPv4, IPv6, X.25…)
/// that `socket` may be asked for: 13 LLC2's forerunner netbeui, 14 security, 15 key, 16 netlink, 17 packet, 18
/// ash, 21 rds, 22 sna, 24 pppox, 26 llc, 27 ib, 28 mpls, 29 can, 30 tipc, 31 bluetooth, 32 iucv, 33 rxrpc, 35
/// phonet, 36 ieee802154, 39 nfc, 41 kcm, 42 qipcrtr, 43 smc, 44 xdp, 45 mctp.
const FAMILIES: &[u64] =
    &[13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45];
/// First family that is not allowed wholesale: DECnet.
const AF_DECNET: u64 = 12;

/// Execution domains: Linux, UNAME26, and either with the 32-bit machine name; all ones asks for the current one.
const PERSONALITIES: &[u64] = &[0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// `CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET`.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;

const ENOSYS: u32 = 38;
const EPERM: u32 = 1;

/// The profile of every container that does not ask for another.
pub fn default_profile() -> &'static Profile {
    static PROFILE: LazyLock<Profile> = LazyLock::new(build);
    &PROFILE
}

fn build() -> Profile {
    let mut rules =
        vec![allow([FILES, EVENTS, MEMORY, PROCESSES, SIGNALS_AND_TIME, COMMUNICATION].join(" "))];
    // Before 4.8 a tracer could change a call after the filter had passed it.
    rules.push(Rule {
        includes: Subject { min_kernel: "4.8".into(), ..Subject::default() },
        ..allow("process_vm_readv process_vm_writev ptrace")
    });
    rules.push(when("socket", 0, Op::Less, AF_DECNET));
    rules.extend(FAMILIES.iter().map(|family| when("socket", 0, Op::Equal, *family)));
    rules.extend(PERSONALITIES.iter().map(|domain| when("personality", 0, Op::Equal, *domain)));
    rules.extend(
        WITH_ARCH.iter().map(|(arches, names)| Rule { includes: on(arches), ..allow(names.to_string()) }),
    );
    rules.extend(
        WITH_CAPABILITY.iter().map(|(cap, names)| Rule { includes: having(cap), ..allow(names.to_string()) }),
    );
    let s390 = on(&["s390", "s390x"]);
    let admin = having("CAP_SYS_ADMIN");
    rules.push(Rule {
        excludes: Subject { caps: admin.caps.clone(), ..s390.clone() },
        ..when("clone", 0, Op::MaskedEqual, CLONE_NAMESPACES)
    });
    // There, the flags are the second argument.
    rules.push(Rule {
        includes: s390,
        excludes: admin.clone(),
        ..when("clone", 1, Op::MaskedEqual, CLONE_NAMESPACES)
    });
    rules.push(Rule { action: Action::Errno, errno_ret: Some(ENOSYS), excludes: admin, ..allow("clone3") });
    Profile {
        default_action: Action::Errno,
        default_errno_ret: Some(EPERM),
        arch_map: arch_map(),
        architectures: Vec::new(),
        flags: Vec::new(),
        syscalls: rules,
    }
}

fn arch_map() -> Vec<ArchMap> {
    [
        ("X86_64", &["X86", "X32"][..]),
        ("AARCH64", &["ARM"]),
        ("MIPS64", &["MIPS", "MIPS64N32"]),
        ("MIPS64N32", &["MIPS", "MIPS64"]),
        ("MIPSEL64", &["MIPSEL", "MIPSEL64N32"]),
        ("MIPSEL64N32", &["MIPSEL", "MIPSEL64"]),
        ("S390X", &["S390"]),
        ("RISCV64", &[]),
        ("LOONGARCH64", &[]),
    ]
    .into_iter()
    .map(|(native, others)| ArchMap {
        architecture: format!("SCMP_ARCH_{native}").into(),
        sub_architectures: others.iter().map(|name| format!("SCMP_ARCH_{name}").into()).collect(),
    })
    .collect()
}

fn allow(names: impl Into<String>) -> Rule {
    Rule {
        name: Cow::Borrowed(""),
        names: names.into().split_ascii_whitespace().map(|name| name.to_owned().into()).collect(),
        action: Action::Allow,
        errno_ret: None,
        args: Vec::new(),
        includes: Subject::default(),
        excludes: Subject::default(),
    }
}

fn when(name: &str, index: u32, op: Op, value: u64) -> Rule {
    Rule { args: vec![Arg { index, value, value_two: 0, op }], ..allow(name) }
}

fn having(cap: &'static str) -> Subject {
    Subject { caps: vec![cap.into()], ..Subject::default() }
}

fn on(arches: &[&'static str]) -> Subject {
    Subject { arches: arches.iter().map(|arch| (*arch).into()).collect(), ..Subject::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_call_is_listed_twice_in_one_rule() {
        for rule in &default_profile().syscalls {
            let names: HashSet<_> = rule.names.iter().collect();
            assert_eq!(names.len(), rule.names.len(), "{:?}", rule.names);
        }
    }

    #[test]
    fn what_reaches_around_the_filter_or_the_container_is_on_no_list() {
        let named: HashSet<&str> = default_profile()
            .syscalls
            .iter()
            .flat_map(|rule| rule.names.iter().map(|name| &**name))
            .collect();
        for name in [
            "add_key",
            "keyctl",
            "request_key",
            "kexec_load",
            "kexec_file_load",
            "swapon",
            "swapoff",
            "pivot_root",
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "userfaultfd",
            "nfsservctl",
            "move_pages",
            "migrate_pages",
            "uselib",
            "ustat",
            "sysfs",
            "_sysctl",
            "vm86",
            "create_module",
        ] {
            assert!(!named.contains(name), "{name}");
        }
    }
}
