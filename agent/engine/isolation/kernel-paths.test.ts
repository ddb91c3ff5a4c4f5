import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountinfo } from '../../kernel/mountinfo.ts';
import { kernelPathStates } from './kernel-paths.ts';

const mounts = (...lines: string[]) => parseMountinfo(lines.join('\n'));
const root = '1 0 0:9 / / rw - overlay overlay rw';
const proc = '2 1 0:10 / /proc rw,nosuid - proc proc rw';
const everything = () => true;
const states = (entries: ReturnType<typeof mounts>, ...paths: string[]) => [
  ...kernelPathStates(entries, paths, everything).values(),
];

test('masks, guards, and what is open', () => {
  const entries = mounts(
    root,
    proc,
    '3 2 0:11 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw,mode=755',
    '4 2 0:12 / /proc/acpi ro - tmpfs tmpfs ro',
    '5 2 0:10 /sys /proc/sys ro,nosuid - proc proc rw',
    '6 1 0:13 / /sys ro - sysfs sysfs ro',
  );
  assert.deepEqual(
    states(entries, '/proc/kcore', '/proc/acpi', '/proc/sys', '/proc/keys', '/sys/firmware'),
    ['masked', 'masked', 'read-only', 'open', 'read-only'],
  );
});

test('what the kernel does not have is absent, whatever is mounted', () => {
  const entries = mounts(root, proc);
  const found = kernelPathStates(entries, ['/proc/asound'], () => false);
  assert.equal(found.get('/proc/asound'), 'absent');
});

test('a mask that was taken away, or covered by procfs again, is none', () => {
  const mask = '3 2 0:11 /null /proc/kcore rw - tmpfs tmpfs rw';
  assert.deepEqual(states(mounts(root, proc), '/proc/kcore'), ['open']);
  const again = '9 2 0:10 / /proc rw - proc proc rw';
  // A later procfs over /proc hides the mask, but the mask's entry stays in the list.
  assert.deepEqual(states(mounts(root, proc, mask, again), '/proc/kcore'), ['open']);
  const bound = '9 3 0:10 /kcore /proc/kcore rw - proc proc rw';
  assert.deepEqual(states(mounts(root, proc, mask, bound), '/proc/kcore'), ['open']);
});

test('a writable file system over a path hides nothing that is told of', () => {
  const fake = '3 2 0:11 / /proc/acpi rw - tmpfs tmpfs rw';
  assert.deepEqual(states(mounts(root, proc, fake), '/proc/acpi'), ['open']);
});

test('names that only begin alike are others', () => {
  const entries = mounts(root, proc, '3 2 0:11 /null /proc/kcor rw - tmpfs tmpfs rw');
  assert.deepEqual(states(entries, '/proc/kcore'), ['open']);
});
