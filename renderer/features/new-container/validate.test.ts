import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyForm, type Form } from './form.ts';
import { validate } from './validate.ts';

const around = {
  takenNames: new Set(['web']),
  takenPorts: new Map([['tcp/8080', 'web']]),
  cpus: 2,
  root: 'machine' as const,
};

function problemsOf(change: Partial<Form>) {
  const problems = validate({ ...emptyForm('img'), ...change }, around);
  return Object.fromEntries(Object.entries(problems).map(([field, { id }]) => [field, id]));
}

test('a form with an image alone is fine', () => {
  assert.deepEqual(problemsOf({}), {});
});

test('each field names its own problem', () => {
  assert.deepEqual(problemsOf({ image: ' ' }), { image: 'new.problem.image' });
  assert.deepEqual(problemsOf({ name: 'a b' }), { name: 'new.problem.name' });
  assert.deepEqual(problemsOf({ name: 'web' }), { name: 'new.problem.nameTaken' });
  assert.deepEqual(problemsOf({ memoryBytes: 1 }), { memory: 'new.problem.memory' });
  assert.deepEqual(problemsOf({ cpus: 3 }), { cpus: 'new.problem.cpus' });
  assert.deepEqual(problemsOf({ diskBytes: 4095 * 1024 }), { disk: 'limits.spaceFloor' });
  assert.deepEqual(problemsOf({ diskBytes: 0 }), {});
  assert.deepEqual(problemsOf({ restart: 'always', autoRemove: true }), {
    restart: 'new.problem.restart',
  });
});

test('a root of its own goes neither with the machine’s network nor with privileges', () => {
  const own = { root: 'own' as const };
  assert.deepEqual(problemsOf(own), {});
  assert.deepEqual(problemsOf({ ...own, network: 'host' }), { root: 'new.problem.rootNetwork' });
  assert.deepEqual(problemsOf({ ...own, privileged: true }), {
    root: 'new.problem.rootPrivileged',
  });
  assert.deepEqual(problemsOf({ network: 'host', privileged: true }), {});
  const byDefault = validate({ ...emptyForm('img'), network: 'host' }, { ...around, ...own });
  assert.deepEqual(Object.keys(byDefault), ['root']);
});

test('ports are numbers that nobody else has', () => {
  const port = (host: string, container = '80') =>
    problemsOf({ ports: [{ key: 1, host, container, protocol: 'tcp' }] })['ports.1'];
  assert.equal(port('8081'), undefined);
  assert.equal(port(''), undefined);
  assert.equal(port('127.0.0.1:9000', '8000-8010'), undefined);
  assert.equal(port('8080'), 'new.problem.portTaken');
  assert.equal(port('70000'), 'new.problem.port');
  assert.equal(port('x'), 'new.problem.port');
  assert.equal(port('81', ''), 'new.problem.port');
});

test('mounts want an absolute target and a path or volume name', () => {
  const mount = (source: string, target: string) =>
    problemsOf({ mounts: [{ key: 1, source, target, readOnly: false }] })['mounts.1'];
  assert.equal(mount('data', '/data'), undefined);
  assert.equal(mount('/srv', '/data'), undefined);
  assert.equal(mount('', '/data'), undefined);
  assert.equal(mount('data', 'data'), 'new.problem.mountTarget');
  assert.equal(mount('./here', '/data'), 'new.problem.mountSource');
});
