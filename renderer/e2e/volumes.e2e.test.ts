/** Volumes by clicking: made with a size, watched while they fill, given another size, and removed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type App, assertNoComplaints, startApp, starterImage } from './app.ts';

const MiB = 1024 ** 2;
let app: App;
before(async () => {
  app = await startApp();
  await app.go('/volumes');
});
after(() => app?.close());

const row = (name: string) => app.page.getByRole('row', { name });
const dialog = () => app.page.getByRole('dialog', { name: /^New volume|^Size of/ });
const sizeOf = async (name: string) =>
  (await app.ask<{ maxBytes: number | null }>(`/corten/v1/volumes/${name}/disk`)).maxBytes;

async function setSize(text: string): Promise<void> {
  const size = dialog().getByRole('textbox', { name: 'Size' });
  await size.fill(text);
  await size.press('Tab');
}

test('without one the page says what a volume is for; the first is made in a dialog', async () => {
  const { page } = app;
  await page.getByRole('heading', { name: 'No volumes' }).waitFor();
  await page.getByRole('button', { name: 'New volume' }).click();
  await dialog().getByRole('textbox', { name: 'Name' }).fill('b/x');
  await setSize('1 MiB');
  await dialog().getByRole('button', { name: 'Create' }).click();
  await dialog().getByText('the first is a letter or digit').waitFor();
  await dialog().getByText('At least 4 MiB.').waitFor();
  await dialog().getByRole('textbox', { name: 'Name' }).fill('box');
  await setSize('64 MiB');
  await dialog().getByRole('button', { name: 'Create' }).click();
  await row('box').getByText('of 64 MiB').waitFor();
  await row('box').getByText('not used').waitFor();
  assert.equal(await sizeOf('box'), 64 * MiB);
});

test('who uses it is told, and when it is nearly full', async () => {
  const fill = 'dd if=/dev/zero of=/data/full bs=1M; sleep 1000';
  await app.docker(
    ...['run', '-d', '--init', '--name', 'user', '-v', 'box:/data', starterImage, 'sh', '-c', fill],
  );
  await row('box').getByRole('link', { name: 'user' }).waitFor();
  await row('box')
    .getByText(/^Nearly full/)
    .waitFor();
});

test('a size below what it holds is warned of first, applied all the same, and undone', async () => {
  const { page } = app;
  await page.getByRole('button', { name: 'Size of box' }).click();
  await setSize('32');
  await dialog().getByRole('button', { name: 'Apply now' }).click();
  await dialog().getByRole('alert').waitFor();
  assert.equal(await sizeOf('box'), 64 * MiB);
  await dialog().getByRole('button', { name: 'Apply anyway' }).click();
  await dialog().waitFor({ state: 'detached' });
  assert.equal(await sizeOf('box'), 32 * MiB);
  await page.getByText('Changed the size of box').hover();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('The size of box is as before').waitFor();
  assert.equal(await sizeOf('box'), 64 * MiB);
});

test('one in use is not removed, and says by whom; one that is free goes after a question', async () => {
  const { page } = app;
  const remove = async () => {
    await page.getByRole('button', { name: 'Remove box' }).click();
    await page.getByRole('alertdialog').getByText('All files in it are lost.').waitFor();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
  };
  await remove();
  await page.getByRole('alert').getByText('box was not removed').waitFor();
  await app.docker('rm', '-f', 'user');
  await row('box').getByText('not used').waitFor();
  await remove();
  await page.getByText('box was removed').first().waitFor();
  await page.getByRole('heading', { name: 'No volumes' }).waitFor();
});

test('the page had nothing to complain about', () => assertNoComplaints(app));
