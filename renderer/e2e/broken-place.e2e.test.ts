/** A part of the page that cannot be loaded leaves the rest of the window as it is. */
import { after, before, test } from 'node:test';
import { type App, startApp, starterImage } from './app.ts';

let app: App;
before(async () => {
  app = await startApp();
});
after(() => app?.close());

test('a place that fails says so, the others go on, and a new load brings it back', async () => {
  const { page, context } = app;
  await app.docker('run', '-d', '--init', '--name', 'web', starterImage, 'sleep', '1000');
  await context.route(/\/assets\/view-.*\.js/, (route) => route.abort());
  await app.go('/containers/web/terminal');
  const broken = page
    .getByRole('alert')
    .getByRole('heading', { name: 'This part of the window failed' });
  await broken.waitFor();
  await page.getByRole('link', { name: 'Containers' }).click();
  await page.getByRole('link', { name: 'web', exact: true }).waitFor();
  await broken.waitFor({ state: 'detached' });
  await context.unroute(/\/assets\/view-.*\.js/);
  await app.go('/containers/web/terminal');
  await page.getByRole('button', { name: 'Reload the window' }).click();
  await page.getByRole('tabpanel', { name: /^Terminal in / }).waitFor();
});
