/** Device rules with the names that users know the devices by. */
import type { DeviceFact } from '../../contract/isolation.ts';
import type { IsolationView } from './view.ts';

/** Names from Documentation/admin-guide/devices.txt. */
const knownDevices: Readonly<Record<string, string>> = {
  'c 1:1': 'the machine’s memory',
  'c 1:3': 'null',
  'c 1:5': 'zero',
  'c 1:7': 'full',
  'c 1:8': 'random',
  'c 1:9': 'urandom',
  'c 1:11': 'the kernel’s log',
  'c 5:0': 'tty, the process’s own terminal',
  'c 5:1': 'the machine’s console',
  'c 5:2': 'ptmx, for new terminals',
  'c 10:200': 'tun, for network tunnels',
  'c 10:229': 'fuse, for file systems of programs',
  'c 10:232': 'kvm, for virtual machines',
  'c 136:*': 'the container’s terminals',
};

/** Devices that every container may open or make. All others were requested. */
const harmless = new Set([
  ...['c 1:3', 'c 1:5', 'c 1:7', 'c 1:8', 'c 1:9', 'c 5:0', 'c 5:2', 'c 136:*'],
]);

export function describeDevices({ devices }: IsolationView): DeviceFact[] {
  return devices.rules.map((line) => {
    const rule = line === 'a' ? 'a *:* rwm' : line;
    const kind = kindOf(rule);
    const name = knownDevices[deviceOf(rule)];
    return {
      id: `device.${kind}`,
      rule,
      ...(name !== undefined && { name }),
      source: devices.source,
      meaning: deviceMeanings[kind],
    };
  });
}

/** The device of a rule: `c 1:3` of `c 1:3 rwm`. */
function deviceOf(rule: string): string {
  return rule.slice(0, rule.lastIndexOf(' '));
}

export function kindOf(rule: string): keyof typeof deviceMeanings {
  if (rule.startsWith('a')) return 'all';
  if (rule.endsWith(' m')) return 'make';
  return harmless.has(deviceOf(rule)) ? 'harmless' : 'added';
}

const deviceMeanings = {
  all: 'It can open every device, the machine’s disks among them.',
  make: 'It can make such nodes; opening them takes a rule that allows it.',
  harmless: 'It can open this device, which is the same for everybody and holds nothing.',
  added: 'It can use this device of the machine.',
} as const;
