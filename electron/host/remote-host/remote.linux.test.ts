/** A real sshd as the remote host, the real bundle, and the real engine on it. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../../../agent/network/testdata/free-port.ts';
import { untilState } from '../machine/testdata/until-state.ts';
import { openTerminal } from '../terminal.ts';
import type { RemoteMachineOptions } from './backend.ts';
import type { Bundle } from './install.ts';
import {
  connected,
  engine,
  isRunning,
  makeBundle,
  personAt,
  runContainer,
} from './testdata/person.ts';
import { type RemoteHost, startRemoteHost } from './testdata/remote-host.ts';

let host: RemoteHost;
let bundle: Bundle;
let clean: string[];
let work: string;

before(async () => {
  bundle = makeBundle();
  host = await startRemoteHost();
  work = mkdtempSync(join(host.home, 'work-'));
  clean = host.files();
});
after(() => host?.stop());

const person = (options?: Partial<RemoteMachineOptions>) => personAt(host, bundle, options);
const up = (options?: Partial<RemoteMachineOptions>) => connected(person(options));

test('a clean host: known after a question, checked, and an engine that runs containers', async () => {
  const first = person();
  const notes: string[] = [];
  const watching = new AbortController();
  void (async () => {
    for await (const { stages } of first.machine.watch(watching.signal))
      notes.push(stages.find(({ id }) => id === 'install')?.note ?? '');
  })();
  await connected(first);
  watching.abort();
  assert.deepEqual(first.asked, ['host-key']);
  // Who reads slowly skips some.
  const sent = notes.flatMap((note) => / (\d+) % of \d+ MB sent$/.exec(note)?.[1] ?? []);
  assert.ok(new Set(sent).size > 5, notes.join('; '));
  assert.equal(notes.at(-1), bundle.version);
  assert.deepEqual(
    first.machine.state().stages.map(({ id, status }) => [id, status]),
    ['reach', 'login', 'check', 'install', 'start', 'connect', 'engine'].map((id) => [id, 'done']),
  );
  await runContainer(first, 'web');
  const output: string[] = [];
  const terminal = await openTerminal(
    first.machine.endpoint(),
    { container: 'web', rows: 24, columns: 80, term: 'xterm' },
    (message) => 'data' in message && output.push(new TextDecoder().decode(message.data)),
  );
  terminal.receive({ data: new TextEncoder().encode('echo on $((40+2)); exit\n') });
  await terminal.ended;
  assert.match(output.join(''), /on 42/);
  await first.machine.stop();
  assert.equal(host.run('cat /proc/[0-9]*/comm | grep -c sleep'), '1');
});

test('the second time nobody is asked, nothing is brought, and all is as it was', async () => {
  const before = host.run('cat /run/corten/agent.lock');
  const again = await up({ bundleFor: async () => ({ ...bundle, path: '/nowhere' }) });
  assert.deepEqual(again.asked, []);
  assert.equal(await isRunning(again, 'web'), true);
  assert.equal(host.run('cat /run/corten/agent.lock'), before);
  await again.machine.stop();
});

test('at another address it is that computer, also for who only looks what is there', async () => {
  const { machine, moveTo } = person();
  assert.notDeepEqual((await machine.footprint()).items, []);
  await moveTo({ host: '127.0.0.1', port: await freePort(), user: 'root' });
  await assert.rejects(machine.footprint(), /cannot be reached/);
  assert.equal((await machine.start()).failure?.stage, 'reach');
  await moveTo({ host: '127.0.0.1', port: host.port, user: 'carol' });
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  assert.match(host.run('ps -eo args'), /sshd-session: carol/);
  await machine.stop();
});

test('a connection that breaks is made again by itself', async () => {
  const machine = await up();
  const abort = new AbortController();
  const states = machine.machine.watch(abort.signal);
  host.cutOff();
  let wasLost = false;
  for await (const { status, failure } of states) {
    if (failure?.lost) wasLost = true;
    if (wasLost && status === 'running') break;
  }
  assert.equal(await isRunning(machine, 'web'), true);
  await machine.machine.stop();
});

test('an engine that crashed is waited for until its supervisor has started it again', async () => {
  const { machine } = await up();
  const lost = untilState(machine, ({ failure }) => failure?.lost === true);
  // A supervisor that takes its time, of an engine that has ended often in its long life.
  host.run('kill -STOP "$(cat /run/corten/supervisor.pid)"; echo 5 >/run/corten/supervisor.ends');
  host.run('kill -KILL "$(cut -d" " -f1 /run/corten/agent.lock)"');
  await lost;
  const said = untilState(machine, ({ stages }) =>
    stages.some(
      ({ id, note }) => id === 'start' && /being restarted.*still waiting/.test(note ?? ''),
    ),
  );
  const starting = machine.start();
  // A start that does not wait has ended before it could say anything.
  await Promise.race([said, starting]);
  host.run('kill -CONT "$(cat /run/corten/supervisor.pid)"');
  const state = await starting;
  assert.equal(state.status, 'running', JSON.stringify(state));
  await said;
  assert.equal(await isRunning({ machine, asked: [] }, 'web'), true);
  await machine.stop();
});

