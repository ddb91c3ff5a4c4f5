import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { encodePlan, type ShimConfig, ShimFd, type Step } from './plan.ts';

const shimConfig: ShimConfig = {
  cloneFlags: 0x20000000,
  cgroupFd: undefined,
  pidNamespaceFd: 17,
  input: true,
  output: true,
  terminal: false,
  moves: false,
  log: { firstFile: 3, maxBytes: 2 ** 40, maxFiles: 5 },
};

/** Takes a plan apart as the shim does. */
function records(plan: Buffer): { tag: number; bytes: Buffer }[] {
  const found: { tag: number; bytes: Buffer }[] = [];
  for (let at = 0; at < plan.length; ) {
    const length = plan.readUInt32LE(at + 4);
    found.push({ tag: plan.readUInt32LE(at), bytes: plan.subarray(at + 8, at + 8 + length) });
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}

const encode = (...steps: Step[]) => records(encodePlan(shimConfig, steps)).slice(1);

test('the first record is what the shim itself does', () => {
  const [start] = records(encodePlan(shimConfig, []));
  assert.equal(start?.tag, 1);
  assert.equal(start?.bytes.length, 40);
  const numbers = Array.from({ length: 6 }, (_, index) => start?.bytes.readInt32LE(index * 4));
  // version, clone flags, cgroup, pid namespace, input + out + err + log, first log file
  assert.deepEqual(numbers, [1, 0x20000000, -1, 17, 1 + 2 + 4 + 16, 3]);
  assert.equal(start?.bytes.readBigUInt64LE(24), 2n ** 40n);
  assert.equal(start?.bytes.readUInt32LE(32), 5);
});

test('with a terminal there is one output and no stderr', () => {
  const [start] = records(encodePlan({ ...shimConfig, terminal: true, log: undefined }, []));
  assert.equal(start?.bytes.readUInt32LE(16), 1 + 2 + 8);
});

test('a plan may be of any length', () => {
  const env = Array.from(
    { length: 3000 },
    (_, index) => `VARIABLE_${index}=${'x'.repeat(index % 50)}`,
  );
  const steps: Step[] = [
    { do: 'chdir', path: '/before' },
    { do: 'exec', init: false, args: ['sh'], env },
    { do: 'chdir', path: '/after' },
  ];
  const [before, exec, after] = encode(...steps);
  assert.equal(before?.bytes.toString(), '/before\0');
  assert.equal(after?.bytes.toString(), '/after\0');
  assert.ok(exec?.bytes.toString().endsWith(env.map((one) => `${one}\0`).join('')));
});

test('steps keep their order, and every record is padded to 8 bytes', () => {
  const steps: Step[] = [
    { do: 'chdir', path: '/a' },
    { do: 'keyring' },
    { do: 'groups', ids: [1, 2, 3] },
    { do: 'exec', init: false, args: ['sh', '-c', 'ü'], env: [] },
  ];
  const plan = encodePlan(shimConfig, steps);
  assert.equal(plan.length % 8, 0);
  const [chdir, keyring, groups, exec] = records(plan).slice(1);
  assert.equal(chdir?.bytes.toString(), '/a\0');
  assert.equal(keyring?.bytes.length, 0);
  assert.deepEqual([...groups!.bytes], [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
  assert.equal(exec?.bytes.subarray(12).toString(), 'sh\0\x03\0\0\0sh\0-c\0ü\0\0\0\0\0');
});

test('sets and limits are 64 bits wide', () => {
  const [bounding, rlimit] = encode(
    { do: 'bounding', set: 1n << 40n },
    {
      do: 'rlimit',
      name: 'RLIMIT_AS',
      resource: 9,
      soft: 5n,
      hard: 0xffff_ffff_ffff_ffffn,
      raiseOnly: false,
    },
  );
  assert.equal(bounding?.bytes.readBigUInt64LE(), 1n << 40n);
  assert.equal(rlimit?.bytes.readBigUInt64LE(8), 5n);
  assert.equal(rlimit?.bytes.readBigUInt64LE(16), 0xffff_ffff_ffff_ffffn);
});

test('a zero byte inside a string is refused: it would cut the argument short', () => {
  assert.throws(() => encode({ do: 'exec', init: false, args: ['a\0b'], env: [] }), {
    kind: 'invalid',
  });
});

test('numbers of the shim’s descriptors are those of shim.h', () => {
  const source = readFileSync(new URL('../shim/shim.h', import.meta.url), 'utf8');
  const numberOf = (name: string) => Number(new RegExp(`\\b${name} = (\\d+)`).exec(source)?.[1]);
  assert.deepEqual(
    { ...ShimFd },
    {
      plan: numberOf('FD_PLAN'),
      alive: numberOf('FD_ALIVE'),
      runDirectory: numberOf('FD_RUN'),
      logDirectory: numberOf('FD_LOG_DIR'),
      input: numberOf('FD_INPUT'),
      out: numberOf('FD_OUT'),
      err: numberOf('FD_ERR'),
      proc: numberOf('FD_PROC'),
      child: numberOf('FD_PIDFD'),
      firstFree: numberOf('FD_FIRST_FREE'),
    },
  );
});

test('tags are in the order of shim.h', () => {
  const source = readFileSync(new URL('../shim/shim.h', import.meta.url), 'utf8');
  const names = [...source.slice(source.indexOf('STEP_START = 1')).matchAll(/STEP_([A-Z_]+)/g)];
  const order = [...new Set(names.map(([, name]) => name))].slice(0, 25);
  const samples: Record<string, Step> = {
    WRITE: { do: 'write', fd: 1, text: '' },
    PROC_WRITE: { do: 'procWrite', path: '', text: '' },
    SETNS: { do: 'setns', fd: 1, flag: 0 },
    UNSHARE: { do: 'unshare', flags: 0 },
    SESSION: { do: 'session', terminal: false },
    STDIO: { do: 'stdio', fds: [] },
    MOUNT_PROC: { do: 'mountProc', attributes: 0, path: '', replaces: false },
    ATTACH: { do: 'attach', fd: 0, path: '' },
    MASK: { do: 'mask', path: '' },
    READONLY: { do: 'readonly', path: '' },
    CLOSE: { do: 'close' },
    CHDIR: { do: 'chdir', path: '' },
    RLIMIT: { do: 'rlimit', name: '', resource: 0, soft: 0n, hard: 0n, raiseOnly: false },
    KEYRING: { do: 'keyring' },
    UMASK: { do: 'umask', mask: 0 },
    GROUPS: { do: 'groups', ids: [] },
    BOUNDING: { do: 'bounding', set: 0n },
    IDS: { do: 'ids', uid: 0, gid: 0 },
    CAPABILITIES: { do: 'capabilities', effective: 0n, permitted: 0n, inheritable: 0n },
    AMBIENT: { do: 'ambient', set: 0n },
    NO_NEW_PRIVILEGES: { do: 'noNewPrivileges' },
    SECCOMP: { do: 'seccomp', flags: 0, filter: Buffer.alloc(0) },
    OWN_STDIO: { do: 'ownStdio', uid: 0, gid: 0 },
    EXEC: { do: 'exec', init: false, args: [], env: [] },
  };
  assert.deepEqual(order.slice(1).sort(), Object.keys(samples).sort());
  for (const [name, step] of Object.entries(samples))
    assert.equal(encode(step)[0]?.tag, order.indexOf(name) + 1, name);
});
