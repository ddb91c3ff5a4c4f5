/** Images from a real registry: pulled by name, and by making a container of one that is not here. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { startRegistry, type TestRegistry } from '../../agent/images/testdata/registry.ts';
import { type App, assertNoComplaints, startApp } from './app.ts';

const starterArchive = resolve(import.meta.dirname, '../../dist/starter-image.tar');
let app: App;
let registry: TestRegistry;
let directory: string;
let host: string;

before(async () => {
  app = await startApp();
  directory = mkdtempSync(join(tmpdir(), 'corten-ui-registry-'));
  registry = await startRegistry(directory);
  host = registry.domain;
  const copy = ['copy', '--insecure-policy', '--dest-tls-verify=false'];
  for (const name of ['first', 'second'])
    execFileSync('skopeo', [
      ...copy,
      `oci-archive:${starterArchive}`,
      `docker://${host}/${name}:1`,
    ]);
});

after(async () => {
  await app?.close();
  await registry?.stop();
  if (directory) rmSync(directory, { recursive: true, force: true });
});

test('an image is pulled by its name and listed', async () => {
  const { page } = app;
  await app.go('/images');
  await pull(`${host}/first:1`);
  const card = page.getByRole('region', { name: `Pull of ${host}/first:1` });
  await card.getByText('Pulled', { exact: true }).waitFor();
  await page.getByRole('cell', { name: `${host}/first:1`, exact: true }).waitFor();
});

test('what is not there is said by the registry, and can be tried again', async () => {
  await pull(`${host}/nowhere:1`);
  const card = app.page.getByRole('region', { name: `Pull of ${host}/nowhere:1` });
  await card.getByRole('alert').getByText('not found').waitFor();
  await card.getByRole('button', { name: 'Try again' }).waitFor();
});

test('a container of an image that is not here pulls it first', async () => {
  const { page } = app;
  await app.go('/new');
  await page.getByRole('combobox', { name: 'Image' }).fill(`${host}/second:1`);
  await page.getByText('Not on this machine: it will be pulled first.').waitFor();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('pulled');
  await page.getByRole('textbox', { name: 'Command', exact: true }).fill('sleep 1000');
  await page.getByRole('button', { name: 'Create and start' }).click();
  await page.getByRole('heading', { level: 1, name: 'pulled' }).waitFor();
  assert.match(await app.docker('ps', '--format', '{{.Image}}'), /second:1/);
});

test('the page had nothing to complain about', () => assertNoComplaints(app));

async function pull(reference: string): Promise<void> {
  const field = app.page.getByRole('textbox', { name: 'Image to pull' });
  await field.fill(reference);
  await field.press('Enter');
}
