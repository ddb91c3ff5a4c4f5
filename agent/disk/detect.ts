/** Chooses the disk driver by what the file system of the state directory offers. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { inUserNamespace } from '../kernel/user-namespaces.ts';
import { BtrfsDisk, findQgroups } from './btrfs-disk.ts';
import type { DiskDriver } from './disk.ts';
import { imageOf, LoopDisk } from './loop-disk.ts';
import { NoDisk } from './no-disk.ts';
import { projectsOf, QuotaDisk } from './quota-disk.ts';

export interface DetectOptions {
  root: string;
  /** Directories whose children may contain spaces. They must exist. */
  parents: string[];
  /** Gets errors of background work. */
  report: (what: string, error: unknown) => void;
}

export function detectDiskDriver({ root, parents, report }: DetectOptions): DiskDriver {
  // This also holds when the loop devices can be opened, because only the machine's root may mount a file system from
  // one.
  if (inUserNamespace())
    return new NoDisk({
      cause: 'Without root there are neither loop devices nor quotas to set.',
      nextStep: 'Run the agent as root: sudo scripts/agent.',
    });
  const mount = mountOf(readFileSync('/proc/self/mountinfo', 'utf8'), root);
  const kind = quotaKind(mount);
  if (kind !== undefined && !holdsImages(parents)) return quotaDisk(kind, parents, root);
  const qgroups = findQgroups(root);
  if (qgroups !== undefined && !holdsImages(parents)) return new BtrfsDisk(qgroups);
  if (!existsSync('/dev/loop-control'))
    return new NoDisk({
      cause: `${root} is on ${mount?.type ?? 'a file system'} without project quota, and there are no loop devices.`,
      nextStep: 'As root, run: modprobe loop.',
    });
  const { bsize, blocks } = statfsSync(root);
  return new LoopDisk({
    workDirectory: join(root, 'disk-forms'),
    stateBytes: bsize * blocks,
    growsOnline: hasCapability(readFileSync('/proc/self/status', 'utf8'), CAP_SYS_RESOURCE),
    detachedLayers: atLeast(release(), 6, 15),
    report: (error) => report('prepare or remove disk space', error),
  });
}

/** Driver for the layers of `root` when they are on a file system of their own that can limit directories. */
export function detectLayerDriver(layers: string, root: string): DiskDriver | undefined {
  const kind = quotaKind(mountOf(readFileSync('/proc/self/mountinfo', 'utf8'), layers));
  return kind && quotaDisk(kind, [layers], root);
}

/** Finds the highest project number in use in all spaces. */
function quotaDisk(kind: QuotaDisk['kind'], parents: string[], root: string): QuotaDisk {
  const projects = projectsOf(kind);
  return new QuotaDisk({ kind, projects, parents, firstProject: firstProjectOf(root) });
}

/**
 * Whether spaces in files exist from before quotas were switched on; they stay with their driver until the last is
 * removed.
 */
function holdsImages(parents: readonly string[]): boolean {
  return parents.some((parent) =>
    readdirSync(parent).some((name) => existsSync(imageOf(join(parent, name, 'disk')))),
  );
}

const CAP_SYS_RESOURCE = 24n;

interface Mount {
  type: string;
  options: string[];
}

/** Mount of a path: the last one with the longest matching mount point (proc_pid_mountinfo(5)). */
export function mountOf(mountinfo: string, path: string): Mount | undefined {
  let best: { point: string; mount: Mount } | undefined;
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const point = unescaped(left.split(' ')[4] ?? '');
    const [type, , options] = right.split(' ');
    if (type === undefined || !holds(point, path)) continue;
    if (best !== undefined && point.length < best.point.length) continue;
    best = { point, mount: { type, options: (options ?? '').split(',') } };
  }
  return best?.mount;
}

const holds = (point: string, path: string) =>
  point !== '' && (point === '/' || path === point || path.startsWith(`${point}/`));

/** Decodes the octal escapes of spaces and other characters. */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Kind of project quota, if the mount options say that limits are enforced and not only counted. */
export function quotaKind(mount: Mount | undefined): 'xfs-quota' | 'ext4-quota' | undefined {
  if (
    mount?.type === 'xfs' &&
    mount.options.some((option) => ['prjquota', 'pquota'].includes(option))
  )
    return 'xfs-quota';
  if (mount?.type === 'ext4' && mount.options.includes('prjquota')) return 'ext4-quota';
  return undefined;
}

/** First of 65,536 project numbers, chosen by the state directory, above those that people assign by hand. */
export function firstProjectOf(root: string): number {
  const digest = createHash('sha256').update(root).digest();
  return ((digest.readUInt16BE(0) & 0x7fff) + 1) * 65_536;
}

export function hasCapability(status: string, capability: bigint): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
}

export function atLeast(version: string, major: number, minor: number): boolean {
  const [haveMajor = 0, haveMinor = 0] = version.split('.').map(Number);
  return haveMajor > major || (haveMajor === major && haveMinor >= minor);
}
