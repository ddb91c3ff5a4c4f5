/** The contract of machines, on a host with a real sshd and the real engine. */
import { readFileSync } from 'node:fs';
import type { RemoteAddress } from '../../contract/machines.ts';
import { machineSuite } from '../machine/machine.suite.ts';
import type { Bundle } from './install.ts';
import { makeBundle, personAt } from './testdata/person.ts';
import { startRemoteHost } from './testdata/remote-host.ts';

machineSuite('remote', {
  stages: ['reach', 'login', 'check', 'install', 'start'],
  hangsAt: ['login', 'install', 'start'],
  failsAt: ['reach', 'login', 'install'],
  lostAt: 'connect',
  async make() {
    const host = await startRemoteHost();
    const right = makeBundle();
    const place = { host: '127.0.0.1', port: host.port, user: 'root' };
    const address: RemoteAddress = { ...place };
    let bundle: Promise<Bundle> = Promise.resolve(right);
    const { machine } = personAt(host, right, { address, bundleFor: () => bundle });
    const signal = (name: string) => {
      host.run(`kill -${name} "$(cut -d' ' -f1 /run/corten/agent.lock)"`);
    };
    return {
      machine,
      kill: async () => host.cutOff(),
      // The engine goes on, as it should; what the app holds of the host is its connections.
      leftovers: () => connectionsTo(host.port),
      hangAt(stage) {
        if (stage === 'login') host.pause(true);
        else if (stage === 'install') bundle = new Promise(() => {});
        else signal('STOP');
      },
      failAt(stage) {
        if (stage === 'reach') address.port = 1;
        else if (stage === 'login') address.user = 'stranger';
        else bundle = Promise.resolve({ ...right, version: '9.9.9-wrong', sha256: '0'.repeat(64) });
      },
      heal() {
        host.pause(false);
        signal('CONT');
        bundle = Promise.resolve(right);
        Object.assign(address, place);
      },
      async remove() {
        await machine.stop({ force: true });
        await host.stop();
      },
    };
  },
});

/** Both ends are on this computer; only the app's has the port as its peer's (proc_net(5)). */
function connectionsTo(port: number): string[] {
  const established = '01';
  const peer = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/self/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[2]?.endsWith(peer) && words[3] === established)
    .map((words) => `a connection to ${words[2]}`);
}
