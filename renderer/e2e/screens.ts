/**
 * Takes the pictures of docs/screens (`scripts/screens`): a machine with a few containers and volumes, each place of the
 * interface in light and in dark.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type App, eventually, startApp, starterImage } from './app.ts';

/** Curves begin when their page is opened: those of a container show a minute, those of the list half of one. */
const containerCurveMs = 70_000;
const listCurveMs = 35_000;
const MiB = 1024 ** 2;

const directory = process.argv[2] ?? 'docs/screens';
const app = await startApp();
try {
  await fillMachine(app);
  await takeAll(app);
} finally {
  await app.close();
}

async function fillMachine({ docker }: App): Promise<void> {
  await docker('volume', 'create', '-o', 'size=64m', 'uploads');
  await docker('volume', 'create', '-o', 'size=256m', 'database');
  await docker('volume', 'create', 'cache-data');
  const requests =
    'head -c 66000000 /dev/zero >/uploads/all; i=0; while :; do i=$((i+1)); echo "GET /page/$i 200 $((i % 60 + 12)) ms"; ' +
    '[ $((i % 7)) = 0 ] && echo "slow answer: /page/$i took $((i % 90 + 200)) ms" >&2; sleep 0.05; done';
  await start('web', requests, [
    ...['-p', '8080:80', '-m', '256m', '--cpus', '0.5', '-v', 'uploads:/uploads'],
    ...['-e', 'LOG_LEVEL=info'],
  ]);
  // What nobody reads yet stays in the memory of tail.
  const hold = `head -c ${40 * MiB} /dev/zero | tail -c ${40 * MiB} | sleep 10000`;
  await start('cache', hold, ['-m', '128m', '-v', 'cache-data:/data']);
  await start('report', 'sleep 10000', ['-m', '32m', '--cap-add', 'NET_ADMIN']);
  await start('broken', 'echo "no configuration" >&2; exit 3', []);
  const shop = ['-m', '96m', '--label', 'com.docker.compose.project=shop'];
  await start('shop-api-1', 'sleep 10000', shop);
  await start('shop-db-1', 'sleep 10000', [...shop, '-v', 'database:/var/lib/database']);
  await start('shop-queue-1', 'sleep 10000', shop);
  await docker('pause', 'shop-queue-1');
  // The shell that is refused a process ends, and another works on.
  const forks = '(for i in $(seq 40); do sleep 10000 & done) 2>/dev/null; while :; do :; done';
  await start('worker', forks, [...['-m', '64m', '--cpus', '0.2', '--pids-limit', '30']]);

  async function start(name: string, script: string, options: readonly string[]): Promise<void> {
    await docker('run', '-d', '--name', name, ...options, starterImage, 'sh', '-c', script);
  }
}

async function takeAll({ page, go, docker }: App): Promise<void> {
  const main = page.getByRole('main');
  const show = async (name: string, view: string) => {
    const id = await docker('inspect', '-f', '{{.Id}}', name);
    await go(`/containers/${id.slice(0, 12)}${view}`);
  };
  const fill = async (field: string, value: string) => {
    const box = main.getByRole('textbox', { name: field, exact: true });
    await box.fill(value);
    await box.blur();
  };

  await show('worker', '');
  await main.getByText('Last hour').waitFor();
  await sleep(containerCurveMs);
  await take('overview');

  await go('/');
  await main.getByText('shop-api-1').waitFor();
  await sleep(listCurveMs);
  await take('containers');
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('web');
  await page.getByText('Limits of web').waitFor();
  await take('palette');
  await page.keyboard.press('Escape');

  await go('/volumes');
  await main.getByText('of 64 MiB').waitFor();
  await take('volumes');

  await go('/machine/userspace');
  await main.getByRole('link', { name: /^worker/ }).waitFor();
  await take('userspace');

  await show('report', '/isolation');
  await main.getByRole('region', { name: 'Namespaces', exact: true }).waitFor();
  await take('isolation');

  await show('web', '/logs');
  await main.getByText('slow answer').first().waitFor();
  await take('logs');

  await show('web', '/terminal');
  await main.getByText('Shell 1').waitFor();
  await eventually(async () => {
    if (!/root@/.test((await page.locator('.xterm-rows').textContent()) ?? ''))
      throw new Error('The shell has not asked yet.');
  });
  await page.keyboard.type('head -3 /etc/os-release; id; ls /\n');
  await page.locator('.xterm-rows').getByText('uploads').last().waitFor();
  await take('terminal');

  await show('cache', '/limits');
  await fill('CPU limit', '0.5');
  await fill('Memory limit', '42');
  await main.getByText('Not applied yet.').waitFor();
  await take('limits');

  await go('/new');
  await main.getByRole('combobox', { name: 'Image' }).fill(starterImage);
  await main.getByRole('combobox', { name: 'Image' }).blur();
  await fill('Name', 'api');
  await fill('CPU limit', '0.5');
  await fill('Memory limit', '256');
  await take('new-container');

  /** In both themes; with the pointer away, and once fades and the newest figures are there. */
  async function take(name: string): Promise<void> {
    await page.mouse.move(700, 4);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await sleep(1_500);
      await page.screenshot({ path: join(directory, `${name}-${colorScheme}.png`) });
    }
    await page.emulateMedia({ colorScheme: 'light' });
  }
}
