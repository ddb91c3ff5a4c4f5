import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { HostChannels } from '../contract/host-channels.ts';
import { linkPage } from './link-page.ts';
import { type BrowserShell, serveBrowserShell } from './server.ts';

const accept = 'text/html,application/xhtml+xml,*/*;q=0.8';
let shell: BrowserShell;
let origin: string;

before(async () => {
  const files = { read: () => undefined };
  shell = await serveBrowserShell({ port: 0, files, host: {} as HostChannels });
  origin = `http://127.0.0.1:${shell.port}`;
});
after(() => shell.close());

test('a person without a session is shown a page that says how to get a link', async () => {
  await fetch(shell.address, { redirect: 'manual' });
  for (const address of [shell.address, `${origin}/`]) {
    const response = await fetch(address, { headers: { accept }, redirect: 'manual' });
    assert.equal(response.status, 403);
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(await response.text(), linkPage);
  }
  assert.match(linkPage, /This link was opened in another browser or has expired/);
  assert.match(linkPage, /<code>scripts\/corten open<\/code>/);
});

test('the policy of that page allows its own style and nothing else', async () => {
  const { headers } = await fetch(`${origin}/`, { headers: { accept } });
  const policy = headers.get('content-security-policy') ?? '';
  const [, style = ''] = /<style>([\s\S]*)<\/style>/.exec(linkPage) ?? [];
  const digest = createHash('sha256').update(style).digest('base64');
  assert.match(policy, /default-src 'none'/);
  assert.ok(policy.includes(`style-src 'sha256-${digest}';`), policy);
  assert.doesNotMatch(policy, /script-src|unsafe/);
  assert.doesNotMatch(linkPage, /<script|style=/);
});

test('assets, requests of scripts and other pages get a plain answer', async () => {
  for (const init of [
    { headers: { accept: '*/*' } },
    { headers: { accept: 'application/json' } },
    { headers: { accept, origin: 'http://evil.example' } },
    { headers: { accept }, method: 'POST' },
  ]) {
    const response = await fetch(`${origin}/`, init);
    assert.equal(response.status, 403);
    assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.doesNotMatch(await response.text(), /</);
  }
});

test('the colours of that page are the app’s', () => {
  const tokens = readFileSync(join(import.meta.dirname, '../../renderer/ui/tokens.css'), 'utf8');
  const coloursOf = (text: string): string[] => text.match(/--[\w-]+: #\w+/g) ?? [];
  const known = coloursOf(tokens);
  const used = coloursOf(linkPage);
  assert.equal(used.length, 14);
  assert.deepEqual(
    used.filter((colour) => !known.includes(colour)),
    [],
  );
});
