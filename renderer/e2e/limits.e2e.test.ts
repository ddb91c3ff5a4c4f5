/** The limits that Docker cannot say, by clicking: set on a running container, warned of, and taken away. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { Limits } from '../../agent/contract/limits.ts';
import { type App, assertNoComplaints, eventually, startApp, starterImage } from './app.ts';

const MiB = 1024 ** 2;
let app: App;
let id: string;
before(async () => {
  app = await startApp();
  // The page shows its places while the engine still starts.
  await eventually(async () => {
    id = await app.docker(
      ...['run', '-d', '--name', 'limited', '--memory', '128m'],
      ...[starterImage, 'sh', '-c', 'for i in 1 2 3; do sleep 1000 & done; wait'],
    );
  });
  await app.go(`/containers/${id}/limits`);
});
after(() => app?.close());

const limits = () => app.ask<Limits>(`/corten/v1/containers/${id}/limits`);
const card = (name: string) => app.page.getByRole('region', { name, exact: true });

async function fill(place: string, field: string, value: string): Promise<void> {
  const box = card(place).getByRole('textbox', { name: field, exact: true });
  await box.fill(value);
  await box.press('Tab');
}

async function apply(): Promise<void> {
  await app.page.getByRole('button', { name: 'Apply now' }).click();
  await app.page.getByText('Not applied yet.').waitFor({ state: 'detached' });
}

test('what a new container gets without asking is shown', async () => {
  const value = (place: string, field: string) =>
    card(place).getByRole('textbox', { name: field, exact: true }).inputValue();
  await card('Log').waitFor();
  assert.equal(await value('Processes and open files', 'Process limit'), '4096');
  assert.equal(await value('Log', 'File size'), '20');
  assert.equal(await value('Log', 'Files'), '3');
});

test('network speed, open files, log, reservation and burst are set while it runs', async () => {
  await fill('Network speed', 'Sends', '2');
  await fill('Network speed', 'Receives', '512k');
  await fill('Processes and open files', 'Open files', '256');
  await fill('Log', 'File size', '1');
  await fill('Log', 'Files', '2');
  await fill('Memory', 'Reservation', '32');
  await fill('CPU', 'CPU limit', '0.5');
  await fill('CPU', 'Burst', '20');
  await apply();
  const set = await limits();
  assert.deepEqual(set.network, {
    egressBytesPerSecond: 2 * MiB,
    ingressBytesPerSecond: 512 * 1024,
  });
  assert.equal(set.openFiles, 256);
  assert.deepEqual(set.log, { maxBytes: MiB, maxFiles: 2 });
  assert.equal(set.memory?.reservationBytes, 32 * MiB);
  assert.equal(set.cpu?.burstMicros, 20_000);
  const pid = await app.docker('inspect', '-f', '{{.State.Pid}}', 'limited');
  assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max open files\s+256\s+256\s/);
});

test('huge pages are limited by their size', async () => {
  const { page } = app;
  await page.getByRole('button', { name: 'Limit huge pages' }).click();
  await fill('Huge pages', 'Page size', '3 MiB');
  await fill('Huge pages', 'Usage limit', '4 MiB');
  await page.getByText('This machine has no huge pages of 3145728 bytes').waitFor();
  await fill('Huge pages', 'Page size', '2 MiB');
  await apply();
  assert.deepEqual((await limits()).hugetlb, [
    { pageBytes: 2 * MiB, maxBytes: 4 * MiB, reservedMaxBytes: null },
  ]);
  await card('Huge pages').getByRole('button', { name: 'Remove these limits' }).click();
  await apply();
  assert.equal((await limits()).hugetlb?.[0]?.maxBytes, null);
});

test('the engine warns before a limit goes below what is used, and nothing has changed yet', async () => {
  const { page } = app;
  await fill('Processes and open files', 'Process limit', '4');
  await page.getByRole('alert').getByText('no new one can start until some end').waitFor();
  assert.equal((await limits()).pids, 4096);
  await page.getByRole('button', { name: 'Reset' }).click();
  await page.getByRole('alert').waitFor({ state: 'detached' });
});

test('Enter in a number field does not outrun the warning; a second one applies', async () => {
  const { page } = app;
  const field = card('Processes and open files').getByRole('textbox', { name: 'Process limit' });
  await field.fill('4');
  await field.press('Enter');
  await page.getByRole('alert').getByText('no new one can start until some end').waitFor();
  assert.equal((await limits()).pids, 4096);
  await field.press('Enter');
  await page.getByRole('alert').waitFor({ state: 'detached' });
  assert.equal((await limits()).pids, 4);
  await fill('Processes and open files', 'Process limit', '4096');
  await apply();
});

test('what is no number stays to be put right, and takes no limit away', async () => {
  const { page } = app;
  const before = await limits();
  const pids = card('Processes and open files').getByRole('textbox', { name: 'Process limit' });
  await fill('Processes and open files', 'Open files', '128');
  await pids.fill('many');
  await pids.press('Tab');
  await page.getByText('Not a valid number.').waitFor();
  await page.getByRole('button', { name: 'Apply now' }).click();
  await page.getByRole('alert').getByText('Correct the marked fields first.').waitFor();
  assert.equal(await pids.evaluate((field) => field === document.activeElement), true);
  await page.getByRole('button', { name: 'Limit a device' }).click();
  const rate = page.getByRole('textbox', { name: 'Read rate' });
  await rate.fill('5 MiB');
  await rate.press('Enter');
  await rate.fill('fast');
  await rate.press('Tab');
  assert.equal(await rate.inputValue(), 'fast');
  assert.equal(await page.getByText('Not a valid number.').count(), 2);
  await page.getByRole('button', { name: 'Remove this device’s limit' }).click();
  await pids.press('Escape');
  assert.equal(await pids.inputValue(), String(before.pids));
  assert.deepEqual(await limits(), before);
  await page.getByRole('button', { name: 'Reset' }).click();
});

test('what was moved is still there after another place, and leaves alone what others set', async () => {
  const { page } = app;
  await fill('CPU', 'CPU limit', '0.25');
  await page.getByRole('link', { name: 'Overview' }).click();
  await app.docker('update', '--pids-limit', '777', 'limited');
  await page.getByRole('link', { name: 'Limits' }).click();
  await page.getByText('Not applied yet.').waitFor();
  const pids = card('Processes and open files').getByRole('textbox', { name: 'Process limit' });
  await eventually(async () => assert.equal(await pids.inputValue(), '777'));
  await apply();
  const { cpu, pids: set } = await limits();
  assert.deepEqual([cpu?.quotaMicros, set], [25_000, 777]);
});

test('a refusal is told once, beside the button, and what was set stays', async () => {
  const { page } = app;
  const pin = page.getByRole('textbox', { name: 'Pin to CPUs' });
  await pin.fill('999');
  const refusal = page.getByRole('alert');
  await refusal.waitFor();
  await page.getByRole('button', { name: 'Apply now' }).click();
  await eventually(async () => assert.equal(await page.getByText('Applying…').count(), 0));
  assert.equal(await refusal.count(), 1);
  const [box, height] = [await refusal.boundingBox(), page.viewportSize()?.height ?? 0];
  assert.ok(box && box.y > height / 2 && box.y + box.height <= height, JSON.stringify(box));
  assert.equal(await pin.inputValue(), '999');
  await page.getByRole('button', { name: 'Reset' }).click();
  await refusal.waitFor({ state: 'detached' });
});

test('whatever the keyboard comes to is in sight, above the bar with the buttons', async () => {
  const { page } = app;
  await page.getByRole('link', { name: 'Limits' }).focus();
  for (let step = 0; step < 30; step++) {
    await page.keyboard.press('Tab');
    const covered = await page.evaluate(() => {
      const box = document.activeElement?.getBoundingClientRect();
      const bar = document.querySelector('.limits-actions');
      if (!box || !bar || bar.contains(document.activeElement)) return '';
      const isCovered = box.bottom > bar.getBoundingClientRect().top;
      return isCovered ? (document.activeElement?.outerHTML ?? '') : '';
    });
    assert.equal(covered, '');
  }
});

test('each is taken away by its own button', async () => {
  for (const place of ['Network speed', 'Log'])
    for (let left = 2; left > 0; left--)
      await card(place).getByRole('button', { name: 'Remove the limit' }).first().click();
  await apply();
  const { network, log } = await limits();
  assert.deepEqual(network, { egressBytesPerSecond: null, ingressBytesPerSecond: null });
  assert.deepEqual(log, { maxBytes: null, maxFiles: null });
});

test('the page had nothing to complain about', () => assertNoComplaints(app));
