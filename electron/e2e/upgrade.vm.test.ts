/** A machine goes from one system to another that is really different, and back from one that does not work. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  answerOf,
  type GuestMachine,
  imageDirectory,
  makeGuestMachine,
} from './testdata/guest-machine.ts';

const directory = mkdtempSync(join(tmpdir(), 'vm-'));
const offered = join(directory, 'offered');
const image = 'corten/starter:latest';
const corten = 'usr/lib/corten';

let guest: GuestMachine;

before(async () => {
  offer(imageDirectory);
  guest = makeGuestMachine(directory, [], { imageDirectory: offered });
});

after(async () => {
  await guest?.machine.stop({ force: true });
  rmSync(directory, { recursive: true, force: true });
});

/** What the app brings along from now on. */
function offer(system: string): void {
  rmSync(offered, { force: true });
  symlinkSync(system, offered);
}

/** The same system with other files in its root. */
function systemWith(name: string, change: (root: string) => void): string {
  const [root, system] = [join(directory, `${name}-root`), join(directory, name)];
  execFileSync('fsck.erofs', [`--extract=${root}`, join(imageDirectory, 'root.erofs')], {
    stdio: 'ignore',
  });
  change(root);
  mkdirSync(system);
  const manifest = JSON.parse(readFileSync(join(imageDirectory, 'manifest.json'), 'utf8')) as {
    files: Record<string, { bytes: number; sha256: string }>;
  };
  for (const file of ['vmlinux', 'Image', 'initrd'].filter((file) => file in manifest.files))
    cpSync(join(imageDirectory, file), join(system, file));
  const disk = join(system, 'root.erofs');
  execFileSync('mkfs.erofs', ['--quiet', '--all-root', disk, root]);
  rmSync(root, { recursive: true });
  manifest.files['root.erofs'] = {
    bytes: statSync(disk).size,
    sha256: createHash('sha256').update(readFileSync(disk)).digest('hex'),
  };
  writeFileSync(join(system, 'manifest.json'), JSON.stringify(manifest));
  return system;
}

function setVersion(root: string, version: string): void {
  const path = join(root, corten, 'package.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), version }));
}

async function start() {
  const state = await guest.machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  const note = state.stages.find(({ id }) => id === 'image')?.note ?? '';
  return { note, version: await guest.docker('version', '--format={{.Server.Version}}') };
}

/** Everything that a person would miss, in words. */
async function belongings(): Promise<string> {
  const { docker } = guest;
  // What is to run always begins again in its own time.
  await answerOf(async () =>
    (await docker('inspect', '--format={{.State.Running}}', 'web')) === 'true' ? true : undefined,
  );
  const lines = [
    await docker('images', '--format={{.Repository}} {{.ID}}'),
    await docker('ps', '--all', '--format={{.Names}} {{.ID}} {{.Image}}'),
    await docker('volume', 'ls', '--format={{.Name}}'),
    await docker('network', 'ls', '--format={{.Name}} {{.ID}}'),
    await docker('exec', 'web', 'cat', '/data/file', '/of-the-container'),
    await docker('start', '--attach', 'stopped'),
  ];
  return lines.join('\n');
}

let had: string;

test('a new system is started, and containers, images, volumes and networks are as they were', async () => {
  const first = await start();
  const { docker, machine } = guest;
  await docker('network', 'create', 'own');
  await docker('create', '--name=stopped', image, 'sh', '-c', 'cat /made; date >>/runs');
  await docker(
    ...['run', '-d', '--name=web', '--restart=always', '--network=own', '-v=data:/data', image],
    ...['sleep', '1000000'],
  );
  await docker(
    ...['exec', 'web', 'sh', '-c'],
    'echo in the volume >/data/file; echo in the container >/of-the-container',
  );
  const archive = join(directory, 'exported.tar');
  await docker('export', `--output=${archive}`, 'web');
  await docker('import', archive, 'made/here:1');
  const given = join(directory, 'made');
  writeFileSync(given, 'copied in\n');
  await docker('cp', given, 'stopped:/made');
  had = await belongings();
  assert.match(had, /made\/here.*stopped.*data.*own.*in the volume\nin the container\ncopied in/s);
  await machine.stop();

  offer(
    systemWith('next', (root) => {
      setVersion(root, '99.1.0');
      // Another set of files, too: one less, one more.
      unlinkSync(join(root, 'usr/bin/vi'));
      writeFileSync(join(root, 'usr/bin/only-in-next'), '#!/bin/sh\n', { mode: 0o755 });
    }),
  );
  const next = await start();
  assert.notEqual(first.version, next.version);
  assert.equal(next.version, '99.1.0');
  assert.match(next.note, /new system image: containers and images are kept/);
  assert.equal(await belongings(), had);
  const { current, previous } = machine.controls!.images()!;
  assert.ok(previous !== undefined && previous !== current);
});

test('a system that does not start its engine: why, and the next start has the one before, with everything', async () => {
  const { machine } = guest;
  await machine.stop();
  offer(
    systemWith('broken', (root) => {
      setVersion(root, '99.2.0');
      writeFileSync(join(root, corten, 'dist/agent/guest-main.js'), 'process.exit(7);\n');
    }),
  );
  const { status, failure } = await machine.start();
  assert.equal(status, 'failed');
  assert.equal(failure?.stage, 'boot');
  assert.match(failure?.cause ?? '', /ends as soon as it starts \(status 7\)/);
  const back = await start();
  assert.equal(back.version, '99.1.0');
  assert.match(back.note, /did not start its engine, so the machine uses the one before/);
  assert.equal(await belongings(), had);
});
