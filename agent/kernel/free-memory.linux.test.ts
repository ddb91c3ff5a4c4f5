import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

// A file system in memory has nowhere to write its pages to. In the guest that is where the sources are.
const tmpfs = 0x01021994;
const place =
  statfsSync(tmpdir()).type === tmpfs ? join(import.meta.dirname, '../../dist') : tmpdir();
const directory = mkdtempSync(join(place, 'free-memory-'));
after(() => rmSync(directory, { recursive: true }));

test('a program lets go of what only its start needed, and goes on', () => {
  // Of its own: pages that another process has too stay where they are.
  const node = join(directory, 'node');
  copyFileSync(process.execPath, node);
  const program = `
    const { readFileSync } = await import('node:fs');
    const { pageOutProgram } = await import(${JSON.stringify(import.meta.resolve('./free-memory.ts'))});
    const mappedKib = () => Number(/^RssFile:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))[1]);
    mappedKib();
    const before = mappedKib();
    pageOutProgram();
    console.log(JSON.stringify({ before, after: mappedKib() }));
  `;
  const words = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program];
  const figures = JSON.parse(execFileSync(node, words, { encoding: 'utf8' }));
  assert.ok(figures.after < figures.before / 2, JSON.stringify(figures));
});
