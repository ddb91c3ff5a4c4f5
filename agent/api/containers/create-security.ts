/** Translates privileges, capabilities, `--security-opt`, devices and namespaces. */
import type {
  ContainerSettings,
  NamespaceChoice,
  SecuritySettings,
} from '../../contract/container.ts';
import { invalid } from '../../errors.ts';
import type { Fields } from '../fields.ts';

export function readSecurity(host: Fields): SecuritySettings {
  const privileged = host.flag('Privileged') ?? false;
  refuseUnserved(host);
  return {
    privileged,
    addCapabilities: readCapabilities(host, 'CapAdd'),
    dropCapabilities: readCapabilities(host, 'CapDrop'),
    ...readSecurityOptions(host.texts('SecurityOpt') ?? [], privileged),
    devices: host.objects('Devices').map(readDevice),
    deviceRules: (host.texts('DeviceCgroupRules') ?? []).map(readDeviceRule),
    maskedPaths: host.texts('MaskedPaths'),
    readonlyPaths: host.texts('ReadonlyPaths'),
  };
}

export function readNamespaces(body: Fields, host: Fields): ContainerSettings['namespaces'] {
  const uts = host.filled('UTSMode');
  const cgroup = host.filled('CgroupnsMode');
  if (uts !== undefined && uts !== 'host') throw invalid(`invalid UTS mode: ${uts}`);
  if (uts === 'host' && body.filled('Hostname') !== undefined)
    throw invalid('conflicting options: hostname and the UTS mode');
  if (cgroup !== undefined && cgroup !== 'host' && cgroup !== 'private')
    throw invalid(`invalid cgroup namespace mode: ${cgroup}`);
  return {
    pid: readChoice(host, 'PidMode', 'PID', []),
    ipc: readChoice(host, 'IpcMode', 'IPC', ['private', 'shareable', 'none']),
    uts: uts === 'host' ? 'host' : 'private',
    cgroup: cgroup === 'host' ? 'host' : 'private',
    user: readUserNamespace(host),
  };
}

/**
 * Reads `host`, or Corten's `auto`. The docker CLI accepts only `host` in `--userns`, but any value in
 * `--security-opt userns=auto`.
 */
function readUserNamespace(host: Fields): ContainerSettings['namespaces']['user'] {
  const words = (host.texts('SecurityOpt') ?? []).map(
    (option) => /^userns[=:](.*)$/.exec(option)?.[1],
  );
  const asked = [host.filled('UsernsMode'), ...words].filter((word) => word !== undefined);
  for (const word of asked)
    if (word !== 'host' && word !== 'auto')
      throw invalid(`invalid userns mode: ${word}; use host or auto`);
  if (new Set(asked).size > 1) throw invalid(`conflicting userns modes: ${asked.join(' and ')}`);
  return asked[0] as 'host' | 'auto' | undefined;
}

function readChoice(
  host: Fields,
  field: string,
  label: string,
  privateWords: readonly string[],
): NamespaceChoice {
  const mode = host.filled(field);
  if (mode === undefined || privateWords.includes(mode)) return 'private';
  if (mode === 'host') return 'host';
  const container = /^container:(.+)$/.exec(mode)?.[1];
  if (container === undefined) throw invalid(`invalid ${label} mode: ${mode}`);
  return { container };
}

/** Names of capabilities(7) in the kernel's order. */
const capabilityNames = new Set(
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
  NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
  SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
  AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
  PERFMON BPF CHECKPOINT_RESTORE`.split(/\s+/),
);

/** Reads capabilities: `NET_ADMIN` and `CAP_NET_ADMIN` are the same; the engine gets the long form or `ALL`. */
function readCapabilities(host: Fields, field: 'CapAdd' | 'CapDrop'): string[] {
  return (host.texts(field) ?? []).map((text) => {
    const name = text.toUpperCase().replace(/^CAP_/, '');
    if (name === 'ALL') return 'ALL';
    if (!capabilityNames.has(name))
      throw invalid(`invalid ${field}: unknown capability: "CAP_${name}"`);
    return `CAP_${name}`;
  });
}

/**
 * Reads `--security-opt`. no_new_privs is on unless it is turned off or the container is privileged: setuid programs
 * are the usual next step of an attacker, and few images need them (docs/security.md).
 */
function readSecurityOptions(
  options: readonly string[],
  privileged: boolean,
): Pick<SecuritySettings, 'noNewPrivileges' | 'seccomp'> {
  let noNewPrivileges = !privileged;
  let seccomp: SecuritySettings['seccomp'] = privileged ? 'unconfined' : 'default';
  for (const option of options) {
    const [, name, value] = /^([^=:]+)(?:[=:]([\s\S]*))?$/.exec(option) ?? [];
    if (name === 'no-new-privileges') noNewPrivileges = readSwitch(option, value);
    else if (name === undefined || value === undefined)
      throw invalid(`invalid --security-opt 1: "${option}"`);
    else if (name === 'seccomp') seccomp = readSeccomp(value);
    else if (name !== 'userns' && !isForOtherModules(name, value))
      throw invalid(`invalid --security-opt 2: "${option}"`);
  }
  return { noNewPrivileges, seccomp };
}

function readSwitch(option: string, value: string | undefined): boolean {
  if (value === undefined || value === 'true') return true;
  if (value === 'false') return false;
  throw invalid(`invalid --security-opt 2: "${option}"`);
}

/** Reads `unconfined`, `builtin` or a profile, whose text the CLI sends. */
function readSeccomp(value: string): SecuritySettings['seccomp'] {
  if (value === 'unconfined') return 'unconfined';
  if (value === 'builtin' || value === 'default') return 'default';
  try {
    JSON.parse(value);
  } catch (error) {
    throw invalid(`decoding seccomp profile failed: ${(error as Error).message}`, error);
  }
  return { profile: value };
}

/** SELinux and AppArmor are not applied, so turning them off has no effect, and profiles are refused. */
function isForOtherModules(name: string, value: string): boolean {
  if (name === 'label') return true;
  return name === 'apparmor' && ['unconfined', 'docker-default', ''].includes(value);
}

function readDevice(device: Fields): SecuritySettings['devices'][number] {
  const hostPath = device.filled('PathOnHost');
  if (hostPath === undefined) throw invalid('a device has no PathOnHost');
  const permissions = device.filled('CgroupPermissions') ?? 'rwm';
  if (!/^[rwm]{1,3}$/.test(permissions))
    throw invalid(`invalid device mode: ${permissions} for ${hostPath}: use some of r, w and m`);
  return { hostPath, containerPath: device.filled('PathInContainer') ?? hostPath, permissions };
}

/** Reads a rule such as `c 1:3 rwm` (cgroup v1 devices.rst). */
function readDeviceRule(rule: string): string {
  if (!/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(rule))
    throw invalid(`invalid device cgroup rule format: '${rule}'`);
  return rule;
}

function refuseUnserved(host: Fields): void {
  const runtime = host.filled('Runtime');
  if (runtime !== undefined && !['runc', 'io.containerd.runc.v2', 'corten'].includes(runtime))
    throw invalid(`unknown or invalid runtime name: ${runtime}`);
  const isolation = host.filled('Isolation');
  if (isolation !== undefined && isolation !== 'default')
    throw invalid(`Invalid isolation: "${isolation}" - linux only supports 'default'`);
  if (host.objects('DeviceRequests').length > 0)
    throw invalid('could not select device driver "": device requests (--gpus) are not supported');
}
