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
  const { status, stderr } = spawnSync(
    join(import.meta.dirname, '../../../../scripts/build-relay'),
    [relay],
  );
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

test('an agent that is not there', () => {
  const { status, stderr } = spawnSync(relay, [join(directory, 'none.sock')], { input: '' });
  assert.equal(status, 1);
  assert.match(String(stderr), /none\.sock: No such file or directory/);
  assert.equal(spawnSync(relay, []).status, 64);
});
