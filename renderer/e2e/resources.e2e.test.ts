/**
 * A machine in a virtual machine: what it may use, what it does use, its pause and a stop that hangs, by
 * clicking. The app is whole but for QEMU, in whose place a stand-in is found in PATH.
 */
import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { AxeResults } from 'axe-core';
import { until } from '../../agent/e2e/until.ts';
import { installFakeQemu, writeImage } from '../../electron/host/qemu/testdata/stand-in.ts';
import { type App, assertNoComplaints, startApp } from './app.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-res-'));
const machine = join(directory, 'root', 'machines', 'local');
const machineFile = join(machine, 'machine.json');
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let app: App;

const settings = {
  cpus: 1,
  memoryBytes: GiB,
  diskBytes: 8 * GiB,
  pauseAfterMs: null,
  pauseOnBatteryAfterMs: null,
};

before(async () => {
  const images = join(directory, 'images');
  writeImage(join(images, process.arch === 'arm64' ? 'arm64' : 'amd64'), 'one');
  installFakeQemu(join(directory, 'bin'));
  mkdirSync(machine, { recursive: true });
  writeFileSync(machineFile, JSON.stringify({ version: 1, settings, images: {} }));
  // The stand-in mounts nothing.
  mkdirSync(join(directory, 'root', 'app'));
  writeFileSync(join(directory, 'root', 'app', 'folders.json'), '{"folders":[]}');
  // It will not hear its power button.
  writeFileSync(join(machine, 'behaviour.json'), '{"deaf":true}');
  app = await startApp({
    directory,
    socketName: 'local.sock',
    command: [process.execPath, join(import.meta.dirname, 'testdata', 'qemu-app.ts'), images],
    environment: {
      PATH: [join(directory, 'bin'), process.env.PATH].join(delimiter),
      DOCKER_CONFIG: join(directory, 'docker'),
    },
  });
});
after(async () => {
  await app?.close();
  rmSync(directory, { recursive: true, force: true });
});

const card = () => app.page.getByRole('region', { name: 'Resources' });
const button = (name: string) => app.page.getByRole('button', { name, exact: true });
const saved = () => JSON.parse(readFileSync(machineFile, 'utf8')).settings;
const shoot = async (name: string) => {
  const shots = process.env.CORTEN_SHOTS;
  if (shots) await app.page.screenshot({ path: join(shots, `${name}.png`) });
};

test('what may be set, and what is used, are seen', async () => {
  await app.go('/machine');
  await card().getByLabel('Memory', { exact: true }).first().waitFor();
  assert.equal(await card().locator('input').nth(1).inputValue(), '1');
  await card().getByText('Saved for a fast start').waitFor({ state: 'detached' });
  await card()
    .getByText(/of 8 GiB/)
    .waitFor();
  await card().getByText('1.2 KiB').waitFor();
  await shoot('resources');
});

