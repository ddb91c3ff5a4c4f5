import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { withSmallPages } from './small-pages.ts';

const largePages = (pid: number | 'self') =>
  /^THP_enabled:\s+(\d)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];

test('what is started so has no large pages, and this process keeps its own', {
  skip: process.platform !== 'linux' && 'Linux only',
}, async () => {
  assert.equal(largePages('self'), '1');
  const child = withSmallPages(() => spawn('sleep', ['60']));
  try {
    await once(child, 'spawn');
    assert.equal(largePages(child.pid!), '0');
    assert.equal(largePages('self'), '1');
    assert.throws(() =>
      withSmallPages(() => {
        throw new Error('none');
      }),
    );
    assert.equal(largePages('self'), '1');
  } finally {
    child.kill();
  }
});
