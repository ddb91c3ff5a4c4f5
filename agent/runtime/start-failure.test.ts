import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import type { Step } from './plan.ts';
import { StartError } from './start-error.ts';
import { startFailure } from './start-failure.ts';

const { ENOENT, EACCES, ENOEXEC, ENOTDIR, EPERM, EINVAL } = constants.errno;

const exec = (command: string): Step => ({ do: 'exec', init: false, args: [command], env: [] });
const failure = (step: Step, errno: number) => {
  const error = startFailure([{ do: 'keyring' }, step], { kind: 'failed', step: 2, errno });
  return { code: error instanceof StartError ? error.exitCode : undefined, message: error.message };
};

test('a command that is not found is 127', () => {
  assert.deepEqual(failure(exec('nope'), ENOENT), {
    code: 127,
    message: 'unable to start container process: exec: "nope": executable file not found in $PATH',
  });
  assert.match(failure(exec('/nope'), ENOENT).message, /no such file or directory/);
  assert.equal(failure(exec('/file/nope'), ENOTDIR).code, 127);
});

test('a command that cannot be executed is 126', () => {
  assert.deepEqual(failure(exec('/etc/passwd'), EACCES).code, 126);
  assert.match(failure(exec('/etc/passwd'), EACCES).message, /permission denied/);
  assert.match(failure(exec('/x'), ENOEXEC).message, /exec format error/);
});

test('another step names what it was doing', () => {
  const step: Step = {
    do: 'rlimit',
    name: 'RLIMIT_NOFILE',
    resource: 7,
    soft: 1n,
    hard: 2n,
    raiseOnly: false,
  };
  const { code, message } = failure(step, EPERM);
  assert.equal(code, 128);
  assert.match(message, /RLIMIT_NOFILE to 1:2: operation not permitted/);
});

test('the shim’s own failure is nobody’s mistake', () => {
  const error = startFailure([], { kind: 'failed', step: 0, errno: EINVAL });
  assert.equal(error.kind, 'internal');
});
