import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import type { OciSeccomp } from '../contract/oci-runtime.ts';
import { architectureNumber, nativeArchitecture, systemCallNumber } from '../kernel/seccomp.ts';
import { defaultCapabilities } from './capabilities.ts';
import { compileSeccomp, seccompFlags } from './seccomp.ts';
import { defaultSeccompProfile, parseDockerProfile } from './seccomp-profile.ts';
import { runFilter } from './testdata/classic-bpf.ts';

const allowed = 0x7fff0000;
const refused = (code: 'EPERM' | 'ENOSYS' | 'EACCES') => 0x00050000 | constants.errno[code];
const killed = 0x80000000;

function verdict(profile: OciSeccomp, name: string, ...args: bigint[]): number {
  const number = systemCallNumber(name);
  assert.ok(number !== undefined, `${name} is unknown here`);
  return runFilter(compileSeccomp(profile), { architecture: nativeArchitecture(), number, args });
}

const ordinary = defaultSeccompProfile(defaultCapabilities);
const administrator = defaultSeccompProfile([...defaultCapabilities, 'CAP_SYS_ADMIN']);

test('the default profile allows what programs need', () => {
  for (const name of ['read', 'openat', 'execve', 'futex', 'mmap', 'epoll_wait', 'getrandom'])
    assert.equal(verdict(ordinary, name), allowed, name);
});

test('the default profile refuses the ways out', () => {
  const calls =
    'mount umount2 unshare setns keyctl add_key request_key bpf userfaultfd io_uring_setup ' +
    'io_uring_enter io_uring_register perf_event_open open_by_handle_at init_module kexec_load ' +
    'reboot swapon pivot_root quotactl quotactl_fd iopl move_mount fsopen setdomainname';
  for (const name of calls.split(' ').filter((call) => systemCallNumber(call) !== undefined))
    assert.equal(verdict(ordinary, name), refused('EPERM'), name);
});

test('clone may not make namespaces, and clone3 is missing', () => {
  assert.equal(verdict(ordinary, 'clone', 0x01200011n), allowed);
  for (const flag of [0x20000n, 0x02000000n, 0x04000000n, 0x08000000n, 0x10000000n, 0x20000000n])
    assert.equal(verdict(ordinary, 'clone', flag | 17n), refused('EPERM'), flag.toString(16));
  assert.equal(verdict(ordinary, 'clone', 0x40000000n), refused('EPERM'));
  assert.equal(verdict(ordinary, 'clone3'), refused('ENOSYS'));
  assert.equal(verdict(administrator, 'clone', 0x10000000n), allowed);
  assert.equal(verdict(administrator, 'clone3'), allowed);
  assert.equal(verdict(administrator, 'mount'), allowed);
});

test('socket families 38 and 40 are refused, also with bits that the kernel ignores', () => {
  for (const family of [1n, 2n, 10n, 16n, 17n, 39n, 44n])
    assert.equal(verdict(ordinary, 'socket', family), allowed, `family ${family}`);
  for (const family of [38n, 40n, 0x1_0000_0026n, 0x1_0000_0028n, 0x8000_0000_0000_0028n])
    assert.equal(verdict(ordinary, 'socket', family), refused('EPERM'), `family ${family}`);
});

test('ioctls that leave a disk quota are refused, and every other passes', () => {
  const setAttributes = 0x401c5820n;
  const setFlags = 0x40086602n;
  const makeSubvolume = [0x5000940en, 0x50009401n, 0x50009418n, 0x50009417n];
  const leaving = [setAttributes, setFlags, ...makeSubvolume];
  for (const request of leaving)
    for (const high of [0n, 0x1_0000_0000n, 0xffffffff_00000000n])
      assert.equal(verdict(ordinary, 'ioctl', 3n, high | request), refused('EPERM'));
  for (let bit = 0n; bit < 32n; bit += 1n)
    for (const request of leaving)
      assert.equal(verdict(ordinary, 'ioctl', 3n, request ^ (1n << bit)), allowed, `bit ${bit}`);
  // TCGETS, TIOCGWINSZ, FIONBIO, and TCGETS2 as musl passes it.
  for (const request of [0x5401n, 0x5413n, 0x5421n, -0x7fd3abd6n])
    assert.equal(verdict(ordinary, 'ioctl', 0n, request), allowed);
});

test('personality is kept to Linux on 64 or 32 bits', () => {
  assert.equal(verdict(ordinary, 'personality', 0xffffffffn), allowed);
  assert.equal(verdict(ordinary, 'personality', 0x0040000n), refused('EPERM'));
});

test('a call of another architecture ends the process', { skip: process.arch !== 'x64' }, () => {
  const architecture = architectureNumber('x86');
  assert.ok(architecture);
  assert.equal(runFilter(compileSeccomp(ordinary), { architecture, number: 4 }), killed);
});

test('calls younger than the profile answer ENOSYS', () => {
  const call = { architecture: nativeArchitecture(), number: 2000 };
  assert.equal(runFilter(compileSeccomp(ordinary), call), refused('ENOSYS'));
});

