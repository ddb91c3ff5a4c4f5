/** The `corten` command as a person runs it, against a real agent. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  discardAgent,
  makeAgentDirectory,
  startAgent,
} from '../agent/e2e/agent-process.ts';

const command = resolve(import.meta.dirname, '../scripts/corten');
const image = 'corten/starter';
let agent: AgentProcess;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
});
after(() => discardAgent(agent));

function corten(...words: string[]) {
  const run = resolve(agent.socket, '..');
  return spawnSync(command, ['--root', agent.directory, '--run', run, ...words], {
    encoding: 'utf8',
    timeout: 60_000,
  });
}

function ok(...words: string[]): string {
  const { status, stdout, stderr } = corten(...words);
  assert.equal(status, 0, `corten ${words.join(' ')}: ${stderr}`);
  return stdout.trim();
}

test('status names the engine; ps, run, exec, limits, logs, stop and rm work on it', () => {
  assert.match(ok('status'), /Engine +running/);
  assert.match(JSON.parse(ok('status', '--json')).socket, /docker\.sock$/);
  ok('run', '-d', '--name', 'web', '--memory', '64m', '--pids', '50', image, 'sleep', '1000');
  assert.match(ok('ps'), /web +corten\/starter +Up/);
  assert.equal(JSON.parse(ok('ps', '--json'))[0].Names[0], '/web');
  assert.equal(ok('exec', 'web', 'echo', 'inside'), 'inside');
  assert.equal(corten('exec', 'web', 'sh', '-c', 'exit 7').status, 7);
  assert.match(ok('limits', 'web'), /Memory limit +64 MiB/);
  assert.match(ok('limits', 'web', '--cpus', '0.5', '--memory', '128m'), /0\.5 CPUs(.|\n)*128 MiB/);
  assert.equal(JSON.parse(ok('limits', 'web', '--json')).pids, 50);
  assert.match(ok('limits', 'web', '--memory', 'none'), /Memory limit +not limited/);
  assert.equal(ok('stop', '--time', '0', 'web'), 'web');
  assert.equal(ok('ps'), 'ID  NAME  IMAGE  STATUS  PORTS');
  assert.equal(ok('rm', 'web'), 'web');
  assert.deepEqual(JSON.parse(ok('ps', '--all', '--json')), []);
});

test('run passes on output and exit code; its own failures are 125 and 127', () => {
  const { status, stdout, stderr } = corten(
    'run',
    '--rm',
    image,
    'sh',
    '-c',
    'echo a; echo b >&2; exit 3',
  );
  assert.deepEqual([status, stdout, stderr], [3, 'a\n', 'b\n']);
  assert.equal(corten('run', '--rm', image, 'no-such-program').status, 127);
  const unknown = corten('run', '--network', 'no-such-network', '--rm', image, 'true');
  assert.equal(unknown.status, 125);
  assert.match(unknown.stderr, /no-such-network/);
});

test('logs prints what a container has written', () => {
  ok('run', '-d', '--name', 'talker', image, 'sh', '-c', 'echo one; echo two; exec sleep 1000');
  assert.equal(ok('logs', '--tail', '1', 'talker'), 'two');
  ok('rm', '--force', 'talker');
});

test('what is wrong is named with the next step, without a stack trace', () => {
  const missing = corten('exec', 'nobody', 'true');
  assert.equal(missing.status, 125);
  assert.match(missing.stderr, /^corten: .*nobody.*corten ps --all/);
  const usage = corten('limits', 'web', '--memory', 'much');
  assert.equal(usage.status, 2);
  assert.match(usage.stderr, /512m/);
  const away = spawnSync(command, ['--run', join(agent.directory, 'away'), 'ps'], {
    encoding: 'utf8',
  });
  assert.equal(away.status, 1);
  assert.equal(away.stderr, 'corten: Corten is not running. Start it with `corten start`.\n');
});

test('start brings up the app, open hands out a fresh link, stop ends it', async () => {
  const directory = makeAgentDirectory();
  const words = ['--root', join(directory, 'root'), '--run', join(directory, 'run')];
  const environment = { ...process.env, DOCKER_CONFIG: join(directory, 'docker') };
  const run = (...more: string[]) =>
    spawnSync(command, [...words, ...more], {
      encoding: 'utf8',
      timeout: 120_000,
      env: environment,
    });
  try {
    const started = run('start');
    assert.match(started.stdout, /^http:\/\/127\.0\.0\.1:\d+\/enter\?token=/, started.stderr);
    const link = run('open', '--no-browser').stdout.trim();
    assert.notEqual(link, started.stdout.trim());
    const enter = async () => (await fetch(link, { redirect: 'manual' })).status;
    assert.deepEqual([await enter(), await enter()], [303, 403], 'it works once');
    assert.match(run('machine', 'list').stdout, /local +This computer +native/);
    const created = run('machine', 'create', 'vm');
    assert.match(created.stderr, /makes no virtual machines.*corten start --kind qemu/);
    assert.match(run('context', 'set').stdout, /docker uses it\./);
    const inContext = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], {
      encoding: 'utf8',
      env: environment,
    });
    assert.equal(inContext.status, 0, inContext.stderr);
    assert.match(run('context', 'undo').stdout, /^There is no context "corten"/);
  } finally {
    assert.equal(run('stop').stdout, 'Corten is stopped.\n');
    rmSync(directory, { recursive: true, force: true });
  }
});
