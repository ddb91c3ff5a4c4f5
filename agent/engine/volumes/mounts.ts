/** Turns requested mounts into the container's mounts, and makes missing volumes and sources. */
import { mkdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import type { ContainerSettings, MountSettings, MountView } from '../../contract/container.ts';
import type { ImageConfig } from '../../contract/image.ts';
import { invalid } from '../../errors.ts';
import { type EngineContext, reporter } from '../context.ts';
import type { Undo } from '../undo.ts';
import type { HostFolders } from './bind-sources.ts';
import type { VolumeMakers } from './volume-space.ts';
import { ensureVolume, removeVolume } from './volumes.ts';

type MountContext = Pick<
  EngineContext,
  'paths' | 'volumes' | 'containers' | 'events' | 'report' | 'disks' | 'hostFolders'
>;

export interface ResolvedMounts {
  mounts: MountView[];
  /** Anonymous volumes that were made for this container. */
  ownVolumes: string[];
}

/** Checks everything before anything is made. What is made is added to `undo`. */
export function resolveMounts(
  context: MountContext,
  settings: ContainerSettings,
  image: ImageConfig,
  makers: VolumeMakers,
  undo: Undo,
): ResolvedMounts {
  for (const mount of settings.mounts) checkMount(mount, context.hostFolders);
  refuseDuplicates(settings.mounts);
  const ownVolumes: string[] = [];
  const mounts = [...settings.mounts, ...imageVolumes(settings, image)].map((mount): MountView => {
    if (mount.type === 'tmpfs')
      return { type: 'tmpfs', source: '', target: mount.target, readOnly: false, propagation: '' };
    if (mount.type === 'bind') {
      if (mount.createSource && !isShared(mount, context.hostFolders))
        makeSource(mount.source, undo);
      return {
        type: 'bind',
        source: mount.source,
        target: mount.target,
        readOnly: mount.readOnly,
        propagation: mount.propagation ?? 'rprivate',
        ...(mount.mapIds && { mapIds: true }),
        ...(isShared(mount, context.hostFolders) && { isOfHost: true }),
      };
    }
    const { volume, made } = ensureVolume(context, mount, makers);
    if (made) undo.push(() => removeVolume(context, volume.name, { force: true }));
    if (mount.name === undefined) ownVolumes.push(volume.name);
    return {
      type: 'volume',
      name: volume.name,
      source: volume.mountpoint,
      target: mount.target,
      readOnly: mount.readOnly,
      propagation: '',
    };
  });
  return { mounts, ownVolumes };
}

/** Anonymous volumes for the paths that the image declares and the request does not mount. */
function imageVolumes(settings: ContainerSettings, image: ImageConfig): MountSettings[] {
  const covered = new Set(settings.mounts.map(({ target }) => resolve(target)));
  return Object.keys(image.Volumes ?? {})
    .filter((target) => !covered.has(resolve(target)))
    .map((target) => ({
      type: 'volume',
      target,
      readOnly: false,
      noCopy: false,
      labels: {},
      driverOptions: {},
    }));
}

/** These sources were checked before and must not be touched by this thread (bind-sources.ts). */
const isShared = ({ source }: { source: string }, folders: HostFolders) =>
  folders.mountOf(source) !== undefined;

function checkMount(mount: MountSettings, folders: HostFolders): void {
  const refuse = (why: string) => invalid(`invalid mount config for type "${mount.type}": ${why}`);
  if (!isAbsolute(mount.target))
    throw refuse(`invalid mount path: '${mount.target}' mount path must be absolute`);
  if (resolve(mount.target) === '/')
    throw refuse("invalid specification: destination can't be '/'");
  if (mount.type !== 'bind') return;
  if (!isAbsolute(mount.source))
    throw refuse(`invalid mount path: '${mount.source}' mount path must be absolute`);
  if (isShared(mount, folders)) return;
  if (!mount.createSource && statSync(mount.source, { throwIfNoEntry: false }) === undefined)
    throw refuse(`bind source path does not exist: ${mount.source}`);
}

function refuseDuplicates(mounts: readonly MountSettings[]): void {
  const seen = new Set<string>();
  for (const { target } of mounts) {
    const path = resolve(target);
    if (seen.has(path)) throw invalid(`Duplicate mount point: ${target}`);
    seen.add(path);
  }
}

/** `-v` makes a missing source. A failed create removes it again while it is empty. */
function makeSource(source: string, undo: Undo): void {
  if (statSync(source, { throwIfNoEntry: false }) !== undefined) return;
  const first = mkdirSync(source, { recursive: true });
  if (first === undefined) return;
  undo.push(() => {
    for (let path = resolve(source); path.length >= first.length; path = dirname(path))
      rmdirSync(path);
  });
}

export const reportUndo = (context: Pick<EngineContext, 'report'>, name: string) =>
  reporter(context, `undo the creation of ${name}`);
