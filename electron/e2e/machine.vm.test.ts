/**
 * A whole machine: QEMU, the guest of scripts/vm-image, the agent in it, the real docker CLI through
 * this computer's socket. Emulated where nothing accelerates, so it boots as seldom as can be: once
 * for nearly all of it, then from saved memory, then once more for what a restart keeps.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRegistry, type TestRegistry } from '../../agent/images/testdata/registry.ts';
import { openConnection } from '../host/ssh/connection.ts';
import { openTerminal } from '../host/terminal.ts';
import {
  answerOf,
  buildStatic,
  type GuestMachine,
  makeGuestMachine,
} from './testdata/guest-machine.ts';

const base = join(import.meta.dirname, '..', '..');
const directory = mkdtempSync(join(tmpdir(), 'vm-'));
const dataDisk = join(directory, 'machine', 'data.raw');
const snapshot = join(directory, 'machine', 'memory.snapshot');
/** QEMU's own network: this computer's loopback as the guest sees it. */
const hostInGuest = '10.0.2.2';

let registry: TestRegistry;
let image: string;
let guest: GuestMachine | undefined;
let machine: GuestMachine['machine'];
let docker: GuestMachine['docker'];
let ask: GuestMachine['ask'];
let shared: string;

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
  guest = makeGuestMachine(directory, [`--insecure-registry=${hostInGuest}:${port}`]);
  ({ machine, docker, ask, shared } = guest);
  buildStatic(join(base, 'agent/share/testdata/inotify.c'), join(shared, 'inotify'));
  buildStatic(join(import.meta.dirname, 'testdata/udp-echo.c'), join(shared, 'udp-echo'));
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
});

after(async () => {
  await guest?.machine.stop({ force: true });
  await registry?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** What the container serves on port 80, once it does. */
async function pageOf(container: string): Promise<string> {
  const port = (await docker('port', container, '80')).split(':').at(-1);
  return answerOf(() =>
    fetch(`http://127.0.0.1:${port}/`).then(
      (answer) => answer.text(),
      () => undefined,
    ),
  );
}

/** The app connects the folder again in its own time. */
async function sharedFileSays(text: string): Promise<void> {
  await answerOf(async () => {
    if ((await docker('inspect', '--format={{.State.Status}}', 'folder')) !== 'running')
      return undefined;
    const said = await docker('exec', 'folder', 'cat', '/s/src/from-host');
    return said === text ? true : undefined;
  });
}

/** From the kernel's generator, and from that of the agent. */
async function drawn(): Promise<{ kernel: string; agent: string }> {
  const kernel = await docker('exec', 'web', 'cat', '/proc/sys/kernel/random/uuid');
  const agent = await docker('create', image);
  await docker('rm', agent);
  return { kernel, agent };
}

const copied = ['data.raw', 'memory.snapshot', 'memory.snapshot.json'];
const copies = join(directory, 'copies');

function keepCopies(): void {
  mkdirSync(copies);
  for (const name of copied) copySparse(join(directory, 'machine', name), copies);
}

function restoreCopies(): void {
  for (const name of copied) copySparse(join(copies, name), join(directory, 'machine'));
}

const copySparse = (file: string, to: string) =>
  execFileSync('cp', ['--preserve', '--sparse=always', '--reflink=auto', file, to]);

test('a machine in which nothing runs uses at most 120 MB, and the kernel keeps little of it free', async () => {
  const used = () =>
    machine.controls!.figures().then(({ guestMemoryBytes = 0 }) => guestMemoryBytes);
  await ask('POST', '/corten/v1/machine/free-memory');
  await answerOf(async () => (await used()) < 120e6 || undefined);
  const keptKib = await docker(
    'run',
    '--rm',
    'corten/starter:latest',
    'cat',
    '/proc/sys/vm/min_free_kbytes',
  );
  assert.ok(Number(keptKib) * 1024 < (768 * 1024 ** 2) / 250, `${keptKib} KiB`);
});

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
  assert.match(await pageOf('web'), /from the machine/);
});

test('a folder of this computer is read and written from a container', async () => {
  mkdirSync(join(shared, 'src'));
  writeFileSync(join(shared, 'src/from-host'), 'of the host\n');
  const said = await docker(
    ...['run', '--rm', '-v', `${shared}:/s`, image, 'sh', '-c'],
    'cat /s/src/from-host; echo of the guest >/s/src/new; mv /s/src/new /s/src/from-guest; ls /s/src',
  );
  assert.equal(said, 'of the host\nfrom-guest\nfrom-host');
  assert.equal(readFileSync(join(shared, 'src/from-guest'), 'utf8'), 'of the guest\n');
});

