/**
 * A network namespace made ahead, with its loopback up, its parameters written and the sysfs that shows it, while nobody
 * waits: making one takes as long as all the other namespaces and mounts of a small container together. Each is used
 * once, by one container; it is made as the one before had it.
 */
import { closeSync } from 'node:fs';
import type { OciSpec } from '../contract/oci-runtime.ts';
import { bringLoopbackUp } from '../kernel/loopback.ts';
import { newFilesystem } from '../kernel/mount.ts';
import { NamespaceFlag, namespaceFile, unshare } from '../kernel/namespaces.ts';
import { openOwnNamespace } from '../kernel/procfs.ts';
import { returnToHost } from './host-namespaces.ts';
import { isPlain, type PlannedMount } from './mounts.ts';
import { writeSysctls } from './sysctl.ts';

/** What every container of the engine has; others may be the machine's in some kernel, and are written when asked for. */
const usualParameters = new Set([
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
]);

/** What a container has of the kind, and what tells it from others. */
interface NetworkShape {
  parameters: Record<string, string>;
  /** MOUNT_ATTR_* of its sysfs. */
  sysfs: { attributes: number; source: string } | undefined;
}

/** Of use to everybody: the first one, since nobody has asked yet. */
const bare: NetworkShape = { parameters: {}, sysfs: undefined };
const bareKey = JSON.stringify(bare);

interface Made {
  networkFd: number;
  sysfsFd: number | undefined;
  key: string;
}

export interface PooledNetwork {
  /** The caller's from now on. */
  fd: number;
  /** Whether the parameters have been written. */
  isSet: boolean;
}

export class NetworkPool {
  readonly #procFd: number;
  #shape = bare;
  #made: Made | undefined;

  constructor(procFd: number) {
    this.#procFd = procFd;
  }

  /** Undefined when there is none yet, or one that is another. What is there of `planned` is given to it. */
  take({ linux }: OciSpec, planned: readonly PlannedMount[]): PooledNetwork | undefined {
    const { sysctl = {} } = linux;
    const isUsual = Object.keys(sysctl).every((name) => usualParameters.has(name));
    const mount = linux.mountLabel === undefined ? sysfsOf(planned) : undefined;
    this.#shape = {
      parameters: isUsual ? sysctl : {},
      sysfs: mount && { attributes: mount.options.set, source: mount.source ?? mount.type },
    };
    const made = this.#made;
    const matches = made?.key === JSON.stringify(this.#shape);
    if (made === undefined || !(matches || made.key === bareKey)) return undefined;
    this.#made = undefined;
    if (mount !== undefined) mount.treeFd = made.sysfsFd;
    return { fd: made.networkFd, isSet: matches && isUsual };
  }

  close(): void {
    const made = this.#made;
    this.#made = undefined;
    if (made === undefined) return;
    closeSync(made.networkFd);
    if (made.sysfsFd !== undefined) closeSync(made.sysfsFd);
  }

  /** Unless it is there. A thread that cannot come home from it ends. */
  make(): void {
    const key = JSON.stringify(this.#shape);
    if (this.#made?.key === key) return;
    this.close();
    try {
      unshare(NamespaceFlag.network);
    } catch {
      // user.max_net_namespaces, or no memory: the next container says so, if it is still the case.
      return;
    }
    try {
      this.#made = { ...this.#fill(this.#shape), key };
    } catch {
      // What the last one asked for is refused, as it has heard.
      this.#shape = bare;
    } finally {
      returnToHost(NamespaceFlag.network);
    }
  }

  #fill({ parameters, sysfs }: NetworkShape): Omit<Made, 'key'> {
    bringLoopbackUp();
    writeSysctls(this.#procFd, parameters);
    const sysfsFd = sysfs && newFilesystem('sysfs', [], sysfs.attributes, sysfs.source);
    try {
      return { networkFd: openOwnNamespace(this.#procFd, namespaceFile.network), sysfsFd };
    } catch (error) {
      if (sysfsFd !== undefined) closeSync(sysfsFd);
      throw error;
    }
  }
}

/** The one on /sys, where nothing about it is unusual. */
function sysfsOf(planned: readonly PlannedMount[]): PlannedMount | undefined {
  const all = planned.filter(({ type, destination }) => type === 'sysfs' || destination === '/sys');
  const [mount] = all;
  const isUsual =
    all.length === 1 &&
    mount?.type === 'sysfs' &&
    isPlain(mount) &&
    mount.options.filesystem.length === 0;
  return isUsual ? mount : undefined;
}
