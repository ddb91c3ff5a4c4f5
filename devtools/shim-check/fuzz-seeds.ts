/** Writes the fuzzer's first plans, each step by itself and all of them together, into the directory that is given. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePlan, encodeRest, type ShimConfig, type Step } from '../../agent/runtime/plan.ts';

const shimConfig: ShimConfig = {
  cloneFlags: 0x20000000,
  cgroupFd: 15,
  pidNamespaceFd: undefined,
  input: true,
  output: true,
  terminal: true,
  moves: true,
  log: { firstFile: 1, maxBytes: 65_536, maxFiles: 3 },
};

const exec: Step = { do: 'exec', init: false, args: ['/bin/sh', '-c', 'true'], env: ['A=b'] };
const steps: Step[] = [
  { do: 'write', fd: 16, text: '0' },
  { do: 'procWrite', path: 'self/oom_score_adj', text: '100' },
  { do: 'setns', fd: 17, flag: 0x40000000 },
  { do: 'unshare', flags: 0x02000000 },
  { do: 'stdio', fds: [15, undefined, 16] },
  { do: 'ownStdio', uid: 1000, gid: 1000 },
  { do: 'session', terminal: true },
  { do: 'mountProc', attributes: 14, path: '/proc', replaces: true },
  { do: 'attach', fd: 18, path: '/proc/uptime' },
  { do: 'mask', path: '/proc/kcore' },
  { do: 'mask', path: '/proc/acpi' },
  { do: 'readonly', path: '/proc/sys' },
  { do: 'close' },
  { do: 'chdir', path: '/srv' },
  {
    do: 'rlimit',
    name: 'RLIMIT_NOFILE',
    resource: 7,
    soft: 1024n,
    hard: 4096n,
    raiseOnly: true,
  },
  { do: 'user', fd: 19, cloneFlags: 0x20000000 },
  { do: 'keyring' },
  { do: 'umask', mask: 0o22 },
  { do: 'groups', ids: [4, 5, 6] },
  { do: 'bounding', set: 0xa80425fbn },
  { do: 'ids', uid: 1000, gid: 1000 },
  { do: 'capabilities', effective: 0n, permitted: 1n << 40n, inheritable: 0n },
  { do: 'ambient', set: 1n },
  { do: 'noNewPrivileges' },
  { do: 'seccomp', flags: 0, filter: Buffer.alloc(8 * 20, 6) },
  { do: 'seccomp', flags: 8, filter: Buffer.alloc(8, 6), gate: 15 },
  { do: 'pivot', fd: 20, attributes: 1, propagation: 1n << 18n, recursive: true, covers: false },
  { do: 'pivot', fd: 20, attributes: 0, propagation: 0n, recursive: false, covers: true },
  { do: 'enterRoot', fd: 21 },
  { do: 'borrowMounts', fd: 22 },
  { do: 'carryRoot' },
  { do: 'renew', path: '/dev' },
  { do: 'unbindable', path: '/srv', recursive: true },
  { do: 'scheduler', attributes: Buffer.from([48, 0, 0, 0, ...new Array<number>(44).fill(0)]) },
  { do: 'ioPriority', priority: 4 },
  { do: 'time', offsets: 'boottime 3 4\n' },
  { do: 'personality', domain: 8 },
  { do: 'affinity', mask: Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]) },
  { do: 'wait', gate: 16, reports: undefined },
  { do: 'wait', gate: 16, reports: 17 },
];

const [directory = '.'] = process.argv.slice(2);
for (const [index, step] of steps.entries())
  put(`${index}-${step.do}`, encodePlan(shimConfig, [step, exec]));
// The fuzzer sends what follows `<rest>` as a message of its own (agent/shim/plan-fuzz.c).
const begun = encodePlan(shimConfig, [{ do: 'rest', socket: 17, first: 20 }]);
const word = Buffer.from('<rest>');
put('rest', begun);
put('rest-exec', Buffer.concat([begun, word, encodeRest([exec])]));
put('rest-all', Buffer.concat([begun, word, encodeRest([...steps, exec])]));
// No process has descriptors with these numbers.
for (const first of [0x7fff_fffe, 0xffff_ffff]) {
  const far = encodePlan(shimConfig, [{ do: 'rest', socket: 17, first }]);
  put(`rest-${first}`, Buffer.concat([far, word, encodeRest([exec])]));
}
put('rest-rest', Buffer.concat([begun, word, encodeRest([{ do: 'rest', socket: 17, first: 20 }])]));
put('all', encodePlan(shimConfig, [...steps, exec]));
put('init', encodePlan({ ...shimConfig, terminal: false }, [{ ...exec, init: true }]));

/** Writes each plan also with one more byte, which makes the fuzzer fail some system calls (agent/shim/plan-fuzz.c). */
function put(name: string, plan: Buffer): void {
  writeFileSync(join(directory, name), plan);
  writeFileSync(join(directory, `${name}-failing`), Buffer.concat([plan, Buffer.alloc(1)]));
}