test('a container hears by inotify what this computer changes', async () => {
  await docker(
    ...['run', '-d', '--name=folder', '--restart=always', '-v', `${shared}:/s`, image],
    ...['sleep', '100000'],
  );
  const words = ['exec', 'folder', '/s/inotify', '/s/src'];
  const listener = spawn('docker', words, { env: guest?.environment });
  const heard: string[] = [];
  for await (const line of createInterface({ input: listener.stdout })) {
    if (line === 'ready') {
      writeFileSync(join(shared, 'src/from-host'), 'changed\n');
      mkdirSync(join(shared, 'src/end'));
    } else if (heard.push(line.trimEnd()) && line.includes('end')) break;
  }
  listener.kill();
  assert.deepEqual(heard, ['1 modify from-host', '1 close-write from-host', '1 create dir end']);
  assert.equal(await docker('exec', 'folder', 'cat', '/s/src/from-host'), 'changed');
});

test('a published UDP port is reached on this computer', async () => {
  await docker(
    ...['run', '-d', '--name=echo', '-p=127.0.0.1:0:53/udp', '-v', `${shared}:/s:ro`, image],
    ...['/s/udp-echo', '53'],
  );
  const port = Number((await docker('port', 'echo', '53/udp')).split(':').at(-1));
  const client = createSocket('udp4');
  const answer = once(client, 'message');
  // The program may not listen yet; UDP says nothing of that.
  const again = setInterval(() => client.send('ping', port, '127.0.0.1'), 100);
  assert.equal(String((await answer)[0]), 'ping');
  clearInterval(again);
  client.close();
  await docker('rm', '-f', 'echo');
});

test('a container reaches this computer by its name', async () => {
  const server = createServer((_request, response) => response.end('from the host'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://host.corten.internal:${port}`;
  assert.equal(await docker('exec', 'folder', 'wget', '-qO-', url), 'from the host');
  server.close();
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
  assert.equal(await docker('ps', '--format={{.Names}}'), 'folder\nweb');
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
  for (let times = 0; times < 20 && before - allocated() < 48 * 1024 ** 2; times++)
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

test('paused, it uses no processor; the next use resumes it within a second', async () => {
  const cpuMs = async () => (await machine.controls!.figures()).cpuMs ?? 0;
  await docker('stop', '--time=0', 'web', 'folder');
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
  assert.equal(await docker('ps', '--all', '--format={{.Names}}'), 'folder\nweb');
  const resumedMs = Math.round(performance.now() - startedMs);
  assert.equal(machine.state().status, 'running');
  console.log(`resumed after ${resumedMs} ms, docker CLI included`);
});

test('stopped with its memory kept, it goes on where it was', async () => {
  await docker('start', 'web', 'folder');
  const startedAt = () => docker('inspect', 'web', '--format={{.State.StartedAt}}');
  const before = await startedAt();
  await machine.stop();
  assert.ok(existsSync(snapshot));
  writeFileSync(join(shared, 'src/from-host'), 'while it slept\n');
  keepCopies();
  const startedMs = performance.now();
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  console.log(`resumed after ${Math.round(performance.now() - startedMs)} ms`);
  assert.equal(await startedAt(), before);
  await answerOf(async () => {
    const askedMs = Date.now();
    const { timeMs } = await ask<{ timeMs: number }>('GET', '/corten/v1/machine/figures');
    // The app sets it in its own time, and an answer may be a while on its way.
    return (timeMs > askedMs - 2000 && timeMs < Date.now() + 2000) || undefined;
  });
  await sharedFileSays('while it slept');
});

test('memory that is used a second time draws other numbers', async () => {
  const first = await drawn();
  await machine.stop({ force: true });
  restoreCopies();
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  assert.ok(!existsSync(snapshot), 'the memory was used');
  const second = await drawn();
  for (const [what, number] of Object.entries(second))
    assert.notEqual(number, first[what as keyof typeof first], what);
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
  assert.ok(!existsSync(snapshot));
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  assert.match(await docker('images', '--format={{.Repository}}:{{.Tag}}'), /team\/small:1/);
  await docker('start', 'web');
  assert.equal(await docker('exec', 'web', 'cat', '/kept'), 'kept');
  assert.match(await pageOf('web'), /from the machine/);
  // It is to run always, and so it does, with its folder of this computer.
  await sharedFileSays('while it slept');
  const { memoryTotalBytes } = await ask<{ memoryTotalBytes: number }>(
    'GET',
    '/corten/v1/machine/figures',
  );
  assert.ok(memoryTotalBytes > 900 * 1024 ** 2, `${memoryTotalBytes}`);
});
