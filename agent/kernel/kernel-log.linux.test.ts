/** The machine's own log: what a program wrote into it is read, once, and told from the kernel's. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { KernelLog, type KernelRecord } from './kernel-log.ts';
import { hasErrno } from './libc.ts';

async function all(log: KernelLog): Promise<KernelRecord[]> {
  const records: KernelRecord[] = [];
  for await (const record of log.records()) records.push(record);
  return records;
}

test('records come once, also after it was closed, and forged ones are known', async (t) => {
  const log = new KernelLog();
  t.after(() => log.close());
  try {
    await all(log);
  } catch (error) {
    if (hasErrno(error, 'EPERM', 'EACCES', 'ENOENT')) return t.skip('no kernel log here');
    throw error;
  }
  const mark = `corten test ${randomUUID()}`;
  writeFileSync('/dev/kmsg', `<3>${mark}\n`);
  const found = (await all(log)).filter(({ text }) => text === mark);
  assert.deepEqual(
    found.map(({ fromKernel }) => fromKernel),
    [false],
  );
  log.close();
  assert.deepEqual(
    (await all(log)).filter(({ text }) => text === mark),
    [],
  );
});
