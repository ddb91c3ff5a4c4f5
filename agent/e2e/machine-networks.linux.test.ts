/** An ordinary user's containers on machines with a network of some sort or none: pasta leads where the machine gets. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MachineAbilities } from '../contract/abilities.ts';
import { type AgentProcess, ask, discardAgent, dockerCli, eventually } from './agent-process.ts';
import { makeUserDirectory, startUserAgent } from './ordinary-user.ts';

const image = 'corten/starter';
/** A bridge with one port, so that whether it has a carrier is the port's doing. */
const bridge =
  'ip link add br0 type bridge && ip link add port type veth peer name far && ip link set port master br0 && ' +
  'ip address add 198.51.100.1/24 dev br0 && ip link set br0 up';

/** Shell lines that make the network of the machine, and the addresses that it has by them. */
const machines = {
  'no network at all': { lines: 'true', addresses: [] },
  // As docker0 is, of another engine, where nothing runs and no cable is plugged in.
  'a bridge without carrier': {
    lines: `${bridge} && until ip route | grep -q linkdown; do sleep 0.1; done`,
    addresses: ['198.51.100.1'],
  },
  'a route out': {
    lines: `${bridge} && ip link set port up && ip link set far up && ip route add default via 198.51.100.2`,
    addresses: ['198.51.100.1'],
  },
};

for (const [name, { lines, addresses }] of Object.entries(machines))
  test(`${name}: containers reach the machine, also by what it gets later, and are reached`, async () => {
    const directory = makeUserDirectory();
    const setUp = ['unshare', '--net', 'sh', '-ec', `ip link set lo up; ${lines}; exec "$@"`, 'sh'];
    const agent = await startUserAgent(directory, {}, setUp);
    const { output } = dockerCli(agent.socket);
    const page = await startPage(agent);
    try {
      const { body } = await ask<MachineAbilities>(
        agent.socket,
        'GET',
        '/corten/v1/machine/abilities',
      );
      const network = body.abilities.find((ability) => ability.name === 'outside-network');
      assert.deepEqual(network, { name: 'outside-network', available: true });
      onMachine(agent, 'ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo');
      const get = (address: string) =>
        output('run', '--rm', image, 'wget', '-T5', '-qO-', `http://${address}:8080/index.html`);
      for (const address of [...addresses, '192.0.2.1'])
        await eventually(async () => assert.equal(await get(address), 'found'));
      const serve = 'echo served >/index.html; httpd -f -p 80 -h /';
      await output('run', '-d', '--name', 'web', '-p', '127.0.0.1::80', image, 'sh', '-c', serve);
      const url = `http://${await output('port', 'web', '80')}/index.html`;
      await eventually(() => assert.equal(onMachine(agent, 'wget', '-T5', '-qO-', url), 'served'));
    } finally {
      page.kill();
      await once(page, 'exit');
      await discardAgent(agent);
    }
  });

const words = (agent: AgentProcess) => ['--net', '--target', String(agent.pid), 'busybox'];

/** Of busybox, in the network of the agent's machine. */
function onMachine(agent: AgentProcess, ...command: string[]): string {
  return execFileSync('nsenter', [...words(agent), ...command], { encoding: 'utf8' }).trim();
}

/** A page on every address of the machine. */
async function startPage(agent: AgentProcess) {
  const place = join(agent.directory, 'page');
  mkdirSync(place);
  writeFileSync(join(place, 'index.html'), 'found');
  const page = spawn('nsenter', [...words(agent), 'httpd', '-f', '-p', '8080', '-h', place], {
    stdio: 'inherit',
  });
  await once(page, 'spawn');
  return page;
}
