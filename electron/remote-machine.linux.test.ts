/**
 * A remote machine as the app makes it, on a host with a network of its own: its socket, context and
 * ports on this computer, and this computer's folders there. The real sshd, bundle, engine and docker.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../agent/e2e/until.ts';
import { freePort } from '../agent/network/testdata/free-port.ts';
import type { ForwardedPort } from './contract/forward.ts';
import { createMachines, type MachineList } from './host/machine-list/machines.ts';
import { say } from './host/port-forwarding/testdata/ports.ts';
import { type RemoteHost, startRemoteHost } from './host/remote-host/testdata/remote-host.ts';
import { openFolderList } from './host/shared-folders/folder-list.ts';
import { createFolderSharing } from './host/shared-folders/share-folders.ts';
import { machinesOptions } from './machine-factories.ts';
import { pathsIn } from './paths.ts';

const image = 'corten/starter';
const paths = pathsIn(resolve(import.meta.dirname, '..'));
const directory = mkdtempSync(join(tmpdir(), 'corten-here-'));
const shared = join(directory, 'shared');
const runDirectory = join(directory, 'run');
process.env.DOCKER_CONFIG = join(directory, 'docker');
let host: RemoteHost;
let clean: string[];
let machines: MachineList;
let id: string;
let ports: ForwardedPort[] = [];
const over = new AbortController();

before(async () => {
  execFileSync(paths.bundleCommand[0] ?? '', { stdio: ['ignore', 'ignore', 'inherit'] });
  host = await startRemoteHost({ ownNetwork: true });
  clean = host.files();
  for (const path of [shared, runDirectory]) mkdirSync(path);
  const foldersFile = join(directory, 'folders.json');
  writeFileSync(foldersFile, JSON.stringify({ folders: [{ path: shared, readOnly: false }] }));
  machines = createMachines(
    machinesOptions({
      paths,
      rootDirectory: directory,
      runDirectory,
      machine: 'native',
      sharing: createFolderSharing({ list: openFolderList(foldersFile) }),
    }),
  );
  ({ id } = machines.add({
    name: 'Server',
    kind: 'remote',
    remote: {
      host: host.address,
      port: host.port,
      user: 'root',
      keyFile: join(host.home, '.ssh/id_ed25519'),
    },
  }));
  void (async () => {
    for await (const { question } of machines.get(id).watch(over.signal))
      if (question !== undefined) machines.get(id).answer(question.id, 'yes');
  })();
  void (async () => {
    for await (const now of machines.forwarding(id).watchPorts(over.signal)) ports = now;
  })();
  const state = await machines.start(id);
  assert.equal(state.status, 'running', JSON.stringify(state));
});

after(async () => {
  over.abort();
  await machines?.stopAll();
  await host?.stop();
  rmSync(directory, { recursive: true, force: true });
});

test('a started machine has its socket here, and a context on request', async () => {
  assert.ok(existsSync(join(runDirectory, `${id}.sock`)));
  assert.equal(await docker('ps', '-q'), '');
  const { name } = machines.forwarding(id).context.setUp({ use: true });
  assert.equal(name, `corten-server-${id}`);
  assert.equal(await run('docker', 'context', 'show'), name);
  // Its own clock: the engine there has no such question.
  const { status } = await machines
    .get(id)
    .engine()
    .request({ method: 'POST', path: '/corten/v1/machine/clock', body: '{"timeMs":1}' });
  assert.ok(status === 404 || status === 501, `${status}`);
});

test('a published port is there and on the loopback here, for as long as that is chosen', async () => {
  const hostPort = await freePort();
  const web = await docker(
    ...['run', '-d', '-p', `${hostPort}:80`, image],
    ...['nc', '-ll', '-p', '80', '-e', 'cat'],
  );
  await until(() => ports[0]?.status === 'open');
  for (const address of ['127.0.0.1', '::1', host.address])
    assert.equal(await say(hostPort, 'hello', address), 'hello');
  machines.choose(id, { portsHere: false });
  await until(() => ports.length === 0);
  await assert.rejects(say(hostPort, 'x'), { code: 'ECONNREFUSED' });
  assert.equal(await say(hostPort, 'hello', host.address), 'hello');
  machines.choose(id, { portsHere: true });
  await until(() => ports[0]?.status === 'open');
  assert.equal(await say(hostPort, 'back'), 'back');
  await docker('rm', '-f', web);
});

test('a port that is taken here does not keep a container there from starting', async () => {
  const other = createServer();
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  const { port } = other.address() as { port: number };
  const web = await docker('run', '-d', '-p', `${port}:80`, image, 'sleep', '1000');
  await until(() => ports[0]?.status === 'failed');
  assert.match(ports[0]?.cause ?? '', /\(pid \d+\) has tcp port/);
  other.close();
  await docker('rm', '-f', web);
});

/** Its own alone: what else has folders on this computer is seen there, too. */
function mountsOf(foldersAt: string): string {
  return host.run(`grep fuse /proc/mounts | grep -c ' ${foldersAt}/' || true`);
}

test('a path is the host’s own, and this computer’s folders are beside, when they are asked for', async () => {
  const { foldersAt = '' } = machines.list().machines.find((one) => one.id === id) ?? {};
  const below = `${foldersAt}${shared}`;
  writeFileSync(join(shared, 'note'), 'of this computer\n');
  host.run(`mkdir -p ${shared}; echo of the host >${shared}/note`);
  const read = (path: string) => docker('run', '--rm', '-v', `${path}:/x`, image, 'cat', '/x/note');
  assert.equal(mountsOf(foldersAt), '0');
  machines.choose(id, { foldersThere: true });
  await until(() => mountsOf(foldersAt) === '1');
  assert.equal(await read(shared), 'of the host');
  assert.equal(await read(below), 'of this computer');
  await docker('run', '--rm', '-v', `${below}:/x`, image, 'sh', '-c', 'echo back >/x/answer');
  assert.equal(readFileSync(join(shared, 'answer'), 'utf8'), 'back\n');
  assert.equal(host.run(`su carol -c 'cat ${below}/note 2>&1' || true`).includes('denied'), true);
  machines.choose(id, { foldersThere: false });
  await until(() => mountsOf(foldersAt) === '0');
  await assert.rejects(read(below), /No such file/);
  host.run(`rm -r ${directory}; rmdir -p ${dirname(directory)} 2>&1 || true`);
});

test('removing takes socket, context and folders along', async () => {
  machines.choose(id, { foldersThere: true });
  const { foldersAt = '' } = machines.list().machines.find((one) => one.id === id) ?? {};
  await until(() => mountsOf(foldersAt) === '1');
  await machines.remove(id, { state: true });
  assert.equal(existsSync(join(runDirectory, `${id}.sock`)), false);
  assert.equal(await run('docker', 'context', 'show'), 'default');
  assert.equal(readFileSync(join(shared, 'note'), 'utf8'), 'of this computer\n');
  assert.deepEqual(host.files(), clean);
});

const docker = (...words: string[]) =>
  run('docker', '-H', `unix://${join(runDirectory, `${id}.sock`)}`, ...words);

function run(program: string, ...words: string[]): Promise<string> {
  return new Promise((done, fail) =>
    execFile(program, words, (error, stdout, stderr) =>
      error ? fail(new Error(`${words.join(' ')}: ${stderr}`)) : done(stdout.trim()),
    ),
  );
}
