import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type Download, download } from './download.ts';
import { exchange } from './http.ts';

const blob = randomBytes(300_000);
const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;

let directory: string;
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse, count: number) => void;
let ranges: (string | undefined)[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'corten-images-download-'));
  ranges = [];
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response, ranges.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

function work(changes: Partial<Download> = {}): Download {
  const { port } = server.address() as AddressInfo;
  return {
    digest,
    sizeBytes: blob.length,
    path: join(directory, 'blob'),
    open: (offset) =>
      exchange({
        method: 'GET',
        url: new URL(`http://127.0.0.1:${port}/`),
        headers: offset > 0 ? { Range: `bytes=${offset}-` } : {},
        insecure: false,
      }),
    progress: () => {},
    signal: new AbortController().signal,
    ...changes,
  };
}

const kept = () => readFileSync(join(directory, 'blob'));

/** Honours Range, and cuts the line after so many bytes where told to. */
function serve(request: IncomingMessage, response: ServerResponse, cutAfter?: number): void {
  const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const body = blob.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, {
    'Content-Length': body.length,
    ...(from > 0 && { 'Content-Range': `bytes ${from}-${blob.length - 1}/${blob.length}` }),
  });
  if (cutAfter === undefined) response.end(body);
  else response.write(body.subarray(0, cutAfter), () => request.socket.destroy());
}

test('a line that is cut twice is taken up where it was cut', async () => {
  answer = (request, response, count) => serve(request, response, count < 3 ? 100_000 : undefined);
  await download(work());
  assert.deepEqual(kept(), blob);
  assert.equal(ranges.length, 3);
  assert.equal(ranges[0], undefined);
  assert.match(ranges[1] ?? '', /^bytes=\d+-$/);
});

test('what an earlier pull left is not fetched again', async () => {
  writeFileSync(join(directory, 'blob'), blob.subarray(0, 200_000));
  answer = (request, response) => serve(request, response);
  await download(work());
  assert.deepEqual(ranges, ['bytes=200000-']);
  assert.deepEqual(kept(), blob);
});

test('a complete file needs no request at all', async () => {
  writeFileSync(join(directory, 'blob'), blob);
  answer = (_, response) => response.writeHead(500).end();
  await download(work());
  assert.deepEqual(ranges, []);
});

test('a registry that does not know Range sends all of it again', async () => {
  writeFileSync(join(directory, 'blob'), blob.subarray(0, 1000));
  answer = (_, response) => response.end(blob);
  await download(work());
  assert.deepEqual(kept(), blob);
});

test('a damaged beginning from an earlier pull is found out and fetched anew', async () => {
  writeFileSync(join(directory, 'blob'), Buffer.alloc(1000, 7));
  answer = (request, response) => serve(request, response);
  await download(work());
  assert.deepEqual(ranges, ['bytes=1000-', undefined]);
  assert.deepEqual(kept(), blob);
});

test('other content of the right length is refused, and nothing of it stays', async () => {
  answer = (_, response) => response.end(randomBytes(blob.length));
  await assert.rejects(download(work()), {
    kind: 'invalid',
    message: /verification failed for digest/,
  });
  assert.equal(kept().length, 0);
});

test('more content than the manifest says is refused before it is stored', async () => {
  answer = (_, response) => response.end(Buffer.alloc(blob.length * 2));
  await assert.rejects(download(work()), {
    kind: 'invalid',
    message: /more than the 300000 bytes/,
  });
  assert.ok(kept().length <= blob.length);
});

test('cancelling keeps what has arrived', async () => {
  const abort = new AbortController();
  answer = (_, response) => {
    response.writeHead(200, { 'Content-Length': blob.length });
    response.write(blob.subarray(0, 100_000));
  };
  const progress = (bytes: number) => {
    if (bytes >= 100_000) abort.abort();
  };
  const { open } = work();
  const cancelled = work({ signal: abort.signal, progress, open });
  await assert.rejects(
    download({
      ...cancelled,
      open: async (offset) => {
        const response = await open(offset);
        abort.signal.addEventListener('abort', () => response.body.destroy(new Error('aborted')));
        return response;
      },
    }),
    { name: 'AbortError' },
  );
  assert.equal(statSync(join(directory, 'blob')).size, 100_000);
});
