/** The list of containers: from the first click to the last removal, against the real engine. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Locator } from 'playwright-core';
import {
  type App,
  assertNoComplaints,
  eventually,
  removeAll,
  startApp,
  starterImage,
} from './app.ts';

let app: App;
before(async () => {
  app = await startApp();
});
after(() => app?.close());

const row = (name: string): Locator =>
  app.page.getByRole('row').filter({ has: app.page.getByRole('link', { name, exact: true }) });
const grid = () => app.page.getByRole('grid', { name: 'Containers' });

async function runBusy(name: string, ...options: string[]): Promise<void> {
  const busy = 'while :; do :; done';
  await app.docker('run', '-d', '--name', name, ...options, starterImage, 'sh', '-c', busy);
}

async function runIdle(name: string, ...options: string[]): Promise<void> {
  // Without init `sleep` is process 1, which SIGTERM does not end: each stop would take ten seconds.
  await app.docker(
    'run',
    '-d',
    '--init',
    '--name',
    name,
    ...options,
    starterImage,
    'sleep',
    '1000',
  );
}

test('the first screen runs a container in one click and opens a terminal in it', async () => {
  const { page } = app;
  await page.getByRole('heading', { name: 'Run your first container' }).waitFor();
  await page.getByRole('button', { name: 'Run the starter image' }).click();
  await page.getByRole('tabpanel', { name: /^Terminal in / }).waitFor();
  await eventually(async () =>
    assert.match((await page.locator('.xterm-rows').textContent()) ?? '', /root@/),
  );
  assert.match(await app.docker('ps', '--format', '{{.Image}}'), /^corten\/starter/);
  await removeAll(app.docker);
  await page.getByRole('heading', { name: 'This container is gone' }).waitFor();
  await page.getByRole('button', { name: 'All containers' }).click();
  await page.getByRole('heading', { name: 'Run your first container' }).waitFor();
});

test('a running container shows live CPU and memory against its limits', async () => {
  await app.go('/');
  await runBusy('busy', '--cpus', '0.2', '--memory', '64m');
  const figures = row('busy');
  await eventually(async () => {
    const [cpu, memory] = await cells(figures, 4, 5);
    assert.match(memory ?? '', /\/ 64 MiB/);
    const percent = Number.parseFloat(cpu ?? '');
    assert.ok(percent > 5 && percent < 35, `0.2 CPUs are busy, shown: ${cpu}`);
  });
});

test('rows come, change and go with what the docker command line does', async () => {
  const { page } = app;
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  await runIdle('outside');
  await row('outside').getByText('Running').waitFor();
  await app.docker('pause', 'outside');
  await row('outside').getByText('Paused').waitFor();
  await app.docker('unpause', 'outside');
  await app.docker('rename', 'outside', 'renamed');
  await row('renamed').getByText('Running').waitFor();
  await app.docker('kill', 'renamed');
  await row('renamed').getByText('Exited (137)').waitFor();
  await app.docker('rm', 'renamed');
  await row('renamed').waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => 'sameDocument' in window), true);
});

test('the filter finds by name, image and state, and says so when nothing matches', async () => {
  const { page } = app;
  await runIdle('db', '-e', 'ROLE=database');
  await row('db').waitFor();
  const filter = page.getByRole('searchbox', { name: 'Filter containers' });
  await page.keyboard.press('/');
  assert.equal(await filter.evaluate((element) => element === document.activeElement), true);
  await filter.fill('db');
  await row('busy').waitFor({ state: 'detached' });
  assert.equal(await row('db').count(), 1);
  await filter.fill('no such thing');
  await page.getByRole('heading', { name: 'Nothing matches' }).waitFor();
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await row('busy').waitFor();
  assert.equal(await filter.inputValue(), '');
});

test('the keyboard moves, chooses, opens and comes back', async () => {
  const { page } = app;
  await row('busy').focus();
  await page.keyboard.press('Home');
  const first = await focusedName();
  await page.keyboard.press('ArrowDown');
  await eventually(async () => assert.notEqual(await focusedName(), first));
  const second = await focusedName();
  assert.deepEqual([first, second].sort(), ['busy', 'db']);
  await page.keyboard.press(' ');
  await page.getByText('1 selected').waitFor();
  await page.keyboard.press('Control+a');
  await page.getByText('2 selected').waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('2 selected').waitFor({ state: 'detached' });
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: second }).waitFor();
  await page.goBack();
  await grid().waitFor();
});

test('the context menu does what it says', async () => {
  const { page } = app;
  const before = await startedAt('db');
  await row('db').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Pause' }).click();
  await row('db').getByText('Paused').waitFor();
  await row('db').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Resume' }).click();
  await row('db').getByText('Running').waitFor();
  await row('db').getByRole('button', { name: 'More actions for db' }).click();
  await page.getByRole('menuitem', { name: 'Restart' }).click();
  await eventually(async () => assert.notEqual(await startedAt('db'), before));
});

test('several are stopped at once, and started again by undo', async () => {
  const { page } = app;
  await removeAll(app.docker);
  for (const name of ['one', 'two', 'three']) await runIdle(name);
  for (const name of ['one', 'two'])
    await row(name)
      .getByRole('checkbox', { name: `Select ${name}` })
      .click();
  const bar = page.getByRole('toolbar', { name: 'Actions for the selected containers' });
  await bar.getByRole('button', { name: 'Stop' }).click();
  // Under the pointer it stays until its undo is wanted, however long what is between takes.
  await page.getByText('Stopped 2 containers').hover();
  await row('one').getByText('Exited (143)').waitFor();
  await row('two').getByText('Exited (143)').waitFor();
  await row('three').getByText('Running').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await row('one').getByText('Running').waitFor();
  await row('two').getByText('Running').waitFor();
  await page.getByRole('button', { name: 'Clear the selection' }).click();
});

test('removal asks first, keeps on cancel, and removes on yes', async () => {
  const { page } = app;
  const before = await startedAt('three');
  await row('three').focus();
  await page.keyboard.press('r');
  await eventually(async () => assert.notEqual(await startedAt('three'), before));
  // Until the engine has answered, the row says so and takes no other order.
  await row('three').getByText('Running').waitFor();
  await page.keyboard.press('Delete');
  const question = page.getByRole('alertdialog', { name: 'Remove three?' });
  await question.getByText('It is running and will be killed.').waitFor();
  await question.getByRole('button', { name: 'Cancel' }).click();
  await question.waitFor({ state: 'detached' });
  await row('three').getByText('Running').waitFor();
  await row('three').focus();
  await page.keyboard.press('Delete');
  await page.getByRole('button', { name: 'Remove three' }).click();
  await row('three').waitFor({ state: 'detached' });
  await page.getByText('Removed three').waitFor();
  assert.doesNotMatch(await app.docker('ps', '-a', '--format', '{{.Names}}'), /three/);
});

test('a stack is one group with its own switches', async () => {
  const { page } = app;
  for (const name of ['shop-web-1', 'shop-db-1'])
    await runIdle(name, '--label', 'com.docker.compose.project=shop');
  await page.getByText('2 of 2 running').waitFor();
  await page.getByRole('button', { name: 'Stop all of shop' }).click();
  await page.getByText('0 of 2 running').waitFor();
  await page.getByRole('button', { name: 'Start all of shop' }).click();
  await page.getByText('2 of 2 running').waitFor();
  await page.getByRole('button', { name: 'shop', exact: true }).click();
  await row('shop-web-1').waitFor({ state: 'detached' });
  await row('one').waitFor();
});

test('the page had nothing to complain about', () => assertNoComplaints(app));

async function cells(of: Locator, ...columns: number[]): Promise<(string | null)[]> {
  const all = of.getByRole('gridcell');
  return Promise.all(columns.map((column) => all.nth(column).textContent()));
}

function focusedName(): Promise<string> {
  return app.page.evaluate(() => document.activeElement?.querySelector('a')?.textContent ?? '');
}

function startedAt(name: string): Promise<string> {
  return app.docker('inspect', '-f', '{{.State.StartedAt}}', name);
}
