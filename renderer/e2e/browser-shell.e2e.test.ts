/** The browser shell's request guard, with a real browser and from outside of it. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { type App, assertNoComplaints, eventually, startApp } from './app.ts';

let app: App;
before(async () => {
  app = await startApp();
});
after(() => app?.close());

/** The status of a plain request with headers of its own choosing. */
function statusOf(path: string, headers: Record<string, string> = {}): Promise<number> {
  const { hostname, port } = new URL(app.origin);
  return new Promise((done, reject) => {
    const outgoing = request({ hostname, port, path, headers }, (response) => {
      response.resume();
      done(response.statusCode ?? 0);
    });
    outgoing.on('error', reject);
    outgoing.on('upgrade', (response, socket) => {
      socket.destroy();
      done(response.statusCode ?? 0);
    });
    outgoing.end();
  });
}

async function cookie(): Promise<string> {
  const cookies = await app.context.cookies(app.origin);
  assert.equal(cookies.length, 1);
  const [{ name, value, httpOnly, sameSite } = { name: '', value: '' }] = cookies;
  assert.deepEqual([httpOnly, sameSite], [true, 'Strict']);
  return `${name}=${value}`;
}

test('the address opens once; what it gave lasts over a reload', async () => {
  const { page, readyAddress, origin } = app;
  await page.getByRole('heading', { name: 'Containers' }).waitFor();
  assert.ok(!page.url().includes('token='), 'the token must not stay in the address');
  await page.reload();
  await page.getByRole('heading', { name: 'Containers' }).waitFor();
  const { pathname, search } = new URL(readyAddress);
  assert.equal(await statusOf(pathname + search), 403);
  assert.equal(await statusOf('/'), 403);
  assert.equal(await statusOf('/', { cookie: await cookie() }), 200);
  assert.match(origin, /^http:\/\/127\.0\.0\.1:/);
});

test('a browser without the cookie is told how to get a link, in light and dark', async () => {
  const { context, readyAddress } = app;
  const cookies = await context.cookies();
  await context.clearCookies();
  const page = await context.newPage();
  const grounds: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    assert.equal((await page.goto(readyAddress))?.status(), 403);
    await page.getByRole('heading', { name: 'A fresh link is needed' }).waitFor();
    await page.getByText('scripts/corten open', { exact: true }).waitFor();
    grounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
  }
  assert.deepEqual(grounds, ['rgb(250, 249, 247)', 'rgb(23, 20, 18)']);
  await context.addCookies(cookies);
  await page.getByRole('link', { name: 'Go to Corten' }).click();
  await page.getByRole('heading', { name: 'Containers' }).waitFor();
  await page.close();
  // Chromium itself reports each answer of 403.
  const others = app.complaints.filter((text) => !text.includes('status of 403'));
  assert.deepEqual(others, []);
  app.complaints.length = 0;
});

test('another host name, or another page, is turned away', async () => {
  const own = { cookie: await cookie() };
  assert.equal(await statusOf('/', { ...own, host: 'evil.example' }), 421);
  const upgrade = {
    ...own,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  assert.equal(await statusOf('/bridge', { ...upgrade, origin: 'https://evil.example' }), 403);
  assert.equal(await statusOf('/bridge', upgrade), 403);
  assert.equal(await statusOf('/bridge', { ...upgrade, origin: app.origin }), 101);
});

test('the page runs no script but its own', async () => {
  const { page } = app;
  const ran = await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.injected = true';
    document.head.append(script);
    return 'injected' in window;
  });
  assert.equal(ran, false);
  await eventually(() =>
    assert.ok(app.complaints.some((line) => /Content Security Policy/i.test(line))),
  );
  app.complaints.length = 0;
});

test('nothing else was complained about', () => assertNoComplaints(app));
