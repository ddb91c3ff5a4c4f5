/** The app of an ordinary user, from `scripts/start` to a container that answers. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asUser, makeUserDirectory } from '../../agent/e2e/ordinary-user.ts';
import { type App, assertNoComplaints, startApp, starterImage } from './app.ts';

let app: App;
before(async () => {
  const directory = makeUserDirectory();
  const command = [
    ...asUser(directory, { checkout: true }),
    join(directory, 'checkout/scripts/start'),
  ];
  app = await startApp({ directory, command });
});
after(() => app?.close());

test('containers run, and the machine’s page says what is missing and how to get it', async () => {
  const { page } = app;
  const words = ['run', '--rm', starterImage, 'cat', '/proc/self/uid_map'];
  assert.match(await app.docker(...words), /^\s*0\s+4242\s+1/);
  await app.go('/machine');
  const lacks = page.getByRole('region', { name: 'Not available on this machine' });
  await lacks.getByText('The engine runs without root.').waitFor();
  await lacks.getByText('Disk limits').waitFor();
  await lacks.getByText('Without root there are neither loop devices nor quotas').waitFor();
  await lacks.getByText('sudo scripts/agent').first().waitFor();
  assertNoComplaints(app);
});
