/**
 * A whole machine: QEMU, the guest of scripts/vm-image, the agent in it, the real docker CLI through
 * this computer's socket. Emulated where nothing accelerates, so it boots as seldom as can be: once
 * for nearly all of it, then from saved memory, then once more for what a restart keeps.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startRegistry, type TestRegistry } from '../../agent/images/testdata/registry.ts';
import { createForwarding } from '../host/forward/forwarding.ts';
import { guestClock } from '../host/machine/guest-clock.ts';
import { createMachine } from '../host/machine/lifecycle.ts';
import type { Machine } from '../host/machine/machine.ts';
import { qemuBackend } from '../host/machine/qemu/backend.ts';
import { openConnection } from '../host/ssh/connection.ts';
import { openTerminal } from '../host/terminal.ts';

const base = join(import.meta.dirname, '..', '..');
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
const directory = mkdtempSync(join(tmpdir(), 'vm-'));
const apiSocketPath = join(directory, 'docker.sock');
const dataDisk = join(directory, 'machine', 'data.raw');
/** QEMU's own network: this computer's loopback as the guest sees it. */
const hostInGuest = '10.0.2.2';

let registry: TestRegistry;
let machine: Machine;
let image: string;

before(async () => {
  registry = await startRegistry(join(directory, 'registry'));
  execFileSync('skopeo', [
    'copy',
    '--quiet',
    '--dest-tls-verify=false',
    `oci-archive:${join(base, 'dist/starter-image.tar')}`,
    `docker://${registry.domain}/team/small:1`,
  ]);
  const [, port] = registry.domain.split(':');
  image = `${hostInGuest}:${port}/team/small:1`;
  machine = makeMachine([`--insecure-registry=${hostInGuest}:${port}`]);
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
});

after(async () => {
  await machine?.stop({ force: true });
  await registry?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function makeMachine(agentArguments: string[]): Machine {
  const { companion } = createForwarding({
    apiSocketPath,
    contextName: 'corten-vm-test',
    isGuest: true,
    environment: { DOCKER_CONFIG: join(directory, 'docker') },
  });
  return createMachine({
    backend: qemuBackend({
      directory: join(directory, 'machine'),
      runDirectory: join(directory, 'run'),
      imageDirectory: join(base, 'dist/vm-image', architecture),
      settings: {
        cpus: 2,
        memoryBytes: 768 * 1024 ** 2,
        diskBytes: 4 * 1024 ** 3,
        pauseAfterMs: null,
      },
      agentArguments,
    }),
    companions: [guestClock(), ...(companion === undefined ? [] : [companion])],
  });
}

async function docker(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', words, {
    env: { ...process.env, DOCKER_HOST: `unix://${apiSocketPath}` },
    encoding: 'utf8',
  });
  return stdout.trim();
}

async function ask<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
  const { status, body: answer } = await machine.engine().request({
    method,
    path,
    ...(body && {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    }),
  });
  const text = Buffer.from(answer).toString('utf8');
  assert.ok(status < 300, `${method} ${path}: ${status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

test('an image is pulled from a registry on this computer', async () => {
  await docker('pull', '--quiet', image);
  assert.match(await docker('run', '--rm', image, 'uname', '-r'), /^6\.12\..*cloud/);
});

test('every limit is in the files of cgroup v2, as the container itself reads them', async () => {
  const names = ['memory.max', 'memory.swap.max', 'cpu.max', 'cpu.weight', 'pids.max'];
  const said = await docker(
    ...['run', '--rm', '--memory=64m', '--memory-swap=64m', '--cpus=0.5', '--cpu-shares=512'],
    ...['--pids-limit=77', image, 'sh', '-c'],
    names.map((name) => `echo ${name} $(cat /sys/fs/cgroup/${name})`).join('; '),
  );
  const values = Object.fromEntries(
    said
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  );
  assert.equal(values['memory.max'], String(64 * 1024 ** 2));
  assert.equal(values['memory.swap.max'], '0');
  assert.equal(values['cpu.max'], '50000 100000');
  assert.notEqual(values['cpu.weight'], '100');
  assert.equal(values['pids.max'], '77');
  // Debian's docker CLI 26 does not send what --device-write-bps says.
  const { Id } = await ask<{ Id: string }>('POST', '/containers/create', {
    Image: image,
    Cmd: ['cat', '/sys/fs/cgroup/io.max'],
    HostConfig: { BlkioDeviceWriteBps: [{ Path: '/dev/vdb', Rate: 1024 ** 2 }] },
  });
  assert.match(await docker('start', '--attach', Id), /wbps=1048576/);
  await docker('rm', Id);
});

test('a container that fills its disk limit gets ENOSPC, and nothing else does', async () => {
  const run = docker(
    'run',
    '--rm',
    '--storage-opt=size=16m',
    image,
    'sh',
    '-c',
    'dd if=/dev/zero of=/big bs=1M count=64',
  );
  await assert.rejects(run, /No space left on device/);
  assert.match(
    await docker('run', '--rm', image, 'sh', '-c', 'dd if=/dev/zero of=/big bs=1M count=20 2>&1'),
    /20\+0 records out/,
  );
});

test('memory that a container takes beyond its limit ends it', async () => {
  const run = docker(
    'run',
    '--rm',
    '--memory=16m',
    '--memory-swap=16m',
    image,
    'sh',
    '-c',
    'head -c 64m /dev/zero | tail',
  );
  await assert.rejects(run, { code: 137 });
});

test('a published port is reached on this computer', async () => {
  await docker(
    'run',
    '-d',
    '--name=web',
    '-p=127.0.0.1:0:80',
    image,
    'sh',
    '-c',
    'mkdir /w; echo from the machine >/w/index.html; exec httpd -f -p 80 -h /w',
  );
  const port = (await docker('port', 'web', '80')).split(':').at(-1);
  let text = '';
  for (let tries = 0; tries < 100 && text === ''; tries++) {
    text = await fetch(`http://127.0.0.1:${port}/`).then(
      (answer) => answer.text(),
      () => '',
    );
    if (text === '') await sleep(50);
  }
  assert.match(text, /from the machine/);
});

