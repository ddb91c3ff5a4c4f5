/** The kernel takes the default filter, and real programs meet it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const runner = join(import.meta.dirname, 'testdata/run-filtered.ts');

function underFilter(...command: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [runner, ...command], { encoding: 'utf8' });
}

test('a shell works under the default filter', () => {
  const { status, stderr } = underFilter('/bin/sh', '-c', 'ls / >/dev/null && sleep 0 | cat');
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
});

test('unshare and mount are refused under the default filter', () => {
  for (const command of [
    ['/usr/bin/unshare', '--mount', 'true'],
    ['/usr/bin/unshare', '--user', 'true'],
    ['/usr/bin/mount', '-t', 'tmpfs', 'none', '/mnt'],
  ]) {
    const { status, stderr } = underFilter(...command);
    assert.notEqual(status, 0, command.join(' '));
    assert.match(stderr, /not permitted|denied/i, command.join(' '));
  }
});
