import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Client, ClientChannel } from 'ssh2';
import { openBySudo, WrongPassword } from './sudo.ts';

const prompt = '[corten: password]';

/** A login whose sudo is the test: what it is given, and where it speaks. */
function login() {
  const [given, stderr] = [new PassThrough(), new PassThrough()];
  const channel = Object.assign(given, { stderr, close: () => stderr.end() });
  const client = {
    exec: (_line: string, open: (error: undefined, channel: ClientChannel) => void) =>
      open(undefined, channel as unknown as ClientChannel),
  };
  return { client: client as unknown as Client, given, stderr };
}

test('a password that sudo asks for twice is wrong, in however many pieces it says so', async () => {
  const { client, given, stderr } = login();
  const refused = assert.rejects(openBySudo(client, 'true', 'open semolina'), WrongPassword);
  stderr.write(prompt);
  const [password] = await once(given, 'data');
  assert.equal(String(password), 'open semolina\n');
  stderr.write('Sorry, try again.\n');
  stderr.write(prompt);
  await refused;
});

test('what the command itself says is left to who reads it', async () => {
  const { client, stderr } = login();
  const opened = openBySudo(client, 'true', 'open sesame');
  for (const piece of [prompt, '[corten: be', 'gun]\nits', ' own']) stderr.write(piece);
  await opened;
  stderr.end(' words');
  assert.equal(String(Buffer.concat(await stderr.toArray())), 'its own words');
});

test('one that may not is told so in sudo’s words', async () => {
  const { client, stderr } = login();
  const refused = assert.rejects(
    openBySudo(client, 'true', 'open sesame'),
    /sudo runs nothing there for this user: erin is not allowed/,
  );
  stderr.write(prompt);
  stderr.end('erin is not allowed to run sudo\n');
  await refused;
});
