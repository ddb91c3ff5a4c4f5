/** The meter against a server that this test starts. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { parseReading, type Reading, requestTimeoutMs } from './meter.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-meter-'));
after(() => rmSync(directory, { recursive: true }));
const program = join(directory, 'meter');
execFileSync(resolve(import.meta.dirname, '../../scripts/build-noise'), [directory]);

async function read(t: TestContext, neighbour: RequestListener, api: RequestListener) {
  const socket = join(directory, 'engine.sock');
  const servers = [createServer(neighbour), createServer(api)] as const;
  t.after(() => {
    for (const server of servers) server.close().closeAllConnections();
  });
  await new Promise<void>((listening) => servers[0].listen(0, '127.0.0.1', listening));
  await new Promise<void>((listening) => servers[1].listen(socket, listening));
  const { port } = servers[0].address() as AddressInfo;
  const child = spawn(program, ['1', '127.0.0.1', `${port}`, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const text of child.stdout.setEncoding('utf8')) said += text;
  return parseReading(said);
}

const least = ({ neighbourMs, apiMs }: Reading) => [Math.min(...neighbourMs), Math.min(...apiMs)];

test('meter: each answer in full, with a length, in chunks, or until the connection ends', async (t) => {
  const page = 'x'.repeat(300_000);
  const reading = await read(
    t,
    (_, response) => response.end('hello'),
    (_, response) => {
      // The meter has to wait for the second part of the answer.
      response.write(page);
      setTimeout(() => response.end(page), 30);
    },
  );
  const [neighbourMs = 0, apiMs = 0] = least(reading);
  assert.ok(neighbourMs > 0 && neighbourMs < 25, `${neighbourMs} ms`);
  assert.ok(apiMs >= 29, `${apiMs} ms`);
  assert.ok(reading.neighbourMs.length > 5 && reading.apiMs.length > 2);
  assert.deepEqual([reading.neighbourFailures, reading.apiFailures], [0, 0]);
});

test('meter: what is refused or cut off has failed', async (t) => {
  const reading = await read(
    t,
    (_, response) => response.writeHead(503).end(),
    (request) => request.socket.destroy(),
  );
  assert.ok(reading.neighbourFailures > 5 && reading.apiFailures > 5);
  assert.deepEqual(least(reading), [requestTimeoutMs, requestTimeoutMs]);
});