test('an engine that nobody starts again is started by the next start', async () => {
  const { machine } = await up();
  const lost = untilState(machine, ({ failure }) => failure?.lost === true);
  host.run('kill -KILL "$(cat /run/corten/supervisor.pid)"');
  host.run('kill -KILL "$(cut -d" " -f1 /run/corten/agent.lock)"');
  await lost;
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  assert.equal(await isRunning({ machine, asked: [] }, 'web'), true);
  await machine.stop();
});

test('another version replaces the one that is there, under running containers', async () => {
  const newer = await up({ bundleFor: async () => ({ ...bundle, version: '9.9.9-newer' }) });
  assert.equal(await isRunning(newer, 'web'), true);
  assert.equal(
    host.run('cd /opt/corten && ls && readlink current'),
    '9.9.9-newer\ncurrent\n9.9.9-newer',
  );
  await newer.machine.stop();
});

test('one that does not start is gone back from, and says its last words', async () => {
  const broken = await repacked('9.9.9-broken', 'echo the engine is broken >&2; exit 3');
  const { machine } = person({ bundleFor: async () => broken });
  const { status, failure } = await machine.start();
  assert.equal(status, 'failed');
  assert.equal(failure?.stage, 'start');
  assert.match(failure?.cause ?? '', /did not start on 127\.0\.0\.1: .*the engine is broken/s);
  assert.equal(host.run('readlink /opt/corten/current'), '9.9.9-newer');
  const back = await up({ bundleFor: async () => ({ ...bundle, version: '9.9.9-newer' }) });
  assert.equal(await isRunning(back, 'web'), true);
  await back.machine.stop();
});

test('an archive that arrives otherwise is not unpacked, and nothing of it stays', async () => {
  const before = host.files();
  const wrong = { ...bundle, version: '9.9.9-wrong', sha256: '0'.repeat(64) };
  const { failure } = await person({ bundleFor: async () => wrong }).machine.start();
  assert.equal(failure?.stage, 'install');
  assert.match(failure?.cause ?? '', /is not what was sent: the digests differ/);
  assert.deepEqual(host.files(), before);
});

test('removing without the state keeps it, and with it leaves the host as it was', async () => {
  const first = await up();
  const { items, runningContainers } = await first.machine.footprint();
  assert.deepEqual(
    items.map(({ part, path }) => [part, path]),
    [
      ['program', '/opt/corten'],
      ['program', '/run/corten'],
      ['state', '/var/lib/corten'],
    ],
  );
  assert.equal(runningContainers, 1);
  await first.machine.remove({ state: false });
  assert.deepEqual(
    host.files().filter((path) => !clean.includes(path) && !path.startsWith('/var/lib/corten')),
    [],
  );
  const second = await up();
  assert.equal(await isRunning(second, 'web'), false);
  await engine(second, '/containers/web/start', {});
  await second.machine.remove({ state: true });
  assert.deepEqual(host.files(), clean);
  assert.equal(host.run('cat /proc/[0-9]*/comm | grep -cE "sleep|node|corten" || true'), '0');
  assert.equal(host.run('ip -o link | grep -c corten || true'), '0');
  // Once more finds nothing, and says so by doing nothing.
  await second.machine.remove({ state: true });
});

test('a user with sudo, where sshd forwards no sockets for him', async () => {
  const carol = await up({ address: { host: '127.0.0.1', port: host.port, user: 'carol' } });
  await runContainer(carol, 'hers');
  assert.equal(await isRunning(carol, 'hers'), true);
  await carol.machine.remove({ state: true });
  assert.deepEqual(host.files(), clean);
});

test('where sshd has no SFTP the engine is brought as a stream', async () => {
  const plain = await startRemoteHost({ sftp: false });
  try {
    const machine = await connected(personAt(plain, bundle));
    assert.equal(plain.run('cd /opt/corten && readlink current'), bundle.version);
    await machine.machine.remove({ state: true });
  } finally {
    await plain.stop();
  }
});

