/** What the window says of its connection: nothing while it loads, and the truth once it is lost. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type App, assertNoComplaints, eventually, startApp } from './app.ts';

let app: App;
before(async () => {
  app = await startApp();
});
after(() => app?.close());

const unreachable = 'The app cannot be reached. Trying again…';

/** Runs in the page before its own code: keeps all headings and titles that were ever shown. */
function recordSentences(): void {
  const seen = new Set<string>();
  const look = () => {
    seen.add(document.title);
    for (const { textContent } of document.querySelectorAll('h1, [role=alert]'))
      seen.add(textContent ?? '');
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
  Object.assign(window, { sentences: () => [...seen] });
}

/** Runs in the page before its own code: `cutConnections()` ends its WebSockets and lets no other open. */
function makeConnectionsCuttable(): void {
  const Real = WebSocket;
  const open: WebSocket[] = [];
  let isCut = sessionStorage.getItem('cut') === 'yes';
  window.WebSocket = class extends EventTarget {
    constructor(url: string) {
      super();
      if (isCut) return;
      const socket = new Real(url);
      open.push(socket);
      // biome-ignore lint/correctness/noConstructorReturn: the page gets a real WebSocket.
      return socket as never;
    }
  } as never;
  Object.assign(window, {
    cutConnections() {
      isCut = true;
      for (const socket of open) socket.close();
    },
  });
}

test('a page that loads says nothing of its connection, and its title is its place', async () => {
  const { page } = app;
  await page.getByRole('heading', { name: 'Containers' }).waitFor();
  await page.addInitScript(recordSentences);
  for (let load = 0; load < 3; load += 1) {
    await page.reload();
    await page.getByRole('heading', { name: 'Containers' }).waitFor();
    await eventually(async () => assert.equal(await page.title(), 'Containers – Corten'));
    const sentences: string[] = await page.evaluate('sentences()');
    assert.ok(!sentences.some((one) => one.includes('cannot be reached')), sentences.join('; '));
  }
  await app.go('/images');
  await eventually(async () => assert.equal(await page.title(), 'Images – Corten'));
});

test('a connection that is lost, or not made in two seconds, is told of', async () => {
  const { page } = app;
  await page.addInitScript(makeConnectionsCuttable);
  await page.reload();
  await page.getByRole('heading', { name: 'Images' }).waitFor();
  await page.evaluate('cutConnections()');
  await page.getByText(unreachable).waitFor();
  assert.equal(await page.title(), 'Images – Corten');

  await page.evaluate("sessionStorage.setItem('cut', 'yes')");
  await page.reload();
  await page.getByRole('heading', { name: unreachable }).waitFor();
  assert.equal(await page.title(), `${unreachable} – Corten`);

  await page.evaluate("sessionStorage.removeItem('cut')");
  await page.reload();
  await page.getByRole('heading', { name: 'Images' }).waitFor();
  await eventually(async () => assert.equal(await page.title(), 'Images – Corten'));
});

test('nothing was complained about', () => assertNoComplaints(app));
