/**
 * One table of what this machine lets the agent do. Everything that is missing has a cause and a
 * next step for the user; the code that refuses a request uses the same words.
 */
import type { CgroupDriver } from '../cgroup/cgroup.ts';
import {
  type Ability,
  type AbilityName,
  abilityNames,
  type Lack,
  type MachineAbilities,
} from '../contract/abilities.ts';
import type { DiskDriver } from '../disk/disk.ts';

export interface MachineFacts {
  /** Root of the machine, not only of a user namespace. */
  root: boolean;
  cgroups: Pick<CgroupDriver, 'version' | 'controllers' | 'lack'>;
  disks: Pick<DiskDriver, 'kind' | 'lack'>;
  /** Why container networks cannot reach the outside. Undefined when they can. */
  disconnected: string | undefined;
  /** The lowest port that an ordinary user may bind (net.ipv4.ip_unprivileged_port_start). */
  lowestPort: number;
  /** Whether /dev/kmsg can be read. */
  kernelLog: boolean;
  /**
   * Whether the user's processes survive a logout (loginctl(1), `enable-linger`). Undefined where a
   * logout ends nothing.
   */
  lingers: boolean | undefined;
}

const asRoot = 'Run the agent as root: sudo scripts/agent.';

export function describeAbilities(facts: MachineFacts): MachineAbilities {
  const abilities = abilityNames.map((name): Ability => {
    const lack = lacks[name](facts);
    return lack === undefined ? { name, available: true } : { name, available: false, ...lack };
  });
  return { root: facts.root, abilities };
}

export const missingIn = ({ abilities }: MachineAbilities) =>
  abilities.filter((ability) => !ability.available);

const limited = ['cpu', 'memory', 'pids', 'io', 'cpuset'];

const lacks: Record<AbilityName, (facts: MachineFacts) => Lack | undefined> = {
  limits: ({ root, cgroups }) => {
    const missing = limited.filter((name) => !cgroups.controllers.includes(name));
    if (missing.length === 0) return undefined;
    if (cgroups.lack !== undefined) return cgroups.lack;
    const cause = `No limits of ${missing.join(', ')}: the machine hands no such controller down.`;
    return root
      ? {
          cause,
          nextStep: 'See cgroup_disable= in /proc/cmdline, and what the kernel was built with.',
        }
      : {
          cause,
          nextStep:
            "As root, run: mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/corten.conf && systemctl daemon-reload; then restart the machine.",
        };
  },
  pause: ({ cgroups }) =>
    cgroups.controllers.includes('freezer')
      ? undefined
      : (cgroups.lack ?? {
          cause: 'Containers cannot be paused: there is no freezer.',
          nextStep: 'See cgroup_disable= in /proc/cmdline.',
        }),
  'disk-limits': ({ disks }) => (disks.kind === 'none' ? disks.lack : undefined),
  'outside-network': ({ disconnected }) =>
    disconnected === undefined
      ? undefined
      : {
          cause: `Containers reach each other, and nothing outside: ${disconnected}.`,
          nextStep:
            'Install the package "passt" and start the agent again (/dev/net/tun must be everybody\'s to open); until then, run what needs the network with --network host.',
        },
  'low-ports': ({ root, lowestPort }) =>
    root || lowestPort <= 1
      ? undefined
      : {
          cause: `Ports below ${lowestPort} cannot be published: they are root's.`,
          nextStep: 'As root, run: sysctl -w net.ipv4.ip_unprivileged_port_start=0.',
        },
  'source-addresses': ({ root }) =>
    root
      ? undefined
      : {
          cause:
            "A container sees its network's gateway as the source of every connection to a published port: a process passes them on.",
          nextStep: asRoot,
        },
  devices: ({ root }) =>
    root
      ? undefined
      : {
          cause: 'A container gets only devices that you may open yourself.',
          nextStep: 'Have root add you to the group that owns the device (ls -l tells which).',
        },
  'user-namespaces': ({ root }) => (root ? undefined : noOwnIds),
  'raised-limits': ({ root }) =>
    root
      ? undefined
      : {
          cause:
            "Limits of processes (--ulimit) and OOM scores cannot be raised above the agent's own.",
          nextStep: 'Raise yours, in /etc/security/limits.conf, or run the agent as root.',
        },
  'kill-reasons': ({ kernelLog }) =>
    kernelLog
      ? undefined
      : {
          cause:
            "Which process was killed for memory cannot be told: the kernel's log is closed to you.",
          nextStep: 'As root, run: sysctl -w kernel.dmesg_restrict=0.',
        },
  'after-logout': ({ lingers }) =>
    lingers === false
      ? {
          cause: 'Containers end when you log out, as all that you run does.',
          nextStep:
            'Run: loginctl enable-linger, or where that is refused: sudo loginctl enable-linger $USER.',
        }
      : undefined,
};

/** The same text refuses a container that asks for ids of its own. */
export const noOwnIds: Lack = {
  cause: 'Containers share one set of ids, yours: they cannot have user namespaces of their own.',
  nextStep: asRoot,
};
