/** A folder of the host in a container, over SSH, as a person shares it and takes it away again. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { nativeEndpoint } from '../../electron/host/native-linux/backend.ts';
import { type FolderList, openFolderList } from '../../electron/host/shared-folders/folder-list.ts';
import { createFolderSharing } from '../../electron/host/shared-folders/share-folders.ts';
import { createSshLink, type SshLink } from '../../electron/host/ssh/link.ts';
import {
  type AgentProcess,
  type DockerCli,
  discardAgent,
  dockerCli,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

let agent: AgentProcess;
let docker: DockerCli;
let link: SshLink;
let list: FolderList;
let sharing: { close(): Promise<void> | void };
let host: string;
/** Elsewhere than on the host, because the machine here is the host. */
const inMachine = (path: string) => path.replace('/host', '/machine');

before(async () => {
  agent = await startAgent(makeAgentDirectory(), ['--machine']);
  docker = dockerCli(agent.socket);
  link = createSshLink(nativeEndpoint({ rootDirectory: agent.root, runDirectory: agent.run }));
  await link.connect();
  host = join(realpathSync(agent.directory), 'host');
  mkdirSync(join(host, 'project'), { recursive: true });
  const file = join(agent.directory, 'folders.json');
  writeFileSync(file, '{"folders":[]}');
  list = openFolderList(file);
  const folders = createFolderSharing({ list, mountPathOf: inMachine });
  sharing = await folders.companion({
    link,
    services: link,
    onPauseChange: () => () => {},
    report: (what, error) => assert.fail(`${what}: ${error}`),
  });
});

after(async () => {
  await sharing.close();
  link.close();
  await discardAgent(agent);
});

const isMounted = (path: string) =>
  readFileSync(`/proc/${agent.pid}/mountinfo`, 'utf8').includes(` ${path} `);

test('what is not shared is named, with where to share it', async () => {
  const mount = `${inMachine(host)}/project:/p`;
  const { stderr } = await docker('run', '--rm', '-v', mount, 'corten/starter', 'true');
  assert.match(stderr, /project is not shared with the machine\. .* Machine > Folders/);
});

test('a container reads and writes a shared folder, and may name one that is not there yet', async () => {
  list.add({ path: host, readOnly: false });
  await eventually(() => assert.ok(isMounted(inMachine(host))));
  writeFileSync(join(host, 'project/file'), 'from the host');
  const mounts = ['-v', `${inMachine(host)}/project:/p`, '-v', `${inMachine(host)}/new/deep:/n`];
  const output = await docker.output(
    ...['run', '--rm', '--network', 'none', ...mounts, 'corten/starter', 'sh', '-c'],
    'cat /p/file; echo from a container > /p/answer; touch /n/made; stat -c %u:%g /p/file',
  );
  assert.equal(output.trim(), 'from the host0:0');
  assert.equal(readFileSync(join(host, 'project/answer'), 'utf8'), 'from a container\n');
  assert.equal(readFileSync(join(host, 'new/deep/made'), 'utf8'), '');
});

test('files are copied into and out of a container with a shared folder', async () => {
  await docker.output(
    ...['run', '-d', '--name', 'copied', '--network', 'none'],
    ...['-v', `${inMachine(host)}/project:/p`, 'corten/starter', 'sleep', '1000'],
  );
  await docker.output('exec', 'copied', 'ls', '-l', '/p');
  await docker.output('cp', join(host, 'project/file'), 'copied:/etc/copied');
  assert.equal(await docker.output('exec', 'copied', 'cat', '/etc/copied'), 'from the host');
  await docker.output('rm', '-f', 'copied');
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const)
  test(`a container goes on with its folder after an agent that ended by ${signal}`, async () => {
    const mount = `${inMachine(host)}/project:/p`;
    await docker.output(
      ...[
        'run',
        '-d',
        '--name',
        'kept',
        '--network',
        'none',
        '-v',
        mount,
        'corten/starter',
        'sh',
        '-c',
      ],
      'exec 3>/p/log; while sleep 0.1; do date >&3 || exit 9; done',
    );
    await agent.end(signal);
    writeFileSync(join(host, 'project/file'), 'from meanwhile');
    agent = await startAgent(agent.directory, ['--machine']);
    assert.equal(await docker.output('exec', 'kept', 'cat', '/p/file'), 'from meanwhile');
    await docker.output('exec', 'kept', 'sh', '-c', 'echo again > /p/answer');
    assert.equal(readFileSync(join(host, 'project/answer'), 'utf8'), 'again\n');
    const written = () => readFileSync(join(host, 'project/log'), 'utf8').length;
    const before = written();
    await eventually(() => assert.ok(written() > before));
    assert.equal(await docker.output('inspect', '-f', '{{.State.Running}}', 'kept'), 'true');
    await docker.output('rm', '-f', 'kept');
  });

test('a folder that is no longer shared is gone from the machine', async () => {
  list.remove(host);
  await eventually(() => assert.ok(!isMounted(inMachine(host))));
});
