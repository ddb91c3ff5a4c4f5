import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, test } from 'node:test';
import { extract, type Header } from 'tar-stream';
import { contextArchive } from './context-archive.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'corten-context-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, content: string | Buffer = ''): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), content);
}

interface Unpacked {
  header: Header;
  content: Buffer;
}

async function archived(dockerfile = 'Dockerfile') {
  const entries: Unpacked[] = [];
  const told: [number, number][] = [];
  const archive = contextArchive({
    folder,
    dockerfile,
    onProgress: (files, bytes) => told.push([files, bytes]),
  });
  const reader = extract();
  reader.on('entry', (header, stream, next) => {
    void buffer(stream).then((content) => {
      entries.push({ header, content });
      next();
    });
  });
  await pipeline(archive, reader);
  return { entries, told, names: entries.map(({ header }) => header.name.replace(/\/$/, '')) };
}

test('files come with their content, mode and links, and belong to root', async () => {
  const large = Buffer.alloc(300_000, 'large ');
  put('Dockerfile', 'FROM scratch\n');
  put('src/run.sh', '#!/bin/sh\n');
  chmodSync(join(folder, 'src/run.sh'), 0o755);
  put('data/large', large);
  symlinkSync('../src', join(folder, 'data/src'));
  execFileSync('mkfifo', [join(folder, 'data/pipe')]);
  const { entries, told, names } = await archived();
  assert.deepEqual(names, [
    ...['Dockerfile', 'data', 'data/large', 'data/pipe', 'data/src', 'src', 'src/run.sh'],
  ]);
  const of = (name: string) => entries[names.indexOf(name)]!;
  assert.deepEqual(of('data/large').content, large);
  assert.equal(of('src/run.sh').header.mode, 0o755);
  assert.equal(of('data/src').header.linkname, '../src');
  assert.equal(of('data/pipe').header.type, 'fifo');
  assert.ok(entries.every(({ header }) => header.uid === 0 && header.gid === 0));
  assert.deepEqual(told.at(-1), [7, large.length + 13 + 10]);
});

test('what .dockerignore excludes stays here, what it takes back comes with the directories above', async () => {
  put(
    '.dockerignore',
    '# comment\nnode_modules\n**/*.log\nsecret\n!secret/deep/public.txt\n*file\n',
  );
  put('Dockerfile');
  for (const path of ['node_modules/a/b.js', 'a.log', 'src/b.log', 'src/b.ts']) put(path);
  for (const path of ['secret/key', 'secret/deep/public.txt', 'secret/other/x']) put(path);
  const { names } = await archived();
  assert.deepEqual(names, [
    ...['.dockerignore', 'Dockerfile', 'secret', 'secret/deep', 'secret/deep/public.txt'],
    ...['src', 'src/b.ts'],
  ]);
});

test("a Dockerfile's own ignore file comes first", async () => {
  put('.dockerignore', 'b');
  put('app.dockerfile.dockerignore', 'a');
  for (const path of ['app.dockerfile', 'a', 'b']) put(path);
  const { names } = await archived('app.dockerfile');
  assert.deepEqual(names, ['.dockerignore', 'app.dockerfile', 'app.dockerfile.dockerignore', 'b']);
});

test('names that are long and files in great number come whole', async () => {
  const long = `${'d'.repeat(120)}/${'é'.repeat(100)}`;
  put(long, 'x');
  for (let index = 0; index < 200; index++) put(`many/${index}`, String(index));
  const { entries, names } = await archived();
  assert.ok(names.includes(long));
  assert.equal(entries.filter(({ header }) => header.name.startsWith('many/')).length, 200);
  assert.equal(entries[names.indexOf('many/123')]?.content.toString(), '123');
});

test('a pattern that makes no sense ends the archive with an error that names it', async () => {
  put('.dockerignore', '[');
  await assert.rejects(archived(), /syntax error in pattern "\["/);
});

test('a reader that stops holds the archive back, however large the folder is', async () => {
  put('large');
  truncateSync(join(folder, 'large'), 512 * 1024 ** 2);
  let packedBytes = 0;
  const archive = contextArchive({
    folder,
    dockerfile: 'Dockerfile',
    onProgress: (_files, bytes) => {
      packedBytes = bytes;
    },
  });
  let received = 0;
  const enough = new Error('enough');
  const stops = new Writable({
    write(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      done(received > 1024 ** 2 ? enough : null);
    },
  });
  await assert.rejects(pipeline(archive, stops), enough);
  assert.equal(packedBytes, 0);
  assert.ok(received < 4 * 1024 ** 2, `${received} bytes were read`);
});