test('the kind of a new machine is chosen with the pointer, over the dialog', async () => {
  const { page } = app;
  await page.getByRole('button', { name: 'Add a machine' }).click();
  await page.getByRole('combobox', { name: 'Kind' }).click();
  await page.getByRole('option', { name: 'Another computer, over SSH' }).click();
  await page.getByLabel('Host').fill('server');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

test('a note of the last start has room in its stage, whatever it says', async () => {
  const stages = app.page.getByRole('region', { name: 'Last start' }).getByRole('listitem');
  await stages.first().getByText('It runs without acceleration').waitFor();
  const boxes = await stages.evaluateAll((items) =>
    items.map((item) => [item.scrollHeight, item.clientHeight]),
  );
  for (const [needed = 0, given = 0] of boxes) assert.ok(needed <= given, JSON.stringify(boxes));
});

test('containers get the proxies of this computer when that is chosen', async () => {
  const choice = card().getByRole('checkbox', { name: /proxies/ });
  assert.equal(await choice.isChecked(), false);
  await choice.click();
  await card().getByText('New containers get this computer’s proxies: at once.').waitFor();
  await shoot('proxies');
  await button('Apply').click();
  await button('Apply').and(app.page.locator(':disabled')).waitFor();
  assert.equal(await choice.isChecked(), true);
  assert.equal(saved().proxiesInContainers, true);
});

test('what cannot be is not applied; what can be says when it counts', async () => {
  const memory = card().getByRole('textbox', { name: 'Memory' });
  await memory.fill(String(Math.ceil(totalmem() / GiB) + 1));
  await memory.press('Tab');
  await card()
    .getByText(/^From 512 MiB to/)
    .waitFor();
  assert.equal(await button('Apply').isDisabled(), true);
  await memory.fill('768m');
  await memory.press('Tab');
  const disk = card().getByRole('textbox', { name: 'Disk' });
  await disk.fill('16');
  await disk.press('Tab');
  await app.page.getByRole('combobox', { name: 'Pause when idle for' }).click();
  await app.page.getByRole('option', { name: '5 minutes', exact: true }).click();
  await card().getByText('Memory: after the next start; until then as it was.').waitFor();
  await card().getByText('Disk: at once.').waitFor();
  await shoot('plan');
  await button('Apply').click();
  await card().getByText('Applies after the next start: Memory.').waitFor();
  await card()
    .getByText(/of 16 GiB/)
    .waitFor();
  const { memoryBytes, diskBytes, pauseAfterMs } = saved();
  assert.deepEqual([memoryBytes, diskBytes, pauseAfterMs], [768 * MiB, 16 * GiB, 300_000]);
  await shoot('waiting');
  // The other scheme's colours are looked at in accessibility.e2e.test.ts.
  await app.page.emulateMedia({ colorScheme: 'dark' });
  await app.page.evaluate(axe);
  const { violations } = await app.page.evaluate<AxeResults>('axe.run()');
  assert.deepEqual(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
    [],
  );
  await app.page.emulateMedia({ colorScheme: 'light' });
});

test('compacting says what it freed', async () => {
  const file = openSync(join(machine, 'data.raw'), 'r+');
  writeSync(file, Buffer.alloc(8 * MiB, 1));
  closeSync(file);
  await button('Compact the disk').click();
  await card().getByText('8 MiB freed.').waitFor();
});

test('a stop that hangs is forced, and the next start has what was set', async () => {
  // As another hand would: the page offers no such short time.
  pauseAfter(1_500);
  await button('Restart now').click();
  await app.page.getByRole('alertdialog').getByRole('button', { name: 'Restart now' }).click();
  await button('Stopping…').waitFor();
  await button('Stop by force').waitFor();
  await shoot('hangs');
  // The next one hears its power button.
  writeFileSync(join(machine, 'behaviour.json'), '{}');
  await button('Stop by force').click();
  await app.page.getByRole('alertdialog').getByRole('button', { name: 'Stop by force' }).click();
  await card().getByText('Applies after the next start: Memory.').waitFor({ state: 'detached' });
  await card()
    .getByText(/of 16 GiB/)
    .waitFor();
  const started = () =>
    readFileSync(join(machine, 'asked.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"started"'));
  // What is shown of the settings is right from the stop on, while the second start takes its time.
  await until(() => started().length >= 2);
  assert.match(started()[1] ?? '', /"768M?/);
});

test('an idle machine is paused, is shown so, and is resumed by a click', async () => {
  await app.page.getByText('Paused: nothing runs in it until it is used.').waitFor();
  await app.page
    .getByRole('region', { name: 'Machines' })
    .getByRole('link', { name: 'Engine paused' })
    .waitFor();
  await shoot('paused');
  pauseAfter(null);
  await button('Resume').click();
  await button('Resume').waitFor({ state: 'detached' });
  await app.page
    .getByRole('region', { name: 'Machines' })
    .getByRole('link', { name: 'Engine running' })
    .waitFor();
  assertNoComplaints(app);
});

test('a start is cancelled at once, and its steps are named', async () => {
  const { page } = app;
  writeFileSync(
    join(machine, 'behaviour.json'),
    JSON.stringify({ console: ['corten: stage data-disk-repair 1.2'] }),
  );
  rmSync(join(machine, 'memory.snapshot'), { force: true });
  const actions = page.getByRole('button', { name: 'Actions for This computer' });
  await actions.click();
  await page.getByRole('menuitem', { name: 'Stop', exact: true }).click();
  await page.getByText('All containers stop with it.').waitFor();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Stop the machine' }).click();
  await page.getByRole('heading', { name: 'This computer is stopped' }).waitFor();
  rmSync(join(machine, 'memory.snapshot'), { force: true });
  await button('Start the machine').click();
  await page.getByRole('heading', { name: 'This computer is starting' }).waitFor();
  const boot = page.getByRole('listitem').filter({ hasText: 'repairs its data disk' });
  await boot.waitFor();
  // It counts, for who comes later, too.
  await boot.getByText(/^\d\.\d s$/).waitFor();
  await page.reload();
  await boot.getByText(/^\d\.\d s$/).waitFor();
  await shoot('starting');
  await button('Cancel the start').click();
  await page.getByRole('heading', { name: 'This computer is stopped' }).waitFor();
  writeFileSync(join(machine, 'behaviour.json'), '{}');
  await button('Start the machine').click();
  await card()
    .getByText(/of 16 GiB/)
    .waitFor();
  await button('Stop the machine').waitFor();
  assertNoComplaints(app);
});

/** As no person would choose it, so that nobody waits. */
function pauseAfter(pauseAfterMs: number | null): void {
  const record = JSON.parse(readFileSync(machineFile, 'utf8'));
  const changed = { ...record, settings: { ...record.settings, pauseAfterMs } };
  // The app reads it all the while, and must never find half of it.
  writeFileSync(`${machineFile}.changed`, JSON.stringify(changed));
  renameSync(`${machineFile}.changed`, machineFile);
}
