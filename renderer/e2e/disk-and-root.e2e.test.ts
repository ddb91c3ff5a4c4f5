/** A container with a disk limit and a root of its own, made by clicking, and limited anew while it runs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type App, assertNoComplaints, eventually, startApp, starterImage } from './app.ts';

const MiB = 1024 ** 2;
let app: App;
before(async () => {
  app = await startApp();
});
after(() => app?.close());

const card = (name: string) => app.page.getByRole('region', { name, exact: true });
const box = (name: string) => app.page.getByRole('textbox', { name, exact: true });
const diskOf = (name: string) =>
  app.ask<Record<string, number | null>>(`/corten/v1/containers/${name}/disk`);
const inspect = (name: string, field: string) => app.docker('inspect', '-f', `{{${field}}}`, name);

async function fill(field: string, value: string): Promise<void> {
  await box(field).fill(value);
  await box(field).press('Tab');
}

async function toLimits(name: string): Promise<void> {
  await app.go(`/containers/${await inspect(name, '.Id')}/limits`);
  await card('Disk space').waitFor();
}

async function apply(): Promise<void> {
  await app.page.getByRole('button', { name: 'Apply now' }).click();
  await app.page.getByText('Not applied yet.').waitFor({ state: 'detached' });
}

test('New container gives a disk limit and a root that is nobody outside', async () => {
  const { page } = app;
  await app.go('/new');
  await page.getByRole('combobox', { name: 'Image' }).fill(starterImage);
  await page.getByText('On this machine.').waitFor();
  await fill('Name', 'small');
  await fill('Disk space', '2');
  await card('Limits').getByText('At least 4 MiB.').waitFor();
  await fill('Disk space', '64');
  const own = page.getByRole('radio', { name: 'Runs as root in its user namespace' });
  await own.check({ force: true });
  const line = card('Command line');
  await line.getByText('--storage-opt size=64m').waitFor();
  await line.getByText('--security-opt userns=auto').waitFor();
  await page.getByRole('button', { name: 'Create and start' }).click();
  await card('Container').getByText('Runs as root in its user namespace').waitFor();
  assert.equal(await inspect('small', '.HostConfig.StorageOpt.size'), String(64 * MiB));
  assert.equal(await inspect('small', '.HostConfig.UsernsMode'), 'auto');
  const [inside, outside] = readFileSync(
    `/proc/${await inspect('small', '.State.Pid')}/uid_map`,
    'utf8',
  )
    .trim()
    .split(/\s+/);
  assert.equal(inside, '0');
  assert.ok(Number(outside) > 65_535, `its root is ${outside} outside`);
});

test('a disk that is nearly full is told of beside its figures and beside its limit', async () => {
  const { page } = app;
  assert.equal(await page.getByText(/^Nearly full/).count(), 0);
  await app.docker('exec', 'small', 'sh', '-c', 'dd if=/dev/zero of=/full bs=1M || true');
  await card('Container')
    .getByText(/^Nearly full: .* left\. Without room, writing fails\.$/)
    .waitFor();
  await toLimits('small');
  await card('Disk space')
    .getByText(/^Nearly full/)
    .waitFor();
  await app.docker('exec', 'small', 'rm', '/full');
  await page.getByText(/^Nearly full/).waitFor({ state: 'detached' });
});

test('its disk limit is warned of, raised and taken away while it runs', async () => {
  const { page } = app;
  const { inodesAreFixed } = await diskOf('small');
  await app.docker('exec', 'small', 'dd', 'if=/dev/zero', 'of=/full', 'bs=1M', 'count=20');
  await toLimits('small');
  assert.equal(await box('Disk space').inputValue(), '64 MiB');
  await eventually(async () => {
    const text = (await card('Disk space').textContent()) ?? '';
    assert.ok(Number(/Uses ([\d.]+) MiB now/.exec(text)?.[1]) >= 20, text);
  });
  await fill('Disk space', '8');
  await page.getByRole('alert').getByText('nothing more can be written until').waitFor();
  assert.equal((await diskOf('small')).maxBytes, 64 * MiB);
  await fill('Disk space', '128');
  await apply();
  assert.equal((await diskOf('small')).maxBytes, 128 * MiB);
  await app.docker('exec', 'small', 'dd', 'if=/dev/zero', 'of=/more', 'bs=1M', 'count=80');
  // Without project quota the number was fixed with the file system: it is not offered.
  if (inodesAreFixed) await card('Disk space').getByText('was fixed when').waitFor();
  assert.equal(await box('Files and folders').isDisabled(), inodesAreFixed);
  await card('Disk space').getByRole('button', { name: 'Remove the limit' }).click();
  await apply();
  assert.equal((await diskOf('small')).maxBytes, null);
});

test('one that can get no disk limit is not offered one, and its root is the machine’s', async (t) => {
  await app.docker('run', '-dit', '--name', 'plain', starterImage);
  if ((await diskOf('plain')).usedBytes !== null) {
    t.skip('the machine has project quota: every container can get a limit');
    return;
  }
  await toLimits('plain');
  await app.page.getByText('Created without a disk limit, which this machine').waitFor();
  for (const field of ['Disk space', 'Files and folders']) {
    assert.equal(await box(field).isDisabled(), true);
    const slider = card('Disk space').getByRole('slider', { name: field });
    assert.equal(await slider.isDisabled(), true);
  }
  await app.go(`/containers/${await inspect('plain', '.Id')}`);
  await app.page.getByText('Runs as root on the machine').waitFor();
});

test('the page had nothing to complain about', () => assertNoComplaints(app));
