/** A container that its limits hold back: the hour on its overview, and another limit in one click. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type App, assertNoComplaints, eventually, startApp, starterImage } from './app.ts';

let app: App;
let id: string;
before(async () => {
  app = await startApp();
  // The page shows its places while the engine still starts.
  await eventually(() => app.docker('version'));
  // One process is refused again and again, and one wants more memory than there is.
  const line =
    'sleep 1; dd if=/dev/zero of=/dev/null bs=200M count=1; (b() { b | b & b; }; b) & exec sleep 1000';
  await app.docker(
    ...['run', '-d', '--name', 'pressed', '--network', 'none', '--pids-limit', '30', '-m', '48m'],
    ...[starterImage, 'sh', '-c', line],
  );
  id = (await app.docker('inspect', '-f', '{{.Id}}', 'pressed')).slice(0, 12);
});
after(() => app?.close());

async function pidsLimit(): Promise<number> {
  return Number(await app.docker('inspect', '-f', '{{.HostConfig.PidsLimit}}', 'pressed'));
}

test('the overview shows the last hour, and what the limits did in it', async () => {
  const { page } = app;
  await app.go(`/containers/${id}`);
  const hour = page.getByRole('region', { name: 'Last hour' });
  await hour.getByRole('list', { name: 'Limit events' }).waitFor();
  await hour.getByText('the process limit was reached').waitFor();
  await hour
    .getByRole('img', { name: /^Processes over the last hour: peak .* refused\.$/ })
    .waitFor();
  await hour.getByRole('img', { name: /^CPU over the last hour: peak/ }).waitFor();
  await hour.getByText(/^OOM killed: (dd|a process)/).waitFor();
  await hour.getByRole('img', { name: /^Memory over the last hour: .* 1 OOM kill\.$/ }).waitFor();
});

test('the suggested limit is set in one click, and undone in another', async () => {
  const { page } = app;
  await app.go(`/containers/${id}/limits`);
  const card = page.getByRole('region', { name: 'Processes' });
  await card.getByText(/refused in the last hour\.$/).waitFor();
  await page
    .getByRole('region', { name: 'Memory' })
    .getByText('1 process was OOM killed in the last hour.')
    .waitFor();
  await card.getByRole('button', { name: 'Use 60' }).click();
  // Under the pointer it stays until its undo is wanted, however long what is between takes.
  await page.getByText('Changed the limits of pressed').hover();
  assert.equal(await pidsLimit(), 60);
  const field = card.getByRole('textbox', { name: 'Process limit' });
  await eventually(async () => assert.equal(await field.inputValue(), '60'));
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('The limits of pressed are as before').waitFor();
  assert.equal(await pidsLimit(), 30);
});

test('what was seen for too short a time suggests nothing, and says so', async () => {
  const { page } = app;
  await app.docker(
    'run',
    '-d',
    '--name',
    'young',
    '--network',
    'none',
    starterImage,
    'sleep',
    '1000',
  );
  await app.go('/containers/young/limits');
  const card = page.getByRole('region', { name: 'CPU' });
  await card.getByText(/^A limit is suggested after 5 min of use/).waitFor();
  assert.equal(await card.getByRole('button', { name: /^Use / }).count(), 0);
});

test('the page had nothing to complain about', () => assertNoComplaints(app));
