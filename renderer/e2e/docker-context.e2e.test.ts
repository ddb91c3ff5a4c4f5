/** The docker CLI's context, set up and removed on the Machine page, as the real CLI sees it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type App, assertNoComplaints, startApp } from './app.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-context-'));
const environment = {
  DOCKER_CONFIG: join(directory, 'docker'),
  DOCKER_HOST: '',
  DOCKER_CONTEXT: '',
};
let app: App;
before(async () => {
  app = await startApp({ environment });
});
after(async () => {
  await app?.close();
  rmSync(directory, { recursive: true });
});

test('set up, used by a bare docker, and removed again', async () => {
  const { page } = app;
  await app.go('/machine');
  const card = page.getByRole('region', { name: 'Docker command line' });
  const press = (name: string) => card.getByRole('button', { name, exact: true }).click();
  await card.getByText('not set up').waitFor();
  await card.getByText(`unix://${app.socket}`).waitFor();
  await press('Set up');
  await card.getByText('set up', { exact: true }).waitFor();
  assert.equal(await docker('context', 'show'), 'default');
  assert.match(
    await docker('--context', 'corten', 'version', '-f', '{{.Server.Platform.Name}}'),
    /Corten/,
  );
  await press('Use for “docker”');
  await card.getByText('set up, and what “docker” uses').waitFor();
  assert.equal(await docker('context', 'show'), 'corten');
  assert.equal(await docker('ps', '-q'), '');
  await press('Remove');
  await card.getByText('not set up').waitFor();
  assert.equal(await docker('context', 'show'), 'default');
  assertNoComplaints(app);
});

test('a folder is shared, refused with the reason, and taken away', async () => {
  const { page } = app;
  await app.go('/machine');
  const card = page.getByRole('region', { name: 'Folders' });
  const list = card.getByRole('list', { name: 'Shared folders' });
  await list.getByText(homedir(), { exact: true }).waitFor();
  const share = async (path: string) => {
    await card.getByLabel('Path of a folder').fill(path);
    await card.getByRole('button', { name: 'Share', exact: true }).click();
  };
  await share(join(directory, 'none'));
  await card.getByText('there is no such folder').waitFor();
  await card.getByText('Read-only').click();
  await share(directory);
  await list.getByText(realpathSync(directory), { exact: true }).waitFor();
  await list.getByText('read-only').waitFor();
  await list.getByRole('button', { name: `Stop sharing ${homedir()}` }).click();
  await list.getByText(homedir(), { exact: true }).waitFor({ state: 'detached' });
  assertNoComplaints(app);
});

async function docker(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', words, {
    env: { ...process.env, ...environment },
  });
  return stdout.trim();
}
