//! Where the system lets nobody write memory and then execute it, no plugin is to blame, and the interpreter runs.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, EPERM, PROT_EXEC,
    PROT_WRITE, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SYS_mmap, SYS_mprotect, SYS_pkey_mprotect, sock_filter,
    sock_fprog,
};

use crate::support::{Database, Finished, finish, host_run, leave_out, sample, summary};

/// Two ways to forbid it; both are handed on to all that the program starts.
#[derive(Clone, Copy, Debug)]
enum Hardening {
    /// As systemd's `MemoryDenyWriteExecute=` does it where the kernel cannot.
    Seccomp,
    /// As it does it where the kernel can, from Linux 6.3 on.
    Mdwe,
}

impl Hardening {
    fn of(self, command: &mut Command) -> &mut Command {
        let apply = move || match self {
            Hardening::Seccomp => seccomp(),
            Hardening::Mdwe => prctl(libc::PR_SET_MDWE, libc::PR_MDWE_REFUSE_EXEC_GAIN.into(), 0),
        };
        #[allow(unsafe_code, reason = "there is no safe way to do something between fork and exec")]
        // SAFETY: it makes system calls, which are allowed there, and neither allocates nor locks.
        unsafe {
            command.pre_exec(apply)
        }
    }
}

fn prctl(option: i32, first: libc::c_ulong, second: libc::c_ulong) -> io::Result<()> {
    let none: libc::c_ulong = 0;
    #[allow(unsafe_code, reason = "a system call")]
    // SAFETY: both numbers are what the option wants, an address is that of what lives longer than the call.
    let refused = unsafe { libc::prctl(option, first, second, none, none) } != 0;
    if refused { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Memory that may be written cannot be mapped as executable, and none can be made so later.
fn seccomp() -> io::Result<()> {
    // In `seccomp_data`: the number of the call, and the lower half of its third argument, the protection.
    const NUMBER: u32 = 0;
    const PROTECTION: u32 = 32;
    const EXECUTE: u32 = PROT_EXEC as u32;
    const WRITE_AND_EXECUTE: u32 = (PROT_WRITE | PROT_EXEC) as u32;
    let step = |code: u32, k: u32, jt: u8, jf: u8| sock_filter { code: code as u16, jt, jf, k };
    let load = |at| step(BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
    let is = |value, yes, no| step(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
    let mut filter = [
        load(NUMBER),
        is(SYS_mprotect as u32, 2, 0),
        is(SYS_pkey_mprotect as u32, 1, 0),
        is(SYS_mmap as u32, 2, 5),
        load(PROTECTION),
        step(BPF_JMP | BPF_JSET | BPF_K, EXECUTE, 4, 3),
        load(PROTECTION),
        step(BPF_ALU | BPF_AND | BPF_K, WRITE_AND_EXECUTE, 0, 0),
        is(WRITE_AND_EXECUTE, 1, 0),
        step(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0),
        step(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM as u32, 0, 0),
    ];
    let program = sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)?;
    prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER.into(), &raw const program as libc::c_ulong)
}

#[test]
fn nothing_may_be_executed_that_was_written() {
    for hardening in [Hardening::Seccomp, Hardening::Mdwe] {
        if let Err(error) = hardening.of(&mut Command::new("true")).status() {
            leave_out(&format!("this system has no {hardening:?}: {error}"));
            continue;
        }
        let database = Database::new();
        let run = || host_run(&database, "threshold", &sample());
        let Finished { code, stdout, stderr } = finish(hardening.of(&mut run()));
        assert_eq!((code, stdout.as_str()), (4, ""), "{hardening:?}: {stderr}");
        assert_eq!(database.counts(), (0, 0, 0), "{hardening:?}");
        // `Operation not permitted` by the one, `Permission denied` by the other.
        insta::with_settings!({ filters => [(r"caused by: .* \(os error \d+\)", "caused by: [os error]")] }, {
            insta::allow_duplicates! { insta::assert_snapshot!(database.anonymous(&stderr)) };
        });

        let interpreted = summary(hardening.of(run().args(["--engine", "interpreter"])));
        let (rows, anomalies) = (&interpreted["rows_written"], &interpreted["anomalies"]);
        assert_eq!((rows, anomalies), (&1_800.into(), &38.into()), "{hardening:?}: {interpreted}");
        assert_eq!(database.counts(), (1_800, 38, 1), "{hardening:?}");
    }
}
