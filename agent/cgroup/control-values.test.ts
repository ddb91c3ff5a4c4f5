/** A temporary directory poses as the kernel's, for v1 and for v2. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readControlValues } from './control-values.ts';

function groupOf(t: TestContext, files: Record<string, string>): (path: string) => string {
  const root = mkdtempSync(join(tmpdir(), 'corten-values-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, value] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), value);
  }
  return (path) => join(root, path);
}

test('v1: the limits of each hierarchy, and nothing that only counts or acts', (t) => {
  const at = groupOf(t, {
    'memory/memory.limit_in_bytes': '67108864\n',
    'memory/memory.usage_in_bytes': '4096\n',
    'memory/memory.force_empty': '',
    'memory/cgroup.procs': '1\n',
    'pids/pids.max': 'max\n',
    'blkio/blkio.throttle.read_bps_device': '',
    'devices/devices.list': 'c 1:3 rwm\nb *:* m\n',
    'devices/devices.allow': '',
    'hugetlb/hugetlb.2MB.limit_in_bytes': '0\n',
  });
  const names = ['memory', 'pids', 'blkio', 'devices', 'hugetlb', 'freezer'];
  const paths = new Map(names.map((name) => [name, at(name)]));
  assert.deepEqual(
    readControlValues({ paths }).map(({ controller, directory, values }) => ({
      ...{ controller, directory },
      ...{ values: values.map(({ file, value }) => `${file}=${value}`) },
    })),
    [
      { controller: 'memory', directory: at('memory'), values: ['memory.limit_in_bytes=67108864'] },
      { controller: 'pids', directory: at('pids'), values: ['pids.max=max'] },
      { controller: 'io', directory: at('blkio'), values: ['blkio.throttle.read_bps_device='] },
      {
        controller: 'devices',
        directory: at('devices'),
        values: ['devices.list=c 1:3 rwm\nb *:* m'],
      },
      {
        controller: 'hugetlb',
        directory: at('hugetlb'),
        values: ['hugetlb.2MB.limit_in_bytes=0'],
      },
    ],
  );
});

test('v1: two controllers in one directory keep their own files', (t) => {
  const at = groupOf(t, { 'both/cpu.shares': '2\n', 'both/cpuacct.usage': '9\n' });
  const paths = new Map([
    ['cpu', at('both')],
    ['cpuacct', at('both')],
  ]);
  const found = readControlValues({ paths });
  assert.deepEqual(
    found.map(({ controller, values }) => [controller, values.length]),
    [['cpu', 1]],
  );
});

test('v2: one directory, by controller', (t) => {
  const at = groupOf(t, {
    'web/cpu.max': '50000 100000\n',
    'web/cpu.stat': 'usage_usec 1\n',
    'web/memory.max': 'max\n',
    'web/memory.swap.max': '0\n',
    'web/memory.current': '1\n',
    'web/io.max': '8:0 rbps=1048576\n',
    'web/cgroup.kill': '',
    'web/cgroup.freeze': '0\n',
  });
  const found = readControlValues({ paths: new Map([['', at('web')]]) });
  const values = found.map(({ controller, values }) => [
    controller,
    ...values.map(({ file, value }) => `${file} ${value}`),
  ]);
  assert.deepEqual(values, [
    ['cgroup', 'cgroup.freeze 0'],
    ['cpu', 'cpu.max 50000 100000'],
    ['io', 'io.max 8:0 rbps=1048576'],
    ['memory', 'memory.max max', 'memory.swap.max 0'],
  ]);
});

test('a group that is gone has nothing', (t) => {
  const at = groupOf(t, {});
  assert.deepEqual(readControlValues({ paths: new Map([['memory', at('gone')]]) }), []);
});
