/** What the desktop shell must never allow, checked without its binary; and that it bundles. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildElectron } from '../build.ts';
import { guardContents, guardSession } from './guard.ts';
import { windowOptions } from './main-window.ts';
import { servePage } from './page.ts';
import { trayIconPixels, trayTemplate } from './tray.ts';

test('the page runs sandboxed, isolated and without node', () => {
  const { webPreferences } = windowOptions('/preload.cjs');
  assert.equal(webPreferences?.sandbox, true);
  assert.equal(webPreferences?.contextIsolation, true);
  assert.equal(webPreferences?.nodeIntegration, false);
  assert.equal(webPreferences?.webSecurity, true);
  assert.equal(webPreferences?.webviewTag, false);
});

test('the page cannot go elsewhere, open windows or embed', () => {
  const app = new EventEmitter();
  guardContents(app as never);
  let openHandler: (() => { action: string }) | undefined;
  const contents = Object.assign(new EventEmitter(), {
    setWindowOpenHandler: (handler: () => { action: string }) => {
      openHandler = handler;
    },
  });
  app.emit('web-contents-created', {}, contents);
  assert.equal(openHandler?.().action, 'deny');
  const prevented = (kind: string, url: string) => {
    let isPrevented = false;
    contents.emit(kind, { url, preventDefault: () => (isPrevented = true) });
    return isPrevented;
  };
  for (const kind of ['will-navigate', 'will-redirect']) {
    assert.ok(prevented(kind, 'https://evil.example/'));
    assert.ok(prevented(kind, 'file:///etc/passwd'));
    assert.ok(!prevented(kind, 'app://corten/'));
  }
  assert.ok(prevented('will-attach-webview', ''));
});

test('permissions are denied, but for the clipboard', () => {
  const answers: Record<string, boolean> = {};
  guardSession({
    setPermissionRequestHandler: (
      handler: (c: null, p: string, a: (is: boolean) => void) => void,
    ) => {
      for (const permission of ['media', 'geolocation', 'notifications', 'clipboard-read'])
        handler(null, permission, (is) => {
          answers[permission] = is;
        });
    },
    setPermissionCheckHandler: (handler: (c: null, p: string) => boolean) => {
      answers.usb = handler(null, 'usb');
    },
  } as never);
  assert.deepEqual(answers, {
    media: false,
    geolocation: false,
    notifications: false,
    'clipboard-read': true,
    usb: false,
  });
});

test('the page scheme serves known files of its own host only, with the policy', async () => {
  let handle: ((request: { url: string }) => Promise<Response>) | undefined;
  servePage({ handle: (_scheme: string, handler: typeof handle) => (handle = handler) } as never, {
    read: (path) =>
      path === '/' ? { type: 'text/html', bytes: new TextEncoder().encode('hi') } : undefined,
  });
  const page = await handle!({ url: 'app://corten/' });
  assert.equal(await page.text(), 'hi');
  assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'(;|$)/);
  assert.equal((await handle!({ url: 'app://corten/../../etc/passwd' })).status, 404);
  assert.equal((await handle!({ url: 'app://other/' })).status, 404);
});

test('the tray offers what the state allows', () => {
  const actions = { show() {}, start() {}, stop() {}, quit() {} };
  const labels = (status: 'running' | 'failed') =>
    trayTemplate(status, actions).map(({ label }) => label);
  assert.ok(labels('running').includes('Stop') && !labels('running').includes('Start'));
  assert.ok(labels('failed').includes('Start') && !labels('failed').includes('Stop'));
  assert.equal(trayIconPixels(16).length, 16 * 16 * 4);
});

test('main and preload bundle; preload needs electron and nothing else', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-electron-'));
  await buildElectron(directory);
  const preload = readFileSync(join(directory, 'preload.cjs'), 'utf8');
  assert.deepEqual(preload.match(/require\([^)]*\)/g), ['require("electron")']);
  assert.match(readFileSync(join(directory, 'main.js'), 'utf8'), /from "electron"/);
  rmSync(directory, { recursive: true, force: true });
});
