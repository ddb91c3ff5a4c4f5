/**
 * What a container may call by default: lists only; agent/runtime/seccomp-profile.ts makes a profile
 * of them. The measure is moby's default (github.com/moby/profiles, seccomp): whatever it refuses is
 * refused here. Names that exist on 32-bit machines only are left out, since 32-bit calls are
 * refused as a whole.
 */

/** Allowed to everyone, by what they are for. */
export const ordinaryCalls: Record<string, readonly string[]> = {
  'open, read, write': words(`
    open openat openat2 creat close close_range read pread64 readv preadv preadv2 write pwrite64
    writev pwritev pwritev2 lseek dup dup2 dup3 fcntl flock fsync fdatasync sync syncfs
    sync_file_range truncate ftruncate fallocate fadvise64 readahead copy_file_range sendfile
    splice tee vmsplice memfd_create memfd_secret umask io_setup io_submit io_cancel io_getevents
    io_pgetevents io_destroy`),
  'names and attributes of files': words(`
    access faccessat faccessat2 chdir fchdir getcwd chmod fchmod fchmodat fchmodat2 chown fchown
    lchown fchownat stat fstat lstat newfstatat statx statfs fstatfs statmount listmount getdents
    getdents64 link linkat symlink symlinkat readlink readlinkat unlink unlinkat mkdir mkdirat
    rmdir rename renameat renameat2 mknod mknodat utime utimes futimesat utimensat
    name_to_handle_at getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr
    setxattrat listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr
    removexattrat inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark`),
  memory: words(`
    brk mmap munmap mremap mprotect madvise msync mincore mlock mlock2 munlock mlockall munlockall
    mseal membarrier remap_file_pages cachestat map_shadow_stack pkey_alloc pkey_free
    pkey_mprotect process_mrelease`),
  'processes and threads': words(`
    execve execveat fork vfork exit exit_group wait4 waitid getpid getppid gettid getpgid getpgrp
    setpgid getsid setsid set_tid_address set_robust_list get_robust_list set_thread_area
    get_thread_area rseq prctl seccomp landlock_create_ruleset landlock_add_rule
    landlock_restrict_self pidfd_open pidfd_send_signal process_vm_readv process_vm_writev ptrace
    uretprobe restart_syscall`),
  identity: words(`
    getuid geteuid getresuid setuid setreuid setresuid setfsuid getgid getegid getresgid setgid
    setregid setresgid setfsgid getgroups setgroups capget capset`),
  signals: words(`
    kill tkill tgkill pause alarm rt_sigaction rt_sigprocmask rt_sigpending rt_sigsuspend
    rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn sigaltstack signalfd signalfd4`),
  'scheduling and resources': words(`
    sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam
    sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max
    sched_get_priority_min sched_rr_get_interval getpriority setpriority ioprio_get ioprio_set
    getrlimit setrlimit prlimit64 getrusage times sysinfo uname getcpu getrandom`),
  time: words(`
    time gettimeofday clock_gettime clock_getres clock_nanosleep clock_adjtime adjtimex nanosleep
    getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete
    timerfd_create timerfd_settime timerfd_gettime`),
  waiting: words(`
    select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait
    epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 futex futex_waitv futex_wait
    futex_wake futex_requeue`),
  'sockets and pipes': words(`
    socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt
    setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg pipe pipe2`),
  'System V and POSIX queues': words(`
    shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open
    mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr`),
};

/** Allowed on one architecture only, in Node's names (process.arch). */
export const architectureCalls: Record<string, readonly string[]> = {
  x64: ['arch_prctl', 'modify_ldt'],
  arm64: ['sync_file_range2', 'cacheflush', 'set_tls', 'breakpoint'],
  riscv64: ['riscv_flush_icache', 'riscv_hwprobe'],
};

/** Allowed with a capability, since without it the kernel would refuse most of them anyway. */
export const capabilityCalls: Record<string, readonly string[]> = {
  CAP_DAC_READ_SEARCH: ['open_by_handle_at'],
  CAP_SYS_ADMIN: words(`
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open
    quotactl quotactl_fd setdomainname sethostname setns syslog umount2 unshare`),
  CAP_SYS_BOOT: ['reboot'],
  CAP_SYS_CHROOT: ['chroot'],
  CAP_SYS_MODULE: ['delete_module', 'init_module', 'finit_module'],
  CAP_SYS_PACCT: ['acct'],
  CAP_SYS_PTRACE: ['kcmp', 'pidfd_getfd', 'process_madvise'],
  CAP_SYS_RAWIO: ['iopl', 'ioperm'],
  CAP_SYS_TIME: ['settimeofday', 'clock_settime'],
  CAP_SYS_TTY_CONFIG: ['vhangup'],
  CAP_SYS_NICE: ['get_mempolicy', 'mbind', 'set_mempolicy', 'set_mempolicy_home_node'],
  CAP_SYSLOG: ['syslog'],
  CAP_BPF: ['bpf'],
  CAP_PERFMON: ['perf_event_open'],
};

/**
 * Socket families that are refused: AF_ALG (38) reaches the kernel's crypto code, whose bugs were
 * ways out (CVE-2026-31431); AF_VSOCK (40) reaches the hypervisor, past every namespace.
 */
export const refusedSocketFamilies: readonly number[] = [38, 40];

/** AF_MAX of Linux 6.18. */
export const socketFamilies = 46;

/** personality(2): Linux, Linux on 32 bits, either with UNAME26, and "what is it now". */
export const allowedPersonalities: readonly number[] = [0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET together. */
export const cloneNamespaceFlags = 0x7e020000;

/**
 * ioctls that take files out of their project quota (linux/fs.h), measured with Docker's default
 * capabilities through overlayfs: FS_IOC_FSSETXATTR changes the project id, and FS_IOC_SETFLAGS clears
 * PROJINHERIT, so that what is made below is not counted. The kernel forbids both only in other user
 * namespaces (fs/file_attr.c, fileattr_set_prepare).
 */
const leavesProject = [0x401c5820, 0x40086602];

/**
 * BTRFS_IOC_SUBVOL_CREATE and SNAP_CREATE with their second versions (linux/btrfs.h): who owns a directory of a volume
 * may make a subvolume in it, and that has a qgroup of its own, without the volume's limit.
 */
const makesSubvolume = [0x5000940e, 0x50009401, 0x50009418, 0x50009417];

export const refusedIoctls: readonly number[] = [...leavesProject, ...makesSubvolume];

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
