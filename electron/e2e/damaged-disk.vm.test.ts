/** What a machine does with a data disk that is damaged: the real guest, the real XFS. */
import assert from 'node:assert/strict';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { answerOf, type GuestMachine, makeGuestMachine } from './testdata/guest-machine.ts';

const directory = mkdtempSync(join(tmpdir(), 'vm-'));
const dataDisk = join(directory, 'machine', 'data.raw');
/** A quarter of the disk that makeGuestMachine asks for: where XFS repeats its superblock. */
const groupBytes = 1024 ** 3;
const image = 'corten/starter:latest';

let guest: GuestMachine;

before(async () => {
  // With its memory kept, a stop would leave the file system in use.
  guest = makeGuestMachine(directory, [], { suspends: false });
  await start();
});

after(async () => {
  await guest?.machine.stop({ force: true });
  rmSync(directory, { recursive: true, force: true });
});

async function start() {
  const state = await guest.machine.start();
  assert.equal(state.status, 'running', `${JSON.stringify(state)}\n${consoleText()}`);
  return state;
}

async function failureOfStart() {
  const { status, failure, stages } = await guest.machine.start();
  assert.equal(status, 'failed', JSON.stringify(stages));
  return failure!;
}

const consoleText = () => readFileSync(join(directory, 'machine', 'console.log'), 'utf8');

function overwrite(offset: number, bytes: number | Buffer): void {
  const written = typeof bytes === 'number' ? Buffer.alloc(bytes, 'damaged ') : bytes;
  const file = openSync(dataDisk, 'r+');
  writeSync(file, written, 0, written.length, offset);
  closeSync(file);
}

function bytesAt(offset: number, length: number): Buffer {
  const file = openSync(dataDisk, 'r');
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, offset);
  closeSync(file);
  return bytes;
}

const noteOf = (stages: readonly { id: string; note?: string }[]) =>
  stages.find(({ id }) => id === 'disks')?.note ?? '';

const words = 'kept through all of it';

test('a superblock that is overwritten comes back from its copies, and the start says so', async () => {
  const { docker, machine } = guest;
  await docker('run', '--rm', '-v=data:/data', image, 'sh', '-c', `echo ${words} >/data/file`);
  await docker(
    'create',
    '--name=small',
    '--storage-opt=size=16m',
    image,
    'sh',
    '-c',
    'dd if=/dev/zero of=/big bs=1M count=64',
  );
  await machine.stop();
  overwrite(0, 4096);
  const { stages } = await start();
  assert.match(noteOf(stages), /was damaged and has been repaired/);
  assert.equal(await docker('run', '--rm', '-v=data:/data', image, 'cat', '/data/file'), words);
  // The limit, too, which is in a file that the superblock names.
  await assert.rejects(docker('start', '--attach', 'small'), /No space left on device/);
});

test('the same while changes wait in the log, as after a power cut: they are there as well', async () => {
  const { docker, machine } = guest;
  await docker(
    'run',
    '--rm',
    '-v=data:/data',
    image,
    'sh',
    '-c',
    `echo ${words} too >/data/late; sync`,
  );
  await machine.stop({ force: true });
  overwrite(0, 512);
  const { stages } = await start();
  assert.match(noteOf(stages), /has been repaired/);
  assert.equal(
    await docker('run', '--rm', '-v=data:/data', image, 'cat', '/data/late'),
    `${words} too`,
  );
});

test('changes in a log that cannot be applied: refused, with what is safe, and nothing is thrown away', async () => {
  const { docker, machine } = guest;
  // One that writes until the power is cut: a log at rest might have nothing to apply.
  await docker(
    ...['run', '-d', '--name=busy', '-v=data:/data', image, 'sh', '-c'],
    'echo last >/data/last; while :; do mkdir /data/d; sync; rmdir /data/d; done',
  );
  await answerOf(() =>
    docker('exec', 'busy', 'sh', '-c', 'cat /data/last && sync').catch(() => undefined),
  );
  await machine.stop({ force: true });
  // The heads of free space and of inodes of every group: what the log would change.
  const heads = [0, 1, 2, 3].map((group) => group * groupBytes + 512);
  const kept = heads.map((head) => bytesAt(head, 1024));
  for (const head of heads) overwrite(head, 1024);
  const { stage, cause, nextStep } = await failureOfStart();
  assert.equal(stage, 'boot', cause);
  assert.match(
    cause,
    /wait in a log that could not be applied.*left as it is\. It is .*data\.raw\./s,
  );
  assert.match(nextStep, /^Restore the disk's file from a backup, or keep a copy/);
  // As a backup of the disk would.
  heads.forEach((head, index) => {
    overwrite(head, kept[index]!);
  });
  await start();
  assert.equal(await docker('run', '--rm', '-v=data:/data', image, 'cat', '/data/last'), 'last');
});

test('a disk without a superblock left is refused and not formatted: "not blank"', async () => {
  await guest?.machine.stop({ force: true });
  for (const group of [0, 1, 2, 3]) overwrite(group * groupBytes, 4096);
  const sample = bytesAt(0, 1024 ** 2);
  const { stage, cause, nextStep } = await failureOfStart();
  assert.equal(stage, 'boot', cause);
  assert.match(
    cause,
    /not empty and holds no file system of Corten's: .*left as it is\. It is .*data\.raw\./s,
  );
  assert.match(nextStep, /^Restore the disk's file from a backup, or move it away/);
  assert.match(consoleText(), /corten: failed data-disk not-blank: /);
  assert.ok(bytesAt(0, 1024 ** 2).equals(sample));
});
