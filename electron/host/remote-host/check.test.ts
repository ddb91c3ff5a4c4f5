import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { StageFailure } from '../machine/machine.ts';
import { checkScript, judge, parse } from './check.ts';

const good: Record<string, string> = {
  system: 'Linux',
  kernel: '6.12.9-amd64',
  machine: 'x86_64',
  uid: '0',
  cgroups: 'v2',
  controllers: 'cpuset cpu io memory pids',
  overlay: 'yes',
  glibc: '2.41',
  'free/opt': '9000000',
  'free/var/lib': '9000000',
  tools: '',
  systemd: 'yes',
};

const judged = (change: Record<string, string | undefined>) =>
  judge(
    new Map(
      Object.entries({ ...good, ...change }).filter(
        (one): one is [string, string] => one[1] !== undefined,
      ),
    ),
    'box',
  );

test('a host that can run it', () => {
  assert.deepEqual(judged({}), {
    architecture: 'amd64',
    kernel: '6.12.9-amd64',
    cgroups: 'v2',
    hasSeccomp: false,
    hasNftables: false,
    hasSystemd: true,
    installed: undefined,
    hasOtherAgent: false,
  });
  assert.equal(judged({ machine: 'aarch64' }).architecture, 'arm64');
  assert.equal(judged({ uid: '1000', sudo: 'yes' }).installed, undefined);
  assert.equal(judged({ installed: '1.0', 'free/opt': '10' }).installed, '1.0');
  assert.equal(judged({ agent: '77' }).hasOtherAgent, true);
  assert.equal(judged({ agent: '77', installed: '1.0' }).hasOtherAgent, false);
});

for (const [what, change, cause, nextStep] of [
  ['another system', { system: 'Darwin' }, /runs Darwin/, /with Linux/],
  ['another processor', { machine: 'riscv64' }, /kind riscv64/, /x86_64 or aarch64/],
  ['an old kernel', { kernel: '4.19.0-5' }, /kernel 4\.19.*needs 5\.10/, /Upgrade/],
  ['no rights', { uid: '1000', sudo: 'no' }, /not root on box/, /sudoers/],
  ['no control groups', { cgroups: undefined }, /no control groups/, /mount -t cgroup2/],
  ['no memory limits', { controllers: 'cpu pids' }, /does not limit memory/, /cgroup_enable/],
  ['no overlay', { overlay: undefined }, /no overlay/, /linux-modules-extra/],
  ['musl', { glibc: '' }, /no GNU C library/, /Debian/],
  ['an old glibc', { glibc: '2.17' }, /glibc 2\.17.*needs 2\.28/, /Upgrade/],
  ['no tar', { tools: 'tar ' }, /lacks tar/, /Install/],
  ['a stranger’s files', { foreign: '/opt/corten' }, /not made by Corten/, /Move it away/],
  ['no space for it', { 'free/opt': '1024' }, /1 MiB left for \/opt/, /Free some space/],
  ['no space for images', { 'free/var/lib': '2048' }, /2 MiB left for \/var\/lib/, /Free/],
] as const)
  test(`refused with cause and next step: ${what}`, () => {
    assert.throws(
      () => judged(change),
      (error) =>
        error instanceof StageFailure && cause.test(error.message) && nextStep.test(error.nextStep),
    );
  });

test('the script says all of it on this machine, in any POSIX shell', () => {
  const said = parse(
    execFileSync('sh', ['-c', checkScript], {
      encoding: 'utf8',
    }),
  );
  for (const name of ['system', 'kernel', 'machine', 'uid', 'cgroups', 'glibc', 'free/opt'])
    assert.ok(said.get(name), `${name} in ${JSON.stringify([...said])}`);
});
