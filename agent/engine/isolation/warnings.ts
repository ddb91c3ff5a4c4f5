/**
 * Warnings about settings that are weaker than the default, each with the risk and how to change
 * it.
 */
import type { IsolationWarning, NamespaceType } from '../../contract/isolation.ts';
import { defaultCapabilities } from '../../runtime/capabilities.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { capabilityMeanings, gravestCapabilities } from './capability-meanings.data.ts';
import { kindOf } from './describe-devices.ts';
import { hostPathWarnings } from './host-path-warnings.ts';
import { unlimited } from './unlimited.ts';
import type { WarningInput } from './warning-input.ts';

const order = ['high', 'medium', 'low'] as const;

export function warningsOf(input: WarningInput): IsolationWarning[] {
  return [
    ...driftWarnings(input),
    ...privilegeWarnings(input),
    ...namespaceWarnings(input),
    ...hostPathWarnings(input),
    ...limitWarnings(input),
  ].toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

/** A privileged container has all other weaknesses too, so one warning covers them. */
function privilegeWarnings(input: WarningInput): IsolationWarning[] {
  if (input.asked.privileged)
    return [
      {
        id: 'warning.privileged',
        severity: 'high',
        meaning:
          'It is privileged: it has every capability and every device, and no filter of system calls. Whoever controls it controls the machine.',
        remedy:
          'Recreate it without --privileged, and give it only what it needs with --cap-add or --device.',
      },
    ];
  return [
    ...capabilityWarnings(input),
    ...callWarnings(input),
    ...deviceWarnings(input),
    ...openPathWarnings(input),
  ];
}

function capabilityWarnings({ view, asked }: WarningInput): IsolationWarning[] {
  return view.capabilities.bounding
    .filter((name) => asked.capabilities.has(name) && !defaultCapabilities.includes(name))
    .map((name) => ({
      id: 'warning.capability',
      severity: gravestCapabilities.has(name) ? 'high' : 'medium',
      subject: name,
      meaning:
        capabilityMeanings[name]?.risk ??
        `Beyond the default, it may ${capabilityMeanings[name]?.verb ?? 'do what this kernel has a newer name for'}.`,
      remedy: `Recreate it without --cap-add ${name.replace('CAP_', '')}, if it works without.`,
    }));
}

function callWarnings({ view, asked }: WarningInput): IsolationWarning[] {
  const warnings: IsolationWarning[] = [];
  if (view.seccomp === 'none' && asked.seccomp === 'unconfined')
    warnings.push({
      id: 'warning.seccomp-off',
      severity: 'high',
      meaning:
        'No system call is refused, so every flaw in the kernel can be tried from inside it.',
      remedy: 'Recreate it without --security-opt seccomp=unconfined.',
    });
  if (!view.noNewPrivileges && !asked.noNewPrivileges)
    warnings.push({
      id: 'warning.new-privileges',
      severity: 'medium',
      meaning: 'Programs such as sudo can make an ordinary user inside into root inside.',
      remedy: 'Recreate it without --security-opt no-new-privileges=false.',
    });
  return warnings;
}

function deviceWarnings({ view }: WarningInput): IsolationWarning[] {
  return view.devices.rules
    .filter((rule) => ['all', 'added'].includes(kindOf(rule)))
    .map((rule) => ({
      id: 'warning.device',
      severity: rule.startsWith('c') ? 'medium' : 'high',
      subject: rule,
      meaning: rule.startsWith('c')
        ? 'It can use a device of the machine.'
        : 'It can reach disks of the machine directly, past all permissions of the files on them.',
      remedy: 'Recreate it without --device or --device-cgroup-rule, if it works without.',
    }));
}

function openPathWarnings({ view, asked }: WarningInput): IsolationWarning[] {
  const open = [...view.kernelPaths]
    .filter(([path, state]) => state === 'open' && asked.kernelPaths.get(path) === 'open')
    .map(([path]) => path);
  if (open.length === 0) return [];
  return [
    {
      id: 'warning.open-paths',
      severity: 'high',
      subject: open.join(' '),
      meaning:
        'Parts of /proc and /sys that are hidden by default are open, so it can read of the machine or change settings of its kernel.',
      remedy: 'Recreate it without --security-opt systempaths=unconfined.',
    },
  ];
}

const hostNamespaces: Partial<
  Record<NamespaceType, { severity: IsolationWarning['severity']; meaning: string; remedy: string }>
> = {
  network: {
    severity: 'high',
    meaning:
      'It is on the machine’s own network: it reaches services that listen on localhost only, and takes ports of the machine.',
    remedy: 'Recreate it without --network host, and publish the ports it needs.',
  },
  pid: {
    severity: 'high',
    meaning:
      'It sees every process of the machine with its command line, and as root can end them.',
    remedy: 'Recreate it without --pid host.',
  },
  ipc: {
    severity: 'medium',
    meaning: 'It can read and change shared memory of the machine’s programs.',
    remedy: 'Recreate it without --ipc host.',
  },
  uts: {
    severity: 'low',
    meaning: 'It has the machine’s host name for its own.',
    remedy: 'Recreate it without --uts host.',
  },
  user: {
    severity: 'medium',
    meaning: 'Root inside is root on the machine, where other containers’ root is nobody there.',
    remedy: 'Recreate it without --userns host.',
  },
  cgroup: {
    severity: 'low',
    meaning: 'It sees the control groups of everything that runs on the machine.',
    remedy: 'Recreate it without --cgroupns host.',
  },
};

function namespaceWarnings({ view, record, engine }: WarningInput): IsolationWarning[] {
  return view.namespaces.flatMap(({ type, scope }) => {
    // Where user namespaces are not the default, a container without one is not weaker than others.
    if (type === 'user' && !engine.remapsUsers) return [];
    const warning = hostNamespaces[type];
    if (warning === undefined || scope !== 'host' || !askedForHost(type, record)) return [];
    return [{ id: `warning.host-${type}`, subject: type, ...warning }];
  });
}

function askedForHost(type: NamespaceType, { settings }: ContainerRecord): boolean {
  const { pid, ipc, uts, cgroup, user } = settings.namespaces;
  const asked: Partial<Record<NamespaceType, unknown>> = {
    ...{ pid, ipc, uts, cgroup, network: settings.network.mode },
    user: user === 'auto' ? 'auto' : 'host',
    // The engine makes no time namespaces.
    time: 'host',
  };
  return asked[type] === 'host';
}

/**
 * Reports what the kernel grants beyond the request. Having less is fine, because programs drop
 * rights themselves.
 */
function driftWarnings({ view, record, asked }: WarningInput): IsolationWarning[] {
  const more = [
    ...view.capabilities.bounding.filter((name) => !asked.capabilities.has(name)),
    ...(view.seccomp === 'none' && asked.seccomp !== 'unconfined' ? ['no seccomp filter'] : []),
    ...(!view.noNewPrivileges && asked.noNewPrivileges ? ['no_new_privs off'] : []),
    ...view.namespaces
      .filter(({ type, scope }) => scope === 'host' && !askedForHost(type, record))
      .map(({ type }) => `the machine’s ${type} namespace`),
    ...[...view.kernelPaths]
      .filter(([path, state]) => state === 'open' && asked.kernelPaths.get(path) !== 'open')
      .map(([path]) => path),
    ...view.controllers
      .filter(({ membership }) => membership?.split('/').includes(record.id) === false)
      .map(({ controller }) => `another ${controller} control group`),
  ];
  if (more.length === 0) return [];
  return [
    {
      id: 'warning.more-than-asked',
      severity: 'high',
      subject: more.join(', '),
      meaning:
        'The kernel gives it more than was asked for: it, or something else on the machine, has changed its isolation since it started.',
      remedy: 'Stop it. If this comes back after a start, look for what interferes.',
    },
  ];
}

function limitWarnings({ view, record }: WarningInput): IsolationWarning[] {
  const free = unlimited(view.controllers, record.settings.limits);
  if (free.length === 0) return [];
  return [
    {
      id: 'warning.no-limits',
      severity: 'low',
      subject: free.join(', '),
      meaning:
        'Without these limits it can take all of the machine, and slow everything else down.',
      remedy: 'Set them under Limits, or with docker update; it need not be stopped.',
    },
  ];
}
