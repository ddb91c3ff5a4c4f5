/** `corten machine …` on a running app whose QEMU is a stand-in, which boots no system. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { installFakeQemu, writeImage } from '../electron/host/qemu/testdata/stand-in.ts';

const base = resolve(import.meta.dirname, '..');
const directory = mkdtempSync(join(tmpdir(), 'corten-machines-'));
const root = join(directory, 'root');
const words = ['--root', root, '--run', join(directory, 'run')];
const environment = {
  ...process.env,
  PATH: [join(directory, 'bin'), process.env.PATH].join(delimiter),
  DOCKER_CONFIG: join(directory, 'docker'),
};
let app: ChildProcess;

before(async () => {
  const images = join(directory, 'images');
  writeImage(join(images, process.arch === 'arm64' ? 'arm64' : 'amd64'), 'one');
  installFakeQemu(join(directory, 'bin'));
  mkdirSync(join(root, 'app'), { recursive: true });
  writeFileSync(join(root, 'app', 'folders.json'), '{"folders":[]}');
  const program = join(base, 'renderer/e2e/testdata/qemu-app.ts');
  app = spawn(process.execPath, [program, images, ...words], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  assert.ok(app.stdout);
  const [line] = await once(createInterface(app.stdout), 'line');
  assert.match(line, /^ready /);
});

after(async () => {
  app.kill('SIGTERM');
  await once(app, 'exit');
  rmSync(directory, { recursive: true, force: true });
});

function corten(...more: string[]) {
  return spawnSync(join(base, 'scripts/corten'), [...words, ...more], {
    encoding: 'utf8',
    env: environment,
    timeout: 120_000,
  });
}

function ok(...more: string[]): string {
  const { status, stdout, stderr } = corten(...more);
  assert.equal(status, 0, `corten ${more.join(' ')}: ${stderr}`);
  return stdout.trim();
}

const dockerConfig = () => JSON.parse(readFileSync(join(directory, 'docker/config.json'), 'utf8'));

test('a machine is created, resized, started, compacted, stopped and deleted', () => {
  const id = ok('machine', 'create', 'dev');
  assert.match(ok('machine', 'list'), new RegExp(`^${id} +dev +qemu +stopped$`, 'm'));
  assert.equal(ok('machine', 'resize', 'dev', '--cpus', '1', '--memory', '1g'), 'dev');
  assert.match(corten('machine', 'compact', 'dev').stderr, /is not running\. Start it first/);
  assert.equal(ok('machine', 'start', 'dev'), 'dev');
  assert.match(ok('machine', 'list'), /dev +qemu +running/);
  assert.match(ok('machine', 'resize', id, '--memory', '2g'), /when it is started again/);
  const smaller = corten('machine', 'resize', 'dev', '--disk', '1g');
  assert.equal(smaller.status, 1);
  assert.match(smaller.stderr, /can only become larger/);
  assert.match(ok('machine', 'compact', 'dev'), /freed\.$/);
  assert.match(corten('machine', 'ssh', 'dev').stderr, /has no shell of its own.*corten shell/);
  assert.equal(ok('machine', 'stop', 'dev'), 'dev');
  const settings = join(root, 'machines', id, 'machine.json');
  assert.equal(JSON.parse(readFileSync(settings, 'utf8')).settings.memoryBytes, 2 * 1024 ** 3);
  assert.equal(ok('machine', 'delete', '--state', 'dev'), 'dev');
  assert.ok(!existsSync(join(root, 'machines', id)), 'nothing of it is left');
  assert.match(corten('machine', 'start', 'dev').stderr, /There is no machine "dev"/);
});

test('a kind that the app does not make is refused with the kinds that it makes', () => {
  const { status, stderr } = corten('machine', 'create', 'other', '--kind', 'wsl2');
  assert.equal(status, 1);
  assert.match(stderr, /no machines of kind wsl2, only qemu, remote/);
  assert.equal(corten('machine', 'create', 'far', '--kind', 'remote').status, 2, 'without --host');
});

test('context set makes docker use a machine, and undo gives the context before back', () => {
  mkdirSync(join(directory, 'docker'), { recursive: true });
  writeFileSync(join(directory, 'docker/config.json'), '{"psFormat":"json"}');
  const id = ok('machine', 'create', 'ctx');
  assert.match(ok('--machine', 'ctx', 'context', 'set'), /leads to unix:.*\ndocker uses it\./);
  assert.deepEqual(dockerConfig(), { psFormat: 'json', currentContext: `corten-${id}` });
  assert.match(ok('context', 'set'), /The context "corten" leads to/);
  assert.match(ok('context', 'undo'), /^There is no context "corten"\./);
  assert.equal(dockerConfig().currentContext, `corten-${id}`);
  assert.equal(ok('machine', 'delete', 'ctx'), 'ctx');
  assert.deepEqual(dockerConfig(), { psFormat: 'json' }, 'its context goes with the machine');
});
