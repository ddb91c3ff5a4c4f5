/**
 * Sorts the mount(8) options of an OCI mount by the system call that takes them (config.md,
 * "Mounts").
 */
import { posix } from 'node:path';
import type { OciSpec } from '../contract/oci-runtime.ts';
import type { FilesystemOption } from '../kernel/mount.ts';
import { MountAttribute, Propagation } from '../kernel/mount.ts';

export interface MountOptions {
  /** MOUNT_ATTR_* to set and to clear on the mount itself. */
  set: number;
  clear: number;
  /** The same for all mounts below a recursive bind mount (`rro`, `rnosuid`, …). */
  recursiveSet: number;
  recursiveClear: number;
  bind: 'no' | 'one' | 'recursive';
  propagation: { type: bigint; recursive: boolean } | undefined;
  /** Whether files on disk carry the ids used inside the container (config.md, "idmap"). */
  idmap: 'no' | 'one' | 'recursive';
  /** Whether a new tmpfs starts with a copy of the image's files there. */
  copyUp: boolean;
  /** Whether a source that is a symbolic link is copied as a link (crun). */
  copySymlink: boolean;
  /** Options of the file system itself, such as `size=64m` or `newinstance`. */
  filesystem: FilesystemOption[];
}

const attribute = MountAttribute;

const attributeOptions: Record<string, { set?: number; clear?: number }> = {
  ro: { set: attribute.readOnly },
  rw: { clear: attribute.readOnly },
  nosuid: { set: attribute.noSuid },
  suid: { clear: attribute.noSuid },
  nodev: { set: attribute.noDev },
  dev: { clear: attribute.noDev },
  noexec: { set: attribute.noExec },
  exec: { clear: attribute.noExec },
  noatime: { clear: attribute.atime, set: attribute.noAtime },
  strictatime: { clear: attribute.atime, set: attribute.strictAtime },
  relatime: { clear: attribute.atime },
  atime: { clear: attribute.atime },
  nodiratime: { set: attribute.noDirAtime },
  diratime: { clear: attribute.noDirAtime },
  nosymfollow: { set: attribute.noSymFollow },
  symfollow: { clear: attribute.noSymFollow },
};

const propagationOptions: Record<string, { type: bigint; recursive: boolean }> = {
  private: { type: Propagation.private, recursive: false },
  rprivate: { type: Propagation.private, recursive: true },
  slave: { type: Propagation.slave, recursive: false },
  rslave: { type: Propagation.slave, recursive: true },
  shared: { type: Propagation.shared, recursive: false },
  rshared: { type: Propagation.shared, recursive: true },
  unbindable: { type: Propagation.unbindable, recursive: false },
  runbindable: { type: Propagation.unbindable, recursive: true },
};

/** Normalizes a destination, so that two of them can be compared. */
export function mountPath(destination: string): string {
  return posix.normalize(`/${destination}`).replace(/(.)\/$/, '$1');
}

/** `linux.rootfsPropagation` (config-linux.md, "Rootfs Mount Propagation"). */
export function rootPropagation({ linux }: OciSpec) {
  return propagationOptions[linux.rootfsPropagation ?? ''];
}

/** Options without effect in the kernel: defaults, and hints for mount(8) or another engine. */
const silentOptions = new Set([
  ...['defaults', 'async', 'z', 'Z', 'loud', 'silent', 'nomand', 'nolazytime'],
  ...['norelatime', 'nostrictatime', 'iversion', 'noiversion', 'rnorelatime', 'rnostrictatime'],
]);

/** Every option that does not belong to a file system. */
export const mountOptionNames: readonly string[] = [
  ...['bind', 'rbind', 'idmap', 'ridmap', 'tmpcopyup', 'copy-symlink'],
  ...silentOptions,
  ...Object.keys(propagationOptions),
  ...Object.keys(attributeOptions).flatMap((name) => [name, `r${name}`]),
].sort();

export function parseMountOptions(options: readonly string[]): MountOptions {
  const parsed: MountOptions = {
    set: 0,
    clear: 0,
    recursiveSet: 0,
    recursiveClear: 0,
    bind: 'no',
    idmap: 'no',
    copyUp: false,
    copySymlink: false,
    propagation: undefined,
    filesystem: [],
  };
  for (const option of options) apply(parsed, option);
  return parsed;
}

function apply(parsed: MountOptions, option: string): void {
  if (silentOptions.has(option)) return;
  if (option === 'bind') parsed.bind = 'one';
  else if (option === 'rbind') parsed.bind = 'recursive';
  else if (option === 'idmap') parsed.idmap = 'one';
  else if (option === 'ridmap') parsed.idmap = 'recursive';
  else if (option === 'tmpcopyup') parsed.copyUp = true;
  else if (option === 'copy-symlink') parsed.copySymlink = true;
  else if (option in propagationOptions) parsed.propagation = propagationOptions[option];
  else if (option in attributeOptions) applyAttribute(parsed, option);
  else if (option.startsWith('r') && option.slice(1) in attributeOptions)
    applyRecursive(parsed, option.slice(1));
  else parsed.filesystem.push(splitOption(option));
}

/** The last of two opposites wins, as with mount(8). */
function applyAttribute(parsed: MountOptions, option: string): void {
  const { set = 0, clear = 0 } = attributeOptions[option]!;
  parsed.set = (parsed.set & ~clear) | set;
  parsed.clear = (parsed.clear & ~set) | clear;
}

function applyRecursive(parsed: MountOptions, option: string): void {
  const { set = 0, clear = 0 } = attributeOptions[option]!;
  parsed.recursiveSet = (parsed.recursiveSet & ~clear) | set;
  parsed.recursiveClear = (parsed.recursiveClear & ~set) | clear;
}

function splitOption(option: string): FilesystemOption {
  const equals = option.indexOf('=');
  return equals < 0 ? [option] : [option.slice(0, equals), option.slice(equals + 1)];
}
