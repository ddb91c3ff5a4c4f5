/** Without a disk limit a container can fill the disk that the engine works on: it can be removed all the same. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  type DockerCli,
  dockerCli,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

const image = 'corten/starter';
const directory = makeAgentDirectory();
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=700', 'tmpfs', `${directory}/root`]);
  agent = await startAgent(directory);
  docker = dockerCli(agent.socket);
});
after(async () => {
  await docker('rm', '-f', 'filler');
  await agent.end();
  execFileSync('umount', [`${directory}/root`]);
  rmSync(directory, { recursive: true });
});

test('a container that has filled the disk is removed, and the next one runs', async () => {
  const insatiable = 'while :; do cat /dev/zero >>/fill; sleep 1; done';
  const none = ['--network', 'none'];
  await docker.output('run', '-d', '--name', 'filler', ...none, image, 'sh', '-c', insatiable);
  await eventually(async () => assert.equal(statfsSync(agent.root).bavail, 0));
  const { code, stderr } = await docker('rm', '-f', 'filler');
  assert.equal(code, 0, stderr);
  assert.equal(await docker.output('run', '--rm', ...none, image, 'echo', 'room'), 'room');
});
