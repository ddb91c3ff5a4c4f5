/**
 * Warnings about host paths in a container: sockets that give root on the machine, and writable
 * host directories.
 */
import { realpathSync, type Stats, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { MountView } from '../../contract/container.ts';
import type { IsolationWarning } from '../../contract/isolation.ts';
import { requestedMount } from './requested-mount.ts';
import type { WarningInput } from './warning-input.ts';

/** Sockets of container engines. Whoever can write to one is root on the machine. */
const engineSocketName = /^(docker|podman|containerd|crio|buildkitd|corten)\.sock$/;
const engineSockets = [
  '/run/docker.sock',
  '/run/containerd/containerd.sock',
  '/run/podman/podman.sock',
  '/run/crio/crio.sock',
];

/** Directories that decide what the machine runs or who may use it. */
const gravePlaces =
  /^\/$|^\/(etc|boot|dev|proc|sys|usr|bin|sbin|lib|lib64|root|run)(\/|$)|^\/(home|var|var\/lib)$/;

export function hostPathWarnings(input: WarningInput): IsolationWarning[] {
  return input.record.mounts
    .filter((mount) => isHostPath(mount, input.engine.volumes))
    .flatMap((mount) => {
      const stat = statOf(mount.source);
      const warning =
        socketWarning(mount, stat, input.engine.socket) ??
        (isWritable(mount, input) ? writableWarning(mount) : undefined);
      return warning === undefined ? [] : [warning];
    });
}

/** A bind mount, or a volume whose content lies in a directory that the user named. */
function isHostPath({ type, source }: MountView, volumes: string): boolean {
  if (type === 'bind') return true;
  return type === 'volume' && source !== '' && !source.startsWith(`${volumes}/`);
}

function socketWarning(
  { source, target }: MountView,
  stat: Stats | undefined,
  ownSocket: string,
): IsolationWarning | undefined {
  const reached = [...engineSockets, ownSocket].find((socket) => isWithin(socket, source));
  const isEngine = stat?.isSocket() && engineSocketName.test(basename(source));
  if (reached !== undefined || isEngine)
    return {
      id: 'warning.engine-socket',
      severity: 'high',
      subject: target,
      meaning:
        'It can reach the socket of a container engine, and so start a container that owns the machine: it is root there.',
      remedy: `Recreate it without the mount of ${source}.`,
    };
  if (!stat?.isSocket()) return undefined;
  return {
    id: 'warning.host-socket',
    severity: 'medium',
    subject: target,
    meaning:
      'It can talk to a program of the machine through its socket, with that program’s rights.',
    remedy: `Recreate it without the mount of ${source}, if it works without.`,
  };
}

/** Whether `socket` exists and lies below `source`, by the real paths of both. */
function isWithin(socket: string, source: string): boolean {
  const [real, folder] = [realPath(socket), realPath(source)];
  if (real === undefined || folder === undefined) return false;
  return real === folder || real.startsWith(folder === '/' ? '/' : `${folder}/`);
}

/**
 * Whether the kernel lets the container write to the mount. In a plan the requested mode decides.
 */
function isWritable(mount: MountView, { view, record }: WarningInput): boolean {
  const entries = view.mounts.filter((entry) => requestedMount(entry, record.mounts) === mount);
  if (entries.length === 0) return !mount.readOnly;
  return entries.some(({ options }) => !options.includes('ro'));
}

function writableWarning({ source, target }: MountView): IsolationWarning {
  const isGrave = gravePlaces.test(source);
  return {
    id: isGrave ? 'warning.system-bind' : 'warning.writable-bind',
    severity: isGrave ? 'high' : 'low',
    subject: target,
    meaning: isGrave
      ? `It can change ${source} of the machine, which the machine itself depends on.`
      : `It can change ${source} on the machine.`,
    remedy: 'Recreate it with :ro after the mount, or with a volume in its place.',
  };
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // The path does not exist, so nothing is reached through it.
    return undefined;
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // The path cannot be resolved, for example because of a loop of links, so it is no socket.
    return undefined;
  }
}
