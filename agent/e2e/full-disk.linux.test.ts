/** Without any limit a container can fill the disk that the engine works on: it can be removed all the same. */
import assert from 'node:assert/strict';
import { readdirSync, statfsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  type DockerCli,
  dockerCli,
  eventually,
  startAgent,
} from './agent-process.ts';
import { discardSmallDisk, makeSmallDisk } from './small-disk.ts';

const image = 'corten/starter';
const directory = makeSmallDisk(96);
const unlimited = ['--default-disk', 'none'];
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  agent = await startAgent(directory, unlimited);
  docker = dockerCli(agent.socket);
});
after(() => discardSmallDisk(directory, agent));

const insatiable = 'while :; do cat /dev/zero >>/fill; sleep 0.2; done';
const none = ['--network', 'none'];
const hasNoRoom = () => {
  const { bavail, bsize } = statfsSync(agent.root);
  return bavail * bsize < 65_536;
};
const isFull = () => eventually(() => assert.ok(hasNoRoom()));

test('a container that has filled the disk is removed, and the next one runs', async () => {
  await docker.output('run', '-d', '--name', 'filler', ...none, image, 'sh', '-c', insatiable);
  await isFull();
  const { code, stderr } = await docker('rm', '-f', 'filler');
  assert.equal(code, 0, stderr);
  assert.equal(await docker.output('run', '--rm', ...none, image, 'echo', 'room'), 'room');
});

test('what cannot start on a full disk says why, and what to do', async () => {
  await docker.output('run', '-d', '--name', 'filler', ...none, image, 'sh', '-c', insatiable);
  await eventually(async () => {
    const { code, stderr } = await docker('run', '--rm', ...none, image, 'true');
    assert.notEqual(code, 0);
    assert.match(stderr, /no space left on device: the disk of .*docker system prune/);
  });
  await docker.output('rm', '-f', 'filler');
});

test('while others fill whatever becomes free, all that runs ends and all that is there is removed', async () => {
  const idle = Array.from({ length: 12 }, (_, index) => `idle${index}`);
  for (const name of idle)
    await docker.output('run', '-d', '--name', name, ...none, image, 'sleep', '1000');
  await docker.output('create', '--name', 'late', ...none, image, 'sleep', '1000');
  await docker.output('tag', image, 'other/name:1');
  // Both are there before the first begins to fill: a start on a full disk may fail.
  const told = `trap go=yes USR1; while [ -z "$go" ]; do sleep 0.05; done; ${insatiable}`;
  for (const name of ['filler', 'second'])
    await docker.output('run', '-d', '--name', name, ...none, image, 'sh', '-c', told);
  // More than once, for a shell that was not yet listening.
  await eventually(async () => {
    for (const name of ['filler', 'second']) await docker.output('kill', '-s', 'USR1', name);
    assert.ok(hasNoRoom());
  });
  // Kills, starts that may fail, and removals, many times what a reserve could pay for.
  for (let round = 0; round < 15; round++) {
    await docker('restart', '-t', '0', 'idle0');
    await docker('start', 'late');
    // Unless its last start was one that failed.
    const { code, stderr } = await docker('kill', 'idle1');
    assert.ok(code === 0 || /is not running/.test(stderr), stderr);
    await docker('start', 'idle1');
    await isFull();
  }
  await docker.output('rmi', 'other/name:1');
  for (const name of idle.slice(0, 6)) {
    const { code, stderr } = await docker('rm', '-f', name);
    assert.equal(code, 0, stderr);
  }
  // An agent that begins on the full disk takes over, and is no worse.
  await agent.end('SIGKILL');
  agent = await startAgent(directory, unlimited);
  await isFull();
  await agent.end();
  agent = await startAgent(directory, unlimited);
  docker = dockerCli(agent.socket);
  const tags = await docker.output('images', '--format', '{{.Repository}}');
  assert.equal(tags, image);
  const known = (await docker.output('ps', '-q', '--no-trunc')).split('\n').toSorted();
  assert.deepEqual(readdirSync(`${agent.run}/containers`).toSorted(), known);
  for (const name of [...idle.slice(6), 'late', 'second', 'filler']) {
    const { code, stderr } = await docker('rm', '-f', name);
    assert.equal(code, 0, `${name}: ${stderr}`);
  }
  assert.deepEqual(readdirSync(`${agent.root}/containers`), []);
});
