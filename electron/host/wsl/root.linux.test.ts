/**
 * The root of WSL machines, run as WSL runs it: in mount, pid, UTS, IPC, network and cgroup namespaces
 * of its own, started through wsl.exe's stand-in. Its kernel is this computer's.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { createMachine } from '../machine/lifecycle.ts';
import type { Machine } from '../machine/machine.ts';
import { wslBackend } from './backend.ts';
import type { RootImage } from './root-image.ts';
import { Windows } from './testdata/windows.ts';

const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
const built =
  process.env.CORTEN_WSL_ROOT ??
  join(import.meta.dirname, '../../../dist/vm-image', architecture, 'wsl.tar.zst');
const skip = existsSync(built) ? false : `scripts/vm-image has not built ${built}`;

test('the root runs a container, is updated, and keeps what it had', { skip }, async () => {
  using windows = new Windows({}, { real: true });
  const packed = readFileSync(built);
  const options = { ...(await windows.machine()), image: () => imageOf(packed) };
  const machine = createMachine({ backend: wslBackend(options) });
  const state = await machine.start();
  assert.equal(state.status, 'running', JSON.stringify(state));
  assert.equal(await runContainer(machine, 'first', 'hostname; cat /etc/os-release'), 0);
  assert.match(await logsOf(machine, 'first'), /^[0-9a-f]{12}\n/);
  assert.equal((await machine.stop()).status, 'stopped');
  assert.deepEqual(windows.processes(), []);

  // The same files under another digest, as an update would bring them.
  const image = imageOf(
    zstdCompressSync(zstdDecompressSync(packed)),
    join(windows.home, 'two.tar.zst'),
  );
  const updated = createMachine({ backend: wslBackend({ ...options, image: () => image }) });
  const after = await updated.start();
  assert.equal(after.status, 'running', JSON.stringify(after));
  assert.match(await logsOf(updated, 'first'), /^[0-9a-f]{12}\n/, 'the container is still there');
  assert.equal(await runContainer(updated, 'second', 'test ! -e /var/lib/corten-systems'), 0);
  // Not by force: the control groups are this computer's, and the agent takes its own away.
  await updated.stop();
});

function imageOf(packed: Buffer, path = built): RootImage {
  if (path !== built) writeFileSync(path, packed);
  return { path, sha256: createHash('sha256').update(packed).digest('hex') };
}

async function runContainer(machine: Machine, name: string, command: string): Promise<number> {
  await ask(machine, `/containers/create?name=${name}`, {
    Image: 'corten/starter',
    Cmd: ['sh', '-c', command],
  });
  await ask(machine, `/containers/${name}/start`);
  const { StatusCode } = await ask<{ StatusCode: number }>(machine, `/containers/${name}/wait`);
  return StatusCode;
}

/** Without the frames' heads. */
async function logsOf(machine: Machine, name: string): Promise<string> {
  const path = `/containers/${name}/logs?stdout=1`;
  const { body } = await machine.engine().request({ method: 'GET', path });
  return Buffer.from(body)
    .toString('latin1')
    .replace(/[\x00-\x02]\0{3}[\s\S]{4}/g, '');
}

async function ask<T>(machine: Machine, path: string, body: object = {}): Promise<T> {
  const answer = await machine.engine().request({
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = Buffer.from(answer.body).toString('utf8');
  assert.ok(answer.status < 300, `${path}: ${answer.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}
