/** Out of the box, where nothing limits directories: what containers write leaves the machine a part of its disk. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AgentProcess,
  ask,
  type DockerCli,
  dockerCli,
  eventually,
  startAgent,
} from './agent-process.ts';
import { discardSmallDisk, makeSmallDisk } from './small-disk.ts';

const image = 'corten/starter';
const none = ['--network', 'none'];
const directory = makeSmallDisk(256);
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  agent = await startAgent(directory);
  docker = dockerCli(agent.socket);
  // What the agent itself takes at its start is known a second later.
  await sleep(1500);
});
after(() => discardSmallDisk(directory, agent));

const freeShare = () => {
  const { bavail, blocks } = statfsSync(agent.root);
  return bavail / blocks;
};
const fill = (path: string) => `dd if=/dev/zero of=${path} bs=64k 2>&1; sync`;

test('root that fills its disk leaves an eighth of what was free, and is told of', async () => {
  // Without a limit of its own, also where the kernel could hold it to one.
  const options = ['--name', 'filler', '--storage-opt', 'size=0', ...none];
  await docker.output('run', '-d', ...options, image, 'sleep', '1000');
  const free = freeShare();
  assert.match(
    await docker.output('exec', 'filler', 'sh', '-c', fill('/full')),
    /No space left on device/,
  );
  assert.ok(freeShare() > free / 9, `${freeShare()} of ${free} is left`);
  assert.ok(freeShare() < free / 4, `${freeShare()} of ${free} is left: it was not filled`);
  await eventually(async () => {
    const path = '/corten/v1/containers/filler/history?seconds=60&step=1';
    const { body } = await ask<{ events: { kind: string; cause?: string }[] }>(
      agent.socket,
      'GET',
      path,
    );
    const told = body.events.find(({ kind }) => kind === 'disk-full');
    assert.equal(told?.cause, 'machine');
  });
});

test('what cannot start then says whose the rest is, and what to do', async () => {
  // One whose directories were made ahead may still.
  await eventually(async () => {
    const { code, stderr } = await docker('run', '--rm', ...none, image, 'true');
    assert.notEqual(code, 0);
    assert.match(
      stderr,
      /no space left on device: containers have written all that they may of the disk of .*docker system prune/,
    );
  });
});

test('the next agent holds them to it, also what ran meanwhile', async () => {
  await agent.end('SIGKILL');
  agent = await startAgent(directory);
  docker = dockerCli(agent.socket);
  await docker.output('exec', 'filler', 'sh', '-c', fill('/more'));
  assert.ok(freeShare() > 0.1, `${freeShare()} is left`);
});

test('when it is removed, the disk is there for others', async () => {
  await docker.output('rm', '-f', 'filler');
  assert.equal(await docker.output('run', '--rm', ...none, image, 'echo', 'room'), 'room');
  await eventually(() => assert.ok(freeShare() > 0.7, `${freeShare()} is free`));
});

test('once nothing runs and the agent ends, nothing is mounted', async () => {
  await agent.end();
  const mounts = execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' });
  assert.doesNotMatch(mounts, new RegExp(`${agent.root}/layers`));
  agent = await startAgent(directory);
  docker = dockerCli(agent.socket);
});
