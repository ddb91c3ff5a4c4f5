/** The program in the distribution that joins standard streams to the agent's socket. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

const directory = mkdtempSync(join(tmpdir(), 'relay-'));
const relay = join(directory, 'relay');
const socket = join(directory, 'agent.sock');
let server: Server;

before(async () => {
  const { status, stderr } = spawnSync(join(import.meta.dirname, '../../../scripts/build-relay'), [
    relay,
  ]);
  assert.equal(status, 0, String(stderr));
  // Answers to the end, after the other side has said all it had to say.
  server = createServer({ allowHalfOpen: true }, (line) => line.pipe(line));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
});

after(() => {
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

test('bytes pass both ways through pipes, whole and unchanged, and both ends end', async () => {
  const sent = randomBytes(3_000_001);
  writeFileSync(join(directory, 'sent'), sent);
  const shell = `cat '${directory}/sent' | '${relay}' '${socket}' | cat >'${directory}/back'`;
  const child = spawn('bash', ['-o', 'pipefail', '-c', shell]);
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0);
  assert.ok(readFileSync(join(directory, 'back')).equals(sent));
});

test('an agent that takes nothing before it has said all', { timeout: 300_000 }, async (t) => {
  const said = randomBytes(3_000_000);
  const [place, back] = [join(directory, 'talker.sock'), join(directory, 'said')];
  let takenBytes = 0;
  const talker = createServer({ allowHalfOpen: true }, (line) =>
    line.write(said, () => {
      line.on('data', (piece) => {
        takenBytes += piece.length;
      });
      line.once('end', () => line.end());
    }),
  );
  await new Promise<void>((resolve) => talker.listen(place, resolve));
  const shell = `head -c 3000000 /dev/zero | '${relay}' '${place}' >'${back}'`;
  const child = spawn('bash', ['-o', 'pipefail', '-c', shell], { detached: true });
  t.after(() => {
    talker.close();
    // One that stands still has to be ended with all of its pipe.
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  });
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0);
  assert.equal(takenBytes, 3_000_000);
  assert.ok(readFileSync(back).equals(said));
});

test('an agent that is not there', () => {
  const { status, stderr } = spawnSync(relay, [join(directory, 'none.sock')], { input: '' });
  assert.equal(status, 1);
  assert.match(String(stderr), /none\.sock: No such file or directory/);
  assert.equal(spawnSync(relay, []).status, 64);
});
