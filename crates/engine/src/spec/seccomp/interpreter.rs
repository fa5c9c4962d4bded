//! Classic BPF, as far as seccomp programs use it, so that tests can ask a program about any call on any
//! architecture without installing it.

/// `AUDIT_ARCH_X86_64`, also x32's.
pub const X86_64: u32 = 0xc000_003e;
/// `AUDIT_ARCH_I386`.
pub const I386: u32 = 0x4000_0003;
/// `AUDIT_ARCH_AARCH64`.
pub const AARCH64: u32 = 0xc000_00b7;

/// What a program decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Allow,
    Errno(u32),
    Kill,
    Other(u32),
}

/// A program, decoded: code, jt, jf, k.
pub struct Program(Vec<(u16, u8, u8, u32)>);

impl Program {
    pub fn new(bytes: &[u8]) -> Self {
        assert!(!bytes.is_empty() && bytes.len().is_multiple_of(8), "{} bytes", bytes.len());
        Self(
            bytes
                .chunks_exact(8)
                .map(|i| {
                    let k = u32::from_ne_bytes(i[4..].try_into().unwrap());
                    (u16::from_ne_bytes([i[0], i[1]]), i[2], i[3], k)
                })
                .collect(),
        )
    }

    pub fn run(&self, arch: u32, number: u32, args: &[u64]) -> Outcome {
        let mut data = [0u8; 64];
        data[..4].copy_from_slice(&number.to_ne_bytes());
        data[4..8].copy_from_slice(&arch.to_ne_bytes());
        for (index, arg) in args.iter().enumerate() {
            data[16 + index * 8..24 + index * 8].copy_from_slice(&arg.to_ne_bytes());
        }
        let (mut pc, mut a) = (0usize, 0u32);
        loop {
            let (code, jt, jf, k) = self.0[pc];
            pc += 1;
            let branch = |taken: bool| usize::from(if taken { jt } else { jf });
            match code {
                0x20 => a = u32::from_ne_bytes(data[k as usize..k as usize + 4].try_into().unwrap()),
                0x54 => a &= k,
                0x05 => pc += k as usize,
                0x15 => pc += branch(a == k),
                0x25 => pc += branch(a > k),
                0x35 => pc += branch(a >= k),
                0x45 => pc += branch(a & k != 0),
                0x06 => return outcome(k),
                _ => panic!("instruction {code:#x}"),
            }
        }
    }
}

fn outcome(value: u32) -> Outcome {
    match value & 0xffff_0000 {
        0x7fff_0000 => Outcome::Allow,
        0x0005_0000 => Outcome::Errno(value & 0xffff),
        0x0000_0000 | 0x8000_0000 => Outcome::Kill,
        _ => Outcome::Other(value),
    }
}
