import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testsOf } from './changed-files.ts';

const imports: Record<string, string[]> = {
  'agent/cgroup/pids.test.ts': ['agent/cgroup/pids.ts'],
  'agent/cgroup/pids.ts': ['agent/kernel/write.ts'],
  'agent/cgroup/limits.linux.test.ts': ['agent/cgroup/limits.suite.ts'],
  'agent/cgroup/limits.suite.ts': ['agent/cgroup/pids.ts'],
  'agent/shim/plan.test.ts': ['agent/shim/plan.ts'],
  'renderer/app.test.ts': ['renderer/app.tsx'],
  'renderer/app.tsx': ['renderer/app.css'],
  'scripts/docs.test.ts': [],
};
const tests = Object.keys(imports).filter((path) => path.includes('.test.'));
const chosenBy = (...changed: string[]) => testsOf(changed, tests, (path) => imports[path] ?? []);

const cases: [string, string[], string[]][] = [
  ['a test chooses itself', ['scripts/docs.test.ts'], ['scripts/docs.test.ts']],
  [
    'a source chooses who imports it, also by way of others',
    ['agent/kernel/write.ts'],
    ['agent/cgroup/pids.test.ts', 'agent/cgroup/limits.linux.test.ts'],
  ],
  ['a source that no test imports chooses none', ['electron/main.ts'], []],
  ['the shim’s C chooses the tests beside it', ['agent/shim/child.c'], ['agent/shim/plan.test.ts']],
  [
    'test data chooses the tests of the folder above',
    ['agent/shim/testdata/deep/plan.json'],
    ['agent/shim/plan.test.ts'],
  ],
  ['what is imported and no TypeScript', ['renderer/app.css'], ['renderer/app.test.ts']],
  ['a page chooses the tests of the repository', ['docs/api.md'], ['scripts/docs.test.ts']],
  [
    'packages choose every unit test',
    ['package-lock.json'],
    tests.filter((path) => !path.includes('.linux.')),
  ],
];
for (const [name, changed, wanted] of cases)
  test(name, () => assert.deepEqual(chosenBy(...changed), wanted));
