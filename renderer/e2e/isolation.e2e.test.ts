/** The Isolation tab, with weaknesses first; and the userspace map, to be clicked and to be read. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type App,
  assertNoComplaints,
  eventually,
  startApp,
  starterImage,
  timeoutMs,
} from './app.ts';

let app: App;
before(async () => {
  app = await startApp();
  await eventually(() => app.docker('version'));
  const weak = [
    ...['--network', 'host', '--cap-add', 'SYS_TIME', '-v', '/etc:/machine'],
    ...['--pids-limit', '-1'],
  ];
  await app.docker('run', '-d', '--name', 'weak', ...weak, starterImage, 'sleep', '1000');
  const limits = ['-m', '64m', '--cpus', '0.5', '--pids-limit', '50'];
  await app.docker('run', '-d', '--name', 'boxed', ...limits, starterImage, 'sleep', '1000');
});
after(() => app?.close());

const section = (name: string) => app.page.getByRole('region', { name, exact: true });

async function open(name: string): Promise<void> {
  const id = await app.docker('inspect', '-f', '{{.Id}}', name);
  await app.go(`/containers/${id.slice(0, 12)}`);
  await app.page
    .getByRole('navigation', { name: 'Views of this container' })
    .getByRole('link', { name: 'Isolation' })
    .click();
  await section('Namespaces').waitFor();
}

test('weaknesses come first, with the risk and the way to change it', async () => {
  await open('weak');
  const warnings = section('Weaker than the default').getByRole('listitem');
  await warnings.first().waitFor();
  const texts = await warnings.allTextContents();
  assert.equal(texts.length, 4);
  assert.match(texts[0] ?? '', /High risk/);
  assert.match(texts.at(-1) ?? '', /Low risk.*CPU, processes/);
  for (const label of await warnings.getByText(/^\w+ risk$/).all())
    assert.ok(await label.evaluate((it) => it.scrollHeight <= it.clientHeight), 'one line');
  for (const pattern of [/without --network host/, /CAP_SYS_TIME/, /change \/etc.*\/machine/])
    assert.ok(
      texts.some((text) => pattern.test(text)),
      `${pattern}`,
    );
});

test('numbers inside and on the machine stand side by side, equal where it is not apart', async () => {
  const rows = section('Namespaces').getByRole('row');
  const cells = async (name: string) =>
    rows
      .filter({ has: app.page.getByRole('rowheader', { name, exact: true }) })
      .getByRole('cell')
      .allTextContents();
  const [inside, machine, scope] = await cells('Network');
  assert.match(inside ?? '', /^\d+$/);
  assert.deepEqual([machine, scope], [inside, 'Host']);
  const [ownInside, onMachine, ownScope] = await cells('PID');
  assert.notEqual(ownInside, onMachine);
  assert.equal(ownScope, 'Private');
});

test('an ordinary container has nothing to warn of, and its limits as the kernel has them', async () => {
  await open('boxed');
  await app.page.getByText('Nothing is weaker than the default.').waitFor();
  const pids = section('pids');
  await pids.getByText('pids.max').waitFor();
  assert.match((await pids.textContent()) ?? '', /pids\.max50/);
  await section('Control group').getByText('64 MiB').first().waitFor();
  const others = section('Disk and network');
  await others.getByText('Its own files can fill the disk that they lie on.').waitFor();
  await others.getByText('network bridge').waitFor();
  // What most need not see is a key away.
  await section('Capabilities').locator('summary').focus();
  await app.page.keyboard.press('Enter');
  await section('Capabilities').getByText('It cannot load code into the kernel.').waitFor();
});

test('a stopped container shows what a start would ask for', async () => {
  await app.docker('stop', '-t', '0', 'weak');
  await open('weak');
  await app.page.getByText('Not running. This is what a start would ask the kernel for.').waitFor();
  await section('Weaker than the default').getByText('CAP_SYS_TIME').waitFor();
  // What it will share with the machine is not new.
  const user = app.page.getByRole('row', { name: /^User –/ });
  assert.equal(await user.count(), 1);
  assert.equal(await user.getByText('new', { exact: true }).count(), 0);
  const mount = app.page.getByRole('row', { name: /^Mount/ });
  assert.equal(await mount.getByText('new', { exact: true }).count(), 1);
  await app.docker('start', 'weak');
  await app.page.getByText(/Read from the kernel at/).waitFor();
});

test('the map shows each container in a box with its limits, and leads to it', async () => {
  await app.go('/machine');
  await app.page
    .getByRole('navigation', { name: 'Views of the machine' })
    .getByRole('link', { name: 'Userspace' })
    .click();
  const map = app.page.getByRole('region', { name: /^Map of \d+ processes$/ });
  const box = map.getByRole('link', { name: /^boxed/ });
  await box.waitFor();
  await eventually(async () =>
    assert.match(
      (await box.textContent()) ?? '',
      /of 64 MiB · [\d.]+ of 0\.5 CPUs · 1 of 50 processes/,
    ),
  );
  await map.getByRole('link', { name: /^weak.*not limited/ }).waitFor();
  await app.page.getByRole('radio', { name: 'CPU', exact: true }).check({ force: true });
  await map.getByRole('link', { name: /^weak.*not limited/ }).waitFor();
  await app.page.getByRole('radio', { name: 'Shared' }).check({ force: true });
  await box.waitFor({ state: 'detached' });
  await app.page.getByRole('radio', { name: 'By container' }).check({ force: true });
  await box.focus();
  await app.page.keyboard.press('Enter');
  await app.page.getByRole('heading', { level: 1, name: 'boxed' }).waitFor();
});

test('the same as a table: processes of their container, and the machine’s own', async () => {
  await app.go('/machine/userspace');
  await app.page.getByRole('radio', { name: 'Table' }).check({ force: true });
  const table = app.page.getByRole('table', { name: 'Processes by who they belong to' });
  await table.getByRole('rowheader', { name: /^The machine itself/ }).waitFor();
  const group = table
    .locator('tbody')
    .filter({ has: app.page.getByRole('link', { name: 'boxed', exact: true }) });
  await group.getByRole('cell', { name: 'sleep', exact: true }).waitFor();
  // A container that starts comes by itself.
  await app.docker('run', '-d', '--name', 'late', starterImage, 'sleep', '1000');
  await table.getByRole('link', { name: 'late', exact: true }).waitFor({ timeout: timeoutMs });
});

test('the page had nothing to complain about', () => assertNoComplaints(app));
