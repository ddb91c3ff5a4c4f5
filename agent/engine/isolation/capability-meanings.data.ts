/**
 * What each capability lets root do (capabilities(7)), as the end of "It may …" and "It cannot …";
 * and for those that reach the machine, what that comes to.
 */
export const capabilityMeanings: Readonly<Record<string, { verb: string; risk?: string }>> = {
  CAP_CHOWN: { verb: 'give files to another owner' },
  CAP_DAC_OVERRIDE: { verb: 'read and write files whatever their permissions say' },
  CAP_DAC_READ_SEARCH: {
    verb: 'read any file, also by its number instead of its path',
    risk: 'It can read files of the machine that lie on a file system it has a part of.',
  },
  CAP_FOWNER: { verb: 'change permissions and times of files that are not its own' },
  CAP_FSETID: { verb: 'keep set-user-id marks on files it changes' },
  CAP_KILL: { verb: 'send signals to processes of other users inside' },
  CAP_SETGID: { verb: 'change to another group' },
  CAP_SETUID: { verb: 'change to another user' },
  CAP_SETPCAP: { verb: 'give up capabilities for the programs it starts' },
  CAP_LINUX_IMMUTABLE: { verb: 'mark files as unchangeable' },
  CAP_NET_BIND_SERVICE: { verb: 'listen on ports below 1024' },
  CAP_NET_BROADCAST: { verb: 'send to everybody on a network' },
  CAP_NET_ADMIN: {
    verb: 'set up network interfaces, routes and firewalls',
    risk: 'It can redirect or stop traffic of the network that it is on.',
  },
  CAP_NET_RAW: { verb: 'send packets of any kind, such as ping’s' },
  CAP_IPC_LOCK: {
    verb: 'lock memory so that it is never swapped out',
    risk: 'It can hold memory that the machine cannot take back.',
  },
  CAP_IPC_OWNER: { verb: 'use shared memory whatever its permissions say' },
  CAP_SYS_MODULE: {
    verb: 'load code into the kernel',
    risk: 'It can take over the whole machine.',
  },
  CAP_SYS_RAWIO: {
    verb: 'reach hardware and memory of the machine directly',
    risk: 'It can take over the whole machine.',
  },
  CAP_SYS_CHROOT: { verb: 'change the root directory of its programs' },
  CAP_SYS_PTRACE: {
    verb: 'look into and control any process it can see',
    risk: 'It can read what is in the memory of every process it sees, and of programs that join it.',
  },
  CAP_SYS_PACCT: { verb: 'switch the accounting of processes' },
  CAP_SYS_ADMIN: {
    verb: 'mount file systems and change most of what the kernel lets root change',
    risk: 'It can undo most of its isolation; treat it as root on the machine.',
  },
  CAP_SYS_BOOT: {
    verb: 'restart the machine or load another kernel',
    risk: 'It can restart the machine, or start another kernel on it.',
  },
  CAP_SYS_NICE: {
    verb: 'raise the priority of processes and choose their CPUs',
    risk: 'It can take CPU time away from everything else on the machine.',
  },
  CAP_SYS_RESOURCE: {
    verb: 'go beyond quotas and resource limits',
    risk: 'It can raise its own resource limits and use disk space that is kept for the system.',
  },
  CAP_SYS_TIME: {
    verb: 'set the clock',
    risk: 'It can set the clock of the whole machine: there is only one.',
  },
  CAP_SYS_TTY_CONFIG: { verb: 'set up terminals of the machine' },
  CAP_MKNOD: { verb: 'make device nodes, which it cannot open unless they are allowed' },
  CAP_LEASE: { verb: 'be told before others change a file' },
  CAP_AUDIT_WRITE: { verb: 'write to the audit log of the kernel' },
  CAP_AUDIT_CONTROL: {
    verb: 'change what the kernel audits',
    risk: 'It can switch off the audit log of the machine.',
  },
  CAP_SETFCAP: { verb: 'give capabilities to files' },
  CAP_MAC_OVERRIDE: { verb: 'pass over the rules of a security module' },
  CAP_MAC_ADMIN: {
    verb: 'change the rules of a security module',
    risk: 'It can loosen what AppArmor or SELinux forbids on the machine.',
  },
  CAP_SYSLOG: {
    verb: 'read and clear the log of the kernel',
    risk: 'It can read addresses of the kernel, which attacks start from.',
  },
  CAP_WAKE_ALARM: { verb: 'wake the machine from sleep' },
  CAP_BLOCK_SUSPEND: { verb: 'keep the machine awake' },
  CAP_AUDIT_READ: {
    verb: 'read the audit log of the kernel',
    risk: 'It can read what the machine audits of everybody.',
  },
  CAP_PERFMON: {
    verb: 'measure what runs on the CPUs',
    risk: 'It can observe what other programs of the machine do.',
  },
  CAP_BPF: {
    verb: 'load programs that run in the kernel',
    risk: 'It can load programs into the kernel, which see traffic and system calls.',
  },
  CAP_CHECKPOINT_RESTORE: { verb: 'save and restore processes' },
};

/** Capabilities that alone are as good as the machine. */
export const gravestCapabilities: ReadonlySet<string> = new Set([
  'CAP_SYS_ADMIN',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_PTRACE',
  'CAP_DAC_READ_SEARCH',
  'CAP_SYS_BOOT',
  'CAP_BPF',
]);