test('names that nobody knows are skipped, unknown actions and operators are errors', () => {
  const profile: OciSeccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['no_such_call', 'mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }],
  };
  assert.equal(verdict(profile, 'mkdir'), refused('EACCES'));
  assert.equal(verdict(profile, 'rmdir'), allowed);
  const broken = (change: object) => () => compileSeccomp({ ...profile, ...change });
  assert.throws(broken({ defaultAction: 'SCMP_ACT_MAYBE' }), /unsupported action/);
  assert.throws(broken({ architectures: ['SCMP_ARCH_PDP11'] }), /unknown architecture/);
  const args = [{ index: 0, value: 1, op: 'SCMP_CMP_ALMOST' }];
  const syscalls = [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO', args }];
  assert.throws(broken({ syscalls }), /unknown comparison/);
});

test('comparisons of one argument are alternatives, of two arguments conditions', () => {
  const profile: OciSeccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      {
        names: ['socket'],
        action: 'SCMP_ACT_ALLOW',
        args: [
          { index: 0, value: 1, op: 'SCMP_CMP_EQ' },
          { index: 0, value: 2, op: 'SCMP_CMP_EQ' },
        ],
      },
      {
        names: ['dup3'],
        action: 'SCMP_ACT_ALLOW',
        args: [
          { index: 0, value: 1, op: 'SCMP_CMP_EQ' },
          { index: 1, value: 2, op: 'SCMP_CMP_EQ' },
        ],
      },
    ],
  };
  assert.equal(verdict(profile, 'socket', 2n), allowed);
  assert.equal(verdict(profile, 'socket', 3n), refused('EPERM'));
  assert.equal(verdict(profile, 'dup3', 1n, 2n), allowed);
  assert.equal(verdict(profile, 'dup3', 1n, 3n), refused('EPERM'));
});

test('a profile is compiled once', () => {
  assert.equal(compileSeccomp(structuredClone(ordinary)), compileSeccomp(ordinary));
});

test('Docker’s conditions select rules', () => {
  const rule = (name: string, conditions: object) => ({
    names: [name],
    action: 'SCMP_ACT_ALLOW',
    ...conditions,
  });
  const json = JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    archMap: [
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
    ],
    syscalls: [
      rule('read', {}),
      rule('mount', { includes: { caps: ['CAP_SYS_ADMIN', 'CAP_CHOWN'] } }),
      rule('chroot', { excludes: { caps: ['CAP_SYS_ADMIN', 'CAP_KILL'] } }),
      rule('ptrace', { includes: { minKernel: '4.8' } }),
      rule('bpf', { includes: { minKernel: '99.0' } }),
      rule('reboot', { includes: { arches: ['s390x'] } }),
      { name: 'write', action: 'SCMP_ACT_ALLOW' },
    ],
  });
  const names = (capabilities: string[]) =>
    parseDockerProfile(json, capabilities)?.syscalls.flatMap((one) => one.names);
  assert.deepEqual(names(['CAP_CHOWN']), ['read', 'chroot', 'ptrace', 'write']);
  assert.deepEqual(names(['CAP_CHOWN', 'CAP_SYS_ADMIN']), ['read', 'mount', 'ptrace', 'write']);
  const profile = parseDockerProfile(json, []);
  assert.ok(profile);
  assert.ok((profile.architectures ?? []).length > 1);
  assert.equal(verdict(profile, 'read'), allowed);
});

test('a broken Docker profile is an error that says what is wrong', () => {
  const cases: [string, RegExp][] = [
    ['{', /Decoding seccomp profile failed/],
    ['[]', /not a JSON object/],
    ['{"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}', /defaultAction/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', /"syscalls" is not a list/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"]}]}', /'names'/],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["x"],"archMap":[{"architecture":"y"}]}',
      /archMap/,
    ],
  ];
  for (const [json, message] of cases)
    assert.throws(() => parseDockerProfile(json, []), { kind: 'invalid', message });
  assert.equal(parseDockerProfile('{}', []), undefined);
});

test('of flags the kernel gets what it takes beside a listener, and unknown ones are errors', () => {
  const of = (flags: string[], listens: boolean) =>
    seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [], flags }, listens);
  const flags = ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'];
  assert.equal(of(flags, false), 1 | 32);
  assert.equal(of(flags, true), 8 | 32);
  assert.throws(() => of(['SECCOMP_FILTER_FLAG_NEW_LISTENER'], true), /unknown seccomp flag/);
});

test('an errno where the action takes none is an error', () => {
  const rule = (action: string) => ({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir'], action, errnoRet: 5 }],
  });
  for (const action of ['SCMP_ACT_KILL', 'SCMP_ACT_LOG', 'SCMP_ACT_NOTIFY'])
    assert.throws(() => compileSeccomp(rule(action)), /takes no errno/, action);
  compileSeccomp(rule('SCMP_ACT_TRACE'));
});
