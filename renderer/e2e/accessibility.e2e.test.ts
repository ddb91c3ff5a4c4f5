/** axe looks at every place, in light and in dark. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { AxeResults } from 'axe-core';
import { type App, startApp, starterImage } from './app.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

for (const colorScheme of ['light', 'dark'] as const)
  test(`axe finds nothing in any place, ${colorScheme}`, async () => {
    const app = await startApp({ colorScheme });
    try {
      await look(app, '/', 'Run your first container');
      const options = ['-e', 'TOKEN=x', '-m', '64m', '-p', '127.0.0.1::80'];
      await app.docker('run', '-dit', '--name', 'web', ...options, starterImage);
      await app.docker('create', '--name', 'other', starterImage, 'true');
      const id = (await app.docker('inspect', '-f', '{{.Id}}', 'web')).slice(0, 12);
      await look(app, '/', '2 containers');
      await look(app, '/new', 'Create and start');
      await look(app, '/images', starterImage);
      await look(app, '/volumes', 'No volumes');
      await app.docker('volume', 'create', '-o', 'size=64m', 'box');
      await look(app, '/volumes', 'of 64 MiB');
      await app.page.getByRole('button', { name: 'Size of box' }).click();
      await look(app, '/volumes', 'It applies at once');
      await app.page.keyboard.press('Escape');
      await app.docker('volume', 'rm', 'box');
      await look(app, '/activity', 'create');
      await look(app, '/machine', 'Last start');
      await look(app, '/machine/userspace', 'The machine itself');
      await app.page.getByRole('radio', { name: 'Table' }).check({ force: true });
      await look(app, '/machine/userspace', 'Parent');
      await look(app, `/containers/${id}`, 'Environment');
      await look(app, `/containers/${id}`, 'Last hour');
      await look(app, `/containers/${id}/terminal`, 'Shell 1');
      await look(app, `/containers/${id}/logs`, 'Follow');
      await look(app, `/containers/${id}/limits`, 'Apply now');
      await look(app, `/containers/${id}/limits`, 'A limit is suggested after');
      await look(app, `/containers/${id}/isolation`, 'For each process.');
      for (const more of await app.page.locator('summary').all()) await more.click();
      await look(app, `/containers/${id}/isolation`, 'It cannot load code into the kernel.');
      await look(app, `/containers/${id}/inspect`, 'HostConfig');
      await app.page.getByRole('button', { name: 'Remove', exact: true }).click();
      await look(app, `/containers/${id}/inspect`, 'It is running and will be killed.');
      await app.page.keyboard.press('Escape');
      await app.page.keyboard.press('Control+k');
      await look(app, `/containers/${id}/inspect`, 'Keyboard shortcuts');
    } finally {
      await app.close();
    }
  });

async function look(app: App, place: string, text: string): Promise<void> {
  await app.go(place);
  await app.page.getByText(text).first().waitFor();
  // The page's own policy lets no script in by a tag; the debugger's evaluate is let in.
  await app.page.evaluate(axe);
  const { violations } = await app.page.evaluate<AxeResults>('axe.run()');
  assert.deepEqual(
    violations.map(
      ({ id, nodes }) => `${place}: ${id}: ${nodes.map(({ html }) => html).join(' ')}`,
    ),
    [],
  );
}
