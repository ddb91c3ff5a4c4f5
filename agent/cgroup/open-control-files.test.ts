/** Files that stay open, on a temporary directory that poses as a control group. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OpenControlFiles } from './open-control-files.ts';

function openFilesBelow(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      return path.startsWith(directory) ? [path.slice(directory.length + 1)] : [];
    } catch {
      // The descriptor that readdir used.
      return [];
    }
  });
}

test('a file is opened once, read anew each time, and let go', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-kept-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const files = new OpenControlFiles();
  writeFileSync(join(directory, 'pids.current'), '1\n');
  assert.equal(files.read(directory, 'pids.current'), '1');
  writeFileSync(join(directory, 'pids.current'), '23\n');
  assert.equal(files.read(directory, 'pids.current'), '23');
  assert.equal(files.read(directory, 'none'), undefined);
  assert.deepEqual(openFilesBelow(directory), ['pids.current']);
  const long = 'x 1\n'.repeat(10_000);
  writeFileSync(join(directory, 'memory.stat'), long);
  assert.equal(files.read(directory, 'memory.stat'), long.trimEnd());
  files.close();
  assert.deepEqual(openFilesBelow(directory), []);
});
