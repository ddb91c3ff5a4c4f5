/** The engine is killed under the app: the app says so, starts it again, and containers never noticed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type App, eventually, startApp, starterImage } from './app.ts';

let app: App;
before(async () => {
  app = await startApp();
});
after(() => app?.close());

test('a killed engine is told of and started again; terminal and log go on', async () => {
  const { page, docker } = app;
  await docker('run', '-dit', '--name', 'steady', starterImage);
  const pid = await docker('inspect', '-f', '{{.State.Pid}}', 'steady');
  await app.go('/containers/steady/terminal');
  const screen = page.locator('.xterm-rows');
  const says = (pattern: RegExp) =>
    eventually(async () => assert.match((await screen.textContent()) ?? '', pattern));
  await says(/root@/);

  const lock = join(dirname(app.socket), 'agent.lock');
  process.kill(Number(readFileSync(lock, 'utf8')), 'SIGKILL');
  await page.getByRole('heading', { name: 'The engine stopped unexpectedly' }).waitFor();
  await page.getByText('it was killed by SIGKILL').waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();

  await page.getByRole('button', { name: 'New shell here' }).click();
  await says(/root@.*root@/);
  await page.keyboard.type('echo back $((40+2))\n');
  await says(/back 42/);
  assert.equal(await docker('inspect', '-f', '{{.State.Pid}}', 'steady'), pid);
});