test('a user whose sudo wants a password: asked for, given to sudo alone, and not asked for twice', async () => {
  const dave = { host: '127.0.0.1', port: host.port, user: 'dave' };
  const { machine, asked } = await up({ address: dave });
  assert.deepEqual(
    asked.filter((kind) => kind === 'sudo'),
    ['sudo', 'sudo'],
  );
  await runContainer({ machine, asked }, 'his');
  assert.equal(
    host.run('grep -lsa "open ses[a]me" /proc/[0-9]*/cmdline /proc/[0-9]*/environ || true'),
    '',
  );
  assert.equal(host.run('grep -rlsa "open ses[a]me" /opt /run /tmp /var/lib /var/log || true'), '');
  host.cutOff();
  let wasLost = false;
  for await (const { status, failure } of machine.watch(new AbortController().signal)) {
    if (failure?.lost) wasLost = true;
    if (wasLost && status === 'running') break;
  }
  assert.equal(await isRunning({ machine, asked }, 'his'), true);
  await machine.remove({ state: true });
  assert.deepEqual(
    asked.filter((kind) => kind === 'sudo'),
    ['sudo', 'sudo'],
  );
  // What sudo remembers of its user is sudo's own.
  host.run('rm -rf /run/sudo');
  assert.deepEqual(host.files(), clean);
});

test('a user who may not use sudo is told so in its words', async () => {
  const erin = { host: '127.0.0.1', port: host.port, user: 'erin' };
  const { failure } = await person({ address: erin }).machine.start();
  assert.equal(failure?.stage, 'check');
  assert.match(failure?.cause ?? '', /sudo runs nothing there for this user: .*erin/);
});

test('systemd, where it runs, has a unit of ours, and loses it with the engine', async () => {
  const standIn = join(import.meta.dirname, 'testdata/systemctl.sh');
  const script = readFileSync(standIn, 'utf8').replaceAll("'", `'\\''`);
  host.run(`mkdir -p /run/systemd/system; printf '%s' '${script}' >/usr/local/bin/systemctl`);
  host.run('chmod +x /usr/local/bin/systemctl; mkdir -p /run/stand-in');
  const before = host.files();
  const machine = await up();
  assert.match(host.run('cat /etc/systemd/system/corten-agent.service'), /^# Made by Corten/);
  await machine.machine.remove({ state: true });
  assert.equal(
    host.run('cat /run/stand-in/calls'),
    ['daemon-reload', 'enable', 'restart', 'disable', 'daemon-reload'].join('\n'),
  );
  host.run('rm /run/stand-in/*');
  assert.deepEqual(host.files(), before);
  host.run('rm -r /run/systemd /run/stand-in /usr/local/bin/systemctl');
});

test('what is not ours is not touched', async () => {
  host.run('mkdir /opt/corten; touch /opt/corten/mine');
  const { machine } = person();
  const { failure } = await machine.start();
  assert.match(failure?.cause ?? '', /\/opt\/corten on 127\.0\.0\.1 was not made by Corten/);
  await machine.remove({ state: true });
  assert.equal(host.run('ls -A /opt/corten'), 'mine');
  host.run('rm -r /opt/corten');
});

test('a host that shows another key is refused, and says which line knew it', async () => {
  const file = join(work, 'known_hosts');
  const other = readFileSync(join(host.home, '.ssh/id_ed25519.pub'), 'utf8');
  writeFileSync(file, `[127.0.0.1]:${host.port} ${other}`);
  const { machine, asked } = person({ knownHostsFile: file });
  const { failure } = await machine.start();
  assert.deepEqual([failure?.stage, asked], ['login', []]);
  assert.match(failure?.cause ?? '', /shows another host key than the one that is known of it/);
  assert.match(failure?.nextStep ?? '', /ssh-keygen -R '\[127\.0\.0\.1\]:\d+' -f .*known_hosts\)/);
});

test('a key that opens nothing: who was refused, what was tried, what to do', async () => {
  const home = mkdtempSync(join(work, 'home-'));
  const { failure } = await person({ home }).machine.start();
  assert.equal(failure?.stage, 'login');
  assert.match(failure?.cause ?? '', /does not let "root" in\./);
  assert.match(failure?.nextStep ?? '', /ssh-copy-id -p \d+ root@127\.0\.0\.1/);
});

/** The bundle with another program in the engine's place. */
async function repacked(version: string, agent: string): Promise<Bundle> {
  const directory = mkdtempSync(join(work, 'repack-'));
  const path = join(work, `${version}.tar.gz`);
  execFileSync('tar', ['-xzf', bundle.path, '-C', directory, 'bin', 'dist/agent']);
  writeFileSync(join(directory, 'bin/corten-agent'), `#!/bin/sh\n${agent}\n`);
  execFileSync('tar', ['-I', 'gzip -1', '-cf', path, '-C', directory, '.']);
  rmSync(directory, { recursive: true });
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
  return { version, path, sizeBytes: statSync(path).size, sha256 };
}
