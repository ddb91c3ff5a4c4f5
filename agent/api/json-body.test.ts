import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { FastifyRequest } from 'fastify';
import { readJson, readOptionalJson } from './json-body.ts';

const requestOf = (raw: PassThrough) => ({ raw, headers: {} }) as unknown as FastifyRequest;

test('a body that comes in pieces is one document', async () => {
  const raw = new PassThrough();
  const fields = readJson(requestOf(raw));
  const bytes = Buffer.from('{"Image": "käse"}');
  // Between the two bytes of a letter.
  const middle = bytes.indexOf(0xc3) + 1;
  raw.write(bytes.subarray(0, middle));
  await new Promise(setImmediate);
  raw.end(bytes.subarray(middle));
  assert.equal((await fields).text('Image'), 'käse');
});

test('no body at all is an empty document where one may be left out', async () => {
  const raw = new PassThrough();
  raw.end();
  assert.deepEqual((await readOptionalJson(requestOf(raw))).keys(), []);
});

test('a client that goes away half-way is waited for no longer', { timeout: 5_000 }, async () => {
  const raw = new PassThrough();
  const fields = readJson(requestOf(raw));
  raw.write('{"Image"');
  raw.destroy();
  await assert.rejects(fields, { kind: 'invalid', message: /ended before its body did/ });
  await assert.rejects(readJson(requestOf(raw)), { kind: 'invalid' });
  const failed = new PassThrough();
  const others = readJson(requestOf(failed));
  failed.destroy(new Error('aborted'));
  await assert.rejects(others, /aborted/);
});
