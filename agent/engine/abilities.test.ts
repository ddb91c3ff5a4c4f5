import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeAbilities, type MachineFacts, missingIn } from './abilities.ts';

const everything: MachineFacts = {
  root: true,
  cgroups: {
    version: 2,
    controllers: ['cpu', 'cpuset', 'io', 'memory', 'pids', 'freezer'],
  },
  disks: { kind: 'loop' },
  disconnected: undefined,
  lowestPort: 1024,
  kernelLog: true,
  lingers: undefined,
};

const missing = (change: Partial<MachineFacts>) =>
  missingIn(describeAbilities({ ...everything, ...change }));
const names = (change: Partial<MachineFacts>) => missing(change).map(({ name }) => name);

test('the machine’s root lacks nothing on a whole machine', () => {
  assert.deepEqual(missing({}), []);
  assert.equal(describeAbilities(everything).abilities.length, 11);
});

test('whatever is missing has a cause and a next step, as sentences', () => {
  const lack = { cause: 'There are none.', nextStep: 'Get some.' };
  const all = missing({
    root: false,
    cgroups: { version: 1, controllers: [], lack },
    disks: { kind: 'none', lack },
    disconnected: 'pasta is missing',
    kernelLog: false,
    lingers: false,
  });
  assert.equal(all.length, 11);
  for (const ability of all) {
    assert.ok(!ability.available);
    assert.match(ability.cause, /^[A-Z].*\.$/, ability.name);
    assert.match(ability.nextStep, /^[A-Z].*\.$/, ability.name);
  }
});

test('controllers that were not handed down are named, and how to get them', () => {
  const cgroups = { version: 2, controllers: ['memory', 'pids', 'freezer'] } as const;
  const [limits] = missing({ root: false, cgroups });
  assert.ok(limits?.name === 'limits' && !limits.available);
  assert.match(limits.cause, /cpu, io, cpuset/);
  assert.match(limits.nextStep, /user@\.service\.d.*Delegate=cpu cpuset io memory pids/);
});

test('ports from 0 on are as good as root’s', () => {
  assert.ok(names({ root: false }).includes('low-ports'));
  assert.ok(!names({ root: false, lowestPort: 0 }).includes('low-ports'));
});
