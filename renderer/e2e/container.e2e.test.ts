/** One container's whole life by clicking: made with limits, watched, limited anew, removed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
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

const MiB = 1024 ** 2;
const chatter = `i=0; while :; do i=$((i+1)); echo "line $i"; [ $((i % 5)) = 0 ] && printf '\\033[31mred %s\\033[0m\\n' $i >&2; sleep 0.05; done`;

async function view(name: string): Promise<void> {
  await app.page
    .getByRole('navigation', { name: 'Views of this container' })
    .getByRole('link', { name })
    .click();
}

async function hostConfig(): Promise<Record<string, number>> {
  return JSON.parse(await app.docker('inspect', '-f', '{{json .HostConfig}}', 'talker'));
}

test('wrong fields are named, nothing is created, and the form stays', async () => {
  const { page } = app;
  await app.docker('create', '--name', 'taken', starterImage, 'true');
  await app.go('/new');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('taken');
  await page.getByText('taken is taken by another container.').waitFor();
  await page.getByRole('button', { name: 'Create and start' }).click();
  await page.getByText('Choose an image.').waitFor();
  await page.getByRole('combobox', { name: 'Image' }).fill(starterImage);
  await page.getByRole('textbox', { name: 'Memory limit', exact: true }).fill('1');
  await page.getByRole('textbox', { name: 'Memory limit', exact: true }).press('Enter');
  await page.getByText('At least 6 MiB.').waitFor();
  await page.getByRole('button', { name: 'Add port' }).click();
  await page.getByRole('textbox', { name: 'Port in the container' }).fill('99999');
  await page.getByText('A port is a number from 1 to 65535.').waitFor();
  assert.equal((await app.docker('ps', '-aq')).split('\n').length, 1);
  await removeAll(app.docker);
});

test('what the engine refuses is said in its words, and the form stays', async () => {
  const { page } = app;
  await app.go('/');
  await app.go('/new');
  await page.getByRole('combobox', { name: 'Image' }).fill(starterImage);
  await page.getByRole('textbox', { name: 'Command', exact: true }).fill('/no/such/program');
  await page.getByRole('button', { name: 'Create and start' }).click();
  await page.getByText('The container did not start and was removed again.').waitFor();
  await page.getByRole('alert').getByText('/no/such/program').waitFor();
  assert.equal(await page.getByRole('combobox', { name: 'Image' }).inputValue(), starterImage);
  assert.equal(await app.docker('ps', '-aq'), '');
});

test('a container is made with limits, and the line beside the form says the same', async () => {
  const { page } = app;
  await app.go('/');
  await app.go('/new');
  await page.getByRole('combobox', { name: 'Image' }).fill(starterImage);
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('talker');
  const command = page.getByRole('textbox', { name: 'Command', exact: true });
  await command.fill(`sh -c '${chatter.replaceAll("'", `'\\''`)}'`);
  for (const [name, value] of [
    ['CPU limit', '0.5'],
    ['Memory limit', '64'],
    ['Process limit', '50'],
  ] as const) {
    await page.getByRole('textbox', { name, exact: true }).fill(value);
    await page.getByRole('textbox', { name, exact: true }).press('Tab');
  }
  await page.getByText('--memory 64m').waitFor();
  await page.getByText('--pids-limit 50').waitFor();
  await page.getByRole('button', { name: 'Create and start' }).click();
  await page.getByRole('heading', { level: 1, name: 'talker' }).waitFor();
  const { NanoCpus, Memory, PidsLimit } = await hostConfig();
  assert.deepEqual([NanoCpus, Memory, PidsLimit], [5e8, 64 * MiB, 50]);
});

test('the overview shows live figures against the limits', async () => {
  const { page } = app;
  await page.getByRole('region', { name: 'CPU' }).getByText('limit 0.5 CPUs').waitFor();
  await page.getByRole('region', { name: 'Memory' }).getByText('of 64 MiB').waitFor();
  await page.getByRole('region', { name: 'Processes' }).getByText('of 50').waitFor();
});

test('the overview tells how long it has run, and goes on counting', async () => {
  const { page } = app;
  const facts = page.getByRole('region', { name: 'Container', exact: true });
  const age = () => facts.getByRole('definition').nth(4).textContent();
  await facts.getByText('Running for').waitFor();
  const first = await age();
  assert.match(first ?? '', /^\d+ (s|min)$/);
  await eventually(async () => assert.notEqual(await age(), first));
});

test('the log follows, stops for a reader, finds, and knows stderr', async () => {
  const { page } = app;
  await view('Logs');
  const log = page.getByRole('log', { name: 'Log of talker' });
  // Only what is in sight is drawn, so no line can be waited for by its number.
  const newest = async () =>
    Math.max(
      ...[...((await log.textContent()) ?? '').matchAll(/line (\d+)/g)].map(([, n]) => Number(n)),
    );
  await log
    .getByText(/^line \d+$/)
    .first()
    .waitFor();
  const seen = await newest();
  await eventually(async () => assert.ok((await newest()) > seen + 20));
  await log.getByText('stderr').first().waitFor({ state: 'attached' });
  await page.getByRole('searchbox', { name: 'Search the log' }).fill('RED 5');
  await page.getByRole('searchbox', { name: 'Search the log' }).press('Enter');
  assert.equal(await log.locator('.current mark').textContent(), 'red 5');
  await page
    .getByRole('button', { name: 'Follow' })
    .and(page.locator('[aria-pressed="false"]'))
    .waitFor();
  await page.getByRole('button', { name: 'Jump to the newest' }).click();
  await page
    .getByRole('button', { name: 'Follow' })
    .and(page.locator('[aria-pressed="true"]'))
    .waitFor();
});

test('the terminal draws, resizes, interrupts, and knows wide characters', async () => {
  const { page } = app;
  await view('Terminal');
  const screen = page.locator('.xterm-rows');
  const says = (pattern: RegExp) =>
    eventually(async () => assert.match((await screen.textContent()) ?? '', pattern));
  await says(/root@/);
  await page.keyboard.type('echo 日本 größe; stty size\n');
  await says(/日本 größe\D+(\d+) (\d+)/);
  const before = /größe(\d+) (\d+)/.exec((await screen.textContent()) ?? '');
  await page.setViewportSize({ width: 1000, height: 600 });
  // The shell learns of its new size a moment later: it is asked until it has.
  await eventually(async () => {
    await page.keyboard.type('clear; stty size\n');
    await says(/^(?:root@\S+\s)?\d+ \d+\s*root@\S+\s*$/);
    const now = /(\d+) (\d+)/.exec(((await screen.textContent()) ?? '').replace(/root@\w+/g, ''));
    assert.ok(now && before && Number(now[2]) < Number(before[2]), `${before} -> ${now}`);
  });
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.keyboard.type('sleep 1000\n');
  // Earlier, the shell has not given the terminal over yet, and takes the key for itself.
  await eventually(async () => assert.match(await app.docker('top', 'talker'), /sleep 1000/));
  await page.keyboard.press('Control+c');
  // What is typed before the shell asks again is flushed with the interrupt.
  await says(/sleep 1000\^C\s*root@\S+\s*$/);
  await page.keyboard.type('echo in$((40+2))\n');
  await says(/in42/);
  await page.keyboard.type('exit 3\n');
  await page.getByText('The shell ended with code 3.').waitFor();
  await page.getByRole('button', { name: 'New shell here' }).click();
  await page.getByText('The shell ended with code 3.').waitFor({ state: 'detached' });
});

test('limits change while it runs, go away, and come back by undo', async () => {
  const { page } = app;
  await view('Limits');
  const memory = page.getByRole('textbox', { name: 'Memory limit', exact: true });
  await memory.waitFor();
  assert.equal(await memory.inputValue(), '64');
  const started = await app.docker('inspect', '-f', '{{.State.StartedAt}}', 'talker');
  await memory.fill('96');
  await memory.press('Tab');
  await page.getByRole('slider', { name: 'CPU limit' }).focus();
  await page.keyboard.press('Home');
  await page.getByRole('button', { name: 'Apply now' }).click();
  // Under the pointer it stays until its undo is wanted, however long what is between takes.
  await page.getByText('Changed the limits of talker').hover();
  let host = await hostConfig();
  assert.equal(host.Memory, 96 * MiB);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('The limits of talker are as before').waitFor();
  host = await hostConfig();
  assert.equal(host.Memory, 64 * MiB);
  const card = page.getByRole('region', { name: 'Processes' });
  await card.getByRole('button', { name: 'Remove the limit' }).click();
  await page.getByRole('button', { name: 'Apply now' }).click();
  await eventually(async () => assert.ok(!((await hostConfig()).PidsLimit! > 0)));
  assert.equal(await app.docker('inspect', '-f', '{{.State.StartedAt}}', 'talker'), started);
});

test('it is renamed with undo, stopped, started, and removed', async () => {
  const { page } = app;
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('textbox', { name: 'New name' }).fill('speaker');
  await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('heading', { level: 1, name: 'speaker' }).waitFor();
  await page.getByRole('button', { name: 'Kill', exact: true }).click();
  await page.getByText('Exited (137)').waitFor();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.getByRole('main').getByText('Running', { exact: true }).first().waitFor();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('button', { name: 'Remove speaker' }).click();
  await page.getByRole('heading', { name: 'This container is gone' }).waitFor();
  assert.equal(await app.docker('ps', '-aq'), '');
});

test('the page had nothing to complain about', () => assertNoComplaints(app));
