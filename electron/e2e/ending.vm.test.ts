/** What a machine gives back, how it ends, and what is there afterwards: by itself, in order, and by a crash of QEMU. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { untilState } from '../host/machine/testdata/until-state.ts';
import { answerOf, type GuestMachine, makeGuestMachine } from './testdata/guest-machine.ts';

const directory = mkdtempSync(join(tmpdir(), 'vm-'));
const image = 'corten/starter:latest';
const mebibyte = 1024 ** 2;

let guest: GuestMachine;
let docker: GuestMachine['docker'];

before(async () => {
  guest = makeGuestMachine(directory, []);
  ({ docker } = guest);
  await start();
});

after(async () => {
  await guest?.machine.stop({ force: true });
  rmSync(directory, { recursive: true, force: true });
});

async function start(): Promise<void> {
  const state = await guest.machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
}

/** It is to run always, and begins again in its own time. */
const untilWebRuns = () =>
  answerOf(async () => {
    const status = await docker('inspect', '--format={{.State.Status}}', 'web');
    return status === 'running' || undefined;
  });

const hostMemory = async () => (await guest.machine.controls!.figures()).hostMemoryBytes ?? 0;

test('memory that a container had goes back to this computer', async () => {
  await docker(
    ...['run', '-d', '--name=fat', '--tmpfs=/t:size=300m', image, 'sh', '-c'],
    'dd if=/dev/zero of=/t/x bs=1M count=250 2>/dev/null; touch /full; exec sleep 1000000',
  );
  await answerOf(() =>
    docker('exec', 'fat', 'cat', '/full').then(
      () => true,
      () => undefined,
    ),
  );
  const most = await hostMemory();
  await docker('rm', '-f', 'fat');
  const fell = async () => most - (await hostMemory()) >= 200 * mebibyte || undefined;
  await answerOf(fell);
});

test('turned off in order, containers end as by docker stop, with their folder of this computer', async () => {
  const { machine, shared } = guest;
  await docker(
    ...['run', '-d', '--name=web', '--restart=always', '-v=data:/data', '-v', `${shared}:/s`],
    ...[image, 'sh', '-c'],
    'trap "echo flushed | tee /s/last >/data/last; exit" TERM; touch /s/first; sleep 1000000 & wait',
  );
  await answerOf(async () => existsSync(join(shared, 'first')) || undefined);
  // What is saved of two processors could not be used by one.
  assert.deepEqual((await machine.controls!.change({ cpus: 1 })).afterRestart, ['cpus']);
  assert.equal((await machine.stop()).status, 'stopped');
  assert.equal(readFileSync(join(shared, 'last'), 'utf8'), 'flushed\n');
});

test('started anew it has the processors that were set, and all that was there', async () => {
  await start();
  assert.equal(await docker('info', '--format={{.NCPU}}'), '1');
  await untilWebRuns();
  assert.equal(await docker('exec', 'web', 'cat', '/data/last'), 'flushed');
});

test('a QEMU that is killed: what it was, and the next start has everything again', async () => {
  const { machine } = guest;
  await docker('exec', 'web', 'sh', '-c', 'echo before the crash >/data/kept; sync');
  const lost = untilState(machine, ({ failure }) => failure?.stage === 'vm');
  const [pid] = execFileSync('pgrep', ['--full', join(directory, 'run', 'qmp.sock')], {
    encoding: 'utf8',
  }).split('\n');
  process.kill(Number(pid), 'SIGKILL');
  const { failure } = await lost;
  assert.equal(failure?.lost, true);
  assert.match(failure?.cause ?? '', /QEMU ended: it was killed by SIGKILL/);
  assert.match(failure?.nextStep ?? '', /its disk is kept/);
  await start();
  await untilWebRuns();
  assert.equal(await docker('exec', 'web', 'cat', '/data/kept'), 'before the crash');
});
