/** Another computer beside this one: added, used, switched to and from, and removed by clicking. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type RemoteHost,
  startRemoteHost,
} from '../../electron/host/remote-host/testdata/remote-host.ts';
import {
  type App,
  assertNoComplaints,
  eventually,
  startApp,
  starterImage,
  timeoutMs,
} from './app.ts';

let app: App;
let host: RemoteHost;
let clean: string[];

before(async () => {
  // Made before anybody waits for it; it is there already when the remote tests ran.
  execFileSync(resolve(import.meta.dirname, '../../scripts/remote-bundle'));
  host = await startRemoteHost({ ownNetwork: true });
  clean = host.files();
  app = await startApp();
});
after(async () => {
  await app?.close();
  await host?.stop();
});

const machines = () => app.page.getByRole('region', { name: 'Machines' });
const row = (name: string) => machines().getByRole('link', { name });

test('a machine is added in one dialog, its key confirmed, and its start seen', async () => {
  const { page, docker } = app;
  await docker('run', '-dit', '--name', 'here', starterImage);
  await page.getByText('here', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Add a machine' }).click();
  await page.getByRole('button', { name: 'Add and connect' }).click();
  await page.getByText('Enter a host.').waitFor();
  await page.getByLabel('Host').fill(`root@${host.address}:${host.port}`);
  await page.getByLabel('Key file').fill(`${host.home}/.ssh/id_ed25519`);
  await page.getByLabel('Name').fill('Server');
  await page.getByRole('button', { name: 'Add and connect' }).click();
  await page.getByRole('heading', { name: `Is this ${host.address}?` }).waitFor();
  await page.getByText(/SHA256:/).waitFor();
  await page.getByRole('button', { name: 'Yes, connect' }).click();
  // 48 MB are sent, unpacked and started meanwhile.
  await page.getByText('Run your first container').waitFor({ timeout: 3 * timeoutMs });
  assert.match(page.url(), /#\/m\/[0-9a-f]+/);
  assert.equal(await page.getByText('here', { exact: true }).count(), 0);
});

test('containers and terminals are that machine’s', async () => {
  const { page } = app;
  await page.getByRole('button', { name: /Run/ }).first().click();
  const screen = page.locator('.xterm-rows');
  await eventually(async () => assert.match((await screen.textContent()) ?? '', /#/));
  await page.keyboard.type('echo there $((40+2))\n');
  await eventually(async () => assert.match((await screen.textContent()) ?? '', /there 42/));
  assert.equal(await app.docker('ps', '-q', '-f', 'name=here').then((ids) => ids !== ''), true);
  assert.equal((await app.docker('ps', '-aq')).split('\n').length, 1);
});

test('going from one to the other mixes nothing, and an address keeps its machine', async () => {
  const { page } = app;
  const there = page.url();
  for (let turn = 0; turn < 3; turn++) {
    await row('This computer').click();
    await page.getByText('here', { exact: true }).waitFor();
    await page.getByText('1 running of 1 container').waitFor();
    await row('Server').click();
    // The other one says the same: its page goes first.
    await page.getByText('here', { exact: true }).waitFor({ state: 'detached' });
    await page.getByText('1 running of 1 container').waitFor();
    assert.equal(await page.getByText('here', { exact: true }).count(), 0);
  }
  await page.goto(there);
  await page.reload();
  await page.locator('.xterm-rows').waitFor();
  assert.equal(page.url(), there);
});

test('what was moved on a Limits page and not applied is there after a look at the other', async () => {
  const { page } = app;
  const there = page.url();
  await row('This computer').click();
  await app.go('/containers/here/limits');
  const cpus = page
    .getByRole('region', { name: 'CPU', exact: true })
    .getByRole('textbox', { name: 'CPU limit', exact: true });
  await cpus.fill('0.25');
  await cpus.press('Tab');
  await page.getByText('Not applied yet.').waitFor();
  await row('Server').click();
  await page.getByText('1 running of 1 container').waitFor();
  await row('This computer').click();
  await app.go('/containers/here/limits');
  await page.getByText('Not applied yet.').waitFor();
  assert.equal(await cpus.inputValue(), '0.25');
  await page.getByRole('button', { name: 'Reset' }).click();
  await page.goto(there);
});

test('its ports are on this computer and the folders there for as long as that is chosen', async () => {
  const { page } = app;
  const [, id = ''] = /#\/m\/([0-9a-f]+)/.exec(page.url()) ?? [];
  const there = (...words: string[]) =>
    execFileSync('docker', ['-H', `unix://${join(dirname(app.socket), `${id}.sock`)}`, ...words], {
      encoding: 'utf8',
    });
  const serve = ['nc', '-ll', '-p', '80', '-e', 'cat'];
  there('run', '-d', '--name', 'web', '-p', '80', starterImage, ...serve);
  const [, hostPort = ''] = /:(\d+)\n/.exec(there('port', 'web', '80')) ?? [];
  await eventually(() => connects(hostPort));
  await app.go(`/m/${id}/machine`);
  const card = page.getByRole('region', { name: 'Sharing with this computer' });
  const folders = page.getByRole('region', { name: 'Folders' });
  const ports = card.getByRole('checkbox', { name: /^Published ports/ });
  await ports.click();
  await eventually(() => assert.rejects(connects(hostPort), { code: 'ECONNREFUSED' }));
  await ports.click();
  await eventually(() => connects(hostPort));
  assert.equal(await folders.count(), 0);
  const foldersThere = card.getByRole('checkbox', { name: /shared folders/ });
  await foldersThere.click();
  await folders.getByText(/docker run -v \/run\/corten\/computers\//).waitFor();
  await foldersThere.click();
  await folders.waitFor({ state: 'detached' });
  there('rm', '-f', 'web');
  await app.go(`/m/${id}`);
});

test('diagnostics list what is inside, and are saved as just that', async () => {
  const { page } = app;
  await machines().getByRole('button', { name: 'Actions for Server' }).click();
  await page.getByRole('menuitem', { name: 'Save diagnostics…' }).click();
  for (const name of ['machine.json', 'engine-info.json', 'containers.json', 'agent.log'])
    await page.getByText(name, { exact: true }).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save', exact: true }).click(),
  ]);
  assert.match(download.suggestedFilename(), /^corten-diagnostics-.*\.tar\.gz$/);
});

test('disconnecting one leaves the other; connecting again asks nothing', async () => {
  const { page } = app;
  await machines().getByRole('button', { name: 'Actions for Server' }).click();
  await page.getByRole('menuitem', { name: 'Disconnect' }).click();
  await page.getByRole('heading', { name: 'Server is not connected' }).waitFor();
  await row('This computer').click();
  await page.getByText('here', { exact: true }).waitFor();
  await row('Server').click();
  await page.getByRole('button', { name: 'Connect' }).click();
  await page.getByText('1 running of 1 container').waitFor();
});

test('its address is changed from the menu, and where a wrong one fails', async () => {
  const { page } = app;
  await machines().getByRole('button', { name: 'Actions for Server' }).click();
  await page.getByRole('menuitem', { name: 'Address…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Address of Server' });
  assert.equal(await dialog.getByLabel('Host').inputValue(), host.address);
  assert.equal(await dialog.getByLabel('User').inputValue(), 'root');
  await dialog.getByText(/^It is disconnected/).waitFor();
  await dialog.getByLabel('Port').fill('70000');
  await dialog.getByRole('button', { name: 'Save and connect' }).click();
  await dialog.getByText('A number from 1 to 65535.').waitFor();
  await dialog.getByLabel('Port').fill('1');
  await dialog.getByRole('button', { name: 'Save and connect' }).click();
  await page.getByRole('heading', { name: 'Server did not start' }).waitFor();
  await page.getByRole('button', { name: 'Change the address' }).click();
  assert.equal(await dialog.getByLabel('Port').inputValue(), '1');
  await dialog.getByLabel('Port').fill(String(host.port));
  await dialog.getByRole('button', { name: 'Save and connect' }).click();
  await page.getByText('1 running of 1 container').waitFor();
});

test('removing says what would go, and leaves the host as it was', async () => {
  const { page } = app;
  await machines().getByRole('button', { name: 'Actions for Server' }).click();
  await page.getByRole('menuitem', { name: 'Remove…' }).click();
  await page.getByText('/opt/corten').waitFor();
  await page.getByText('1 container is running and will be stopped.').waitFor();
  await page.getByText('Remove images, containers and volumes too').click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('Server was removed.').waitFor();
  await page.getByText('here', { exact: true }).waitFor();
  await row('Server').waitFor({ state: 'detached' });
  assert.deepEqual(host.files(), clean);
});

test('nothing was complained about', () => assertNoComplaints(app));

async function connects(port: string): Promise<void> {
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
}
