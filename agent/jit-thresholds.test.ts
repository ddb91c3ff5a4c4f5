import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('this V8 knows every flag that is set', () => {
  const module = join(import.meta.dirname, 'jit-thresholds.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval'],
      `(await import(${JSON.stringify(module)})).lowerJitThresholds(); console.log('set')`,
    ],
    { encoding: 'utf8' },
  );
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'set\n', stderr: '' });
});