test('a terminal in a container: echo, size and exit', async () => {
  let output = '';
  let exit: number | undefined;
  const line = await openTerminal(
    machine.endpoint(),
    { container: 'web', rows: 24, columns: 80, term: 'xterm-256color' },
    (message) => {
      if ('data' in message) output += Buffer.from(message.data).toString('utf8');
      else exit = message.exit.code;
    },
  );
  line.receive({ data: Buffer.from('stty size; exit 5\n') });
  await line.ended;
  assert.match(output, /24 80/);
  assert.equal(exit, 5);
});

test('several SSH connections go through the machine’s one line', async () => {
  const clients = await Promise.all([1, 2, 3].map(() => openConnection(machine.endpoint(), 'api')));
  for (const client of clients) client.end();
  assert.equal(await docker('ps', '--format={{.Names}}'), 'web');
});

test('the clock follows this computer, and the machine tells what it uses', async () => {
  await ask('POST', '/corten/v1/machine/clock', { timeMs: Date.now() + 3_600_000 });
  const { stepped, offsetMs } = await ask<{ stepped: boolean; offsetMs: number }>(
    'POST',
    '/corten/v1/machine/clock',
    { timeMs: Date.now() },
  );
  assert.ok(stepped && offsetMs < -3_500_000, `${offsetMs} ms`);
  const figures = await machine.controls!.figures();
  assert.ok((figures.guestMemoryBytes ?? 0) > 0 && (figures.hostMemoryBytes ?? 0) > 0);
});

test('what was written and removed goes back to this computer', async () => {
  const allocated = () => statSync(dataDisk).blocks * 512;
  await docker(
    'exec',
    'web',
    'sh',
    '-c',
    'dd if=/dev/urandom of=/fat bs=1M count=64 2>/dev/null; sync',
  );
  const before = allocated();
  await docker('exec', 'web', 'sh', '-c', 'rm /fat; sync');
  // XFS frees what was removed a moment later, which may be after the first trim.
  for (let times = 0; times < 5 && before - allocated() < 48 * 1024 ** 2; times++)
    for await (const { phase } of machine.controls!.compact(new AbortController().signal))
      assert.match(phase, /trimming|done/);
  assert.ok(before - allocated() >= 48 * 1024 ** 2, `${allocated()} bytes of ${before} are left`);
});

test('the disk grows while the machine runs', async () => {
  const sizeOf = async () =>
    (await ask<{ diskSizeBytes: number }>('GET', '/corten/v1/machine/figures')).diskSizeBytes;
  const before = await sizeOf();
  await machine.controls!.change({ diskBytes: 5 * 1024 ** 3 });
  assert.ok((await sizeOf()) > before + 900 * 1024 ** 2);
});

test('paused, it uses no processor; the next use wakes it within a second', async () => {
  const cpuMs = async () => (await machine.controls!.figures()).cpuMs ?? 0;
  await docker('stop', '--time=0', 'web');
  const paused = (async () => {
    for await (const { status } of machine.watch(new AbortController().signal))
      if (status === 'paused') return;
  })();
  await machine.controls!.change({ pauseAfterMs: 1000 });
  await paused;
  const before = await cpuMs();
  await sleep(2000);
  assert.ok((await cpuMs()) - before <= 50, 'a paused machine ran');
  await machine.controls!.change({ pauseAfterMs: null });
  const startedMs = performance.now();
  assert.equal(await docker('ps', '--all', '--format={{.Names}}'), 'web');
  const wokenMs = Math.round(performance.now() - startedMs);
  assert.equal(machine.state().status, 'running');
  console.log(`woken after ${wokenMs} ms, docker CLI included`);
});

test('stopped with its memory kept, it goes on where it was', async () => {
  await docker('start', 'web');
  const startedAt = () => docker('inspect', 'web', '--format={{.State.StartedAt}}');
  const before = await startedAt();
  await machine.stop();
  assert.ok(existsSync(join(directory, 'machine', 'memory.snapshot')));
  const startedMs = performance.now();
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  console.log(`resumed after ${Math.round(performance.now() - startedMs)} ms`);
  assert.equal(await startedAt(), before);
  const guestMs = (await ask<{ timeMs: number }>('GET', '/corten/v1/machine/figures')).timeMs;
  assert.ok(Math.abs(guestMs - Date.now()) < 2000, 'the clock was set');
});

test('started anew, everything is still there', async () => {
  await docker('exec', 'web', 'sh', '-c', 'echo kept >/kept; sync');
  // Another amount of memory: what would be saved could not be used.
  const { settings } = machine.controls!.settings();
  const view = await machine.controls!.change({
    memoryBytes: settings.memoryBytes + 256 * 1024 ** 2,
  });
  assert.deepEqual(view.afterRestart, ['memoryBytes']);
  await machine.stop();
  assert.ok(!existsSync(join(directory, 'machine', 'memory.snapshot')));
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  assert.match(await docker('images', '--format={{.Repository}}:{{.Tag}}'), /team\/small:1/);
  await docker('start', 'web');
  assert.equal(await docker('exec', 'web', 'cat', '/kept'), 'kept');
  const { memoryTotalBytes } = await ask<{ memoryTotalBytes: number }>(
    'GET',
    '/corten/v1/machine/figures',
  );
  assert.ok(memoryTotalBytes > 900 * 1024 ** 2, `${memoryTotalBytes}`);
});
