/** Volumes of the `local` driver: a directory under the state root, or one that the user names. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { VolumesBackend, VolumeView } from '../../api/volumes/backend.ts';
import { CortenError, conflict, invalid } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';
import type { EngineContext } from '../context.ts';
import { directoryBytes } from '../files/directory-size.ts';
import { newId } from '../ids.ts';
import { matchesLabels } from '../label-filter.ts';
import { spaceName, volumeData, volumeSpace, volumesDirectory } from '../paths.ts';
import type { VolumeRecord } from '../state/volume-table.ts';
import {
  limitOptions,
  limitsOf,
  makeVolumeSpace,
  prepareVolumes,
  updateVolume,
  type VolumeMakers,
  volumeUsage,
} from './volume-space.ts';

type VolumeContext = Pick<
  EngineContext,
  'paths' | 'volumes' | 'containers' | 'events' | 'report' | 'disks'
>;

const nameRule = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** Docker's label for anonymous volumes, which `volume prune` looks for. */
const anonymousLabel = 'com.docker.volume.anonymous';

export interface VolumeRequest {
  name?: string;
  driver?: string;
  driverOptions: Record<string, string>;
  labels: Record<string, string>;
}

export function createVolumesBackend(context: VolumeContext): VolumesBackend {
  const view = (record: VolumeRecord): VolumeView => ({
    ...record,
    users: usersOf(context, record.name),
  });
  return {
    create: async (request) => {
      const makers = await prepareVolumes(context, [request]);
      return view(ensureVolume(context, request, makers).volume);
    },
    list: () => context.volumes.all().map(view),
    inspect: (name) => view(context.volumes.find(name)),
    remove: (name, options) => removeVolume(context, name, options),
    prune: (filter) => pruneVolumes(context, filter),
    size: async (name) => directoryBytes(context.volumes.find(name).mountpoint),
    updateLimits: async (name, change, dryRun = false) => {
      const { volume, warnings } = updateVolume(context, name, change, dryRun);
      return { volume: view(volume), warnings };
    },
    diskUsage: async (name) => volumeUsage(context, context.volumes.find(name)),
  };
}

/** The volume with this name, made if it does not exist, or a new anonymous one without a name. */
export function ensureVolume(
  context: Pick<EngineContext, 'paths' | 'volumes' | 'events' | 'disks' | 'report'>,
  request: VolumeRequest,
  makers: VolumeMakers,
): { volume: VolumeRecord; made: boolean } {
  const existing = request.name === undefined ? undefined : context.volumes.get(request.name);
  if (existing !== undefined) return { volume: existing, made: false };
  const makeSpace = makers(request.driverOptions);
  const volume = checkedVolume(context, request, makeSpace !== undefined);
  if (makeSpace !== undefined) makeVolumeSpace(context, volume, makeSpace);
  else if (volume.options.device === undefined)
    mkdirSync(volume.mountpoint, { recursive: true, mode: 0o755 });
  context.volumes.insert(volume);
  context.events.emit({
    type: 'volume',
    action: 'create',
    id: volume.name,
    attributes: { driver: 'local' },
  });
  return { volume, made: true };
}

function checkedVolume(
  { paths }: Pick<EngineContext, 'paths'>,
  { name: given, driver = 'local', driverOptions, labels }: VolumeRequest,
  limited: boolean,
): VolumeRecord {
  const name = given ?? newId();
  const anonymous = given === undefined;
  if (driver !== 'local')
    throw new CortenError(
      'not-found',
      `error looking up volume plugin ${driver}: plugin "${driver}" not found. Only the local driver is there.`,
    );
  if (!nameRule.test(name))
    throw invalid(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  return {
    name,
    driver,
    mountpoint: deviceOf(name, driverOptions) ?? volumeData(paths, name, limited),
    createdAt: new Date(),
    labels: anonymous ? { ...labels, [anonymousLabel]: '' } : labels,
    options: driverOptions,
    anonymous,
    limits: limitsOf(driverOptions),
    ...(limited && { space: volumeSpace(paths, name) }),
  };
}

/** The directory of a volume made with `type=none,o=bind,device=/path`. */
function deviceOf(name: string, options: Record<string, string>): string | undefined {
  if (Object.keys(options).every((option) => limitOptions.includes(option))) return undefined;
  const { type = 'none', o = '', device } = options;
  const bind = o.split(',').some((option) => option === 'bind' || option === 'rbind');
  if (type !== 'none' || !bind || device === undefined || !isAbsolute(device))
    throw new CortenError(
      'not-implemented',
      `create ${name}: volumes can be kept in a directory of the machine (type=none, o=bind, device=/absolute/path), or limited in size (size=10g, inodes=100000), not with the options ${JSON.stringify(options)}. For memory use a tmpfs mount.`,
    );
  return device;
}

export async function removeVolume(
  context: VolumeContext,
  name: string,
  { force }: { force: boolean },
): Promise<void> {
  if (force && context.volumes.get(name) === undefined) return;
  const volume = context.volumes.find(name);
  const users = usersOf(context, name);
  if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`);
  context.volumes.delete(name);
  await removeData(context, volume);
  context.events.emit({
    type: 'volume',
    action: 'destroy',
    id: name,
    attributes: { driver: 'local' },
  });
}

/**
 * The record is deleted already, so a directory left by a crash here is removed by the garbage
 * collection.
 */
async function removeData({ paths, disks }: VolumeContext, volume: VolumeRecord): Promise<void> {
  if (volume.options.device !== undefined) return;
  const { space } = volume;
  // The mount ends first; a container that has just ended may hold it a moment longer.
  if (space !== undefined) disks.volumes.detach(space);
  // The directory is renamed first, so that a new volume with the same name never sees the old
  // data.
  const doomed = join(volumesDirectory(paths), `.removed-${randomUUID()}`);
  try {
    renameSync(join(volumesDirectory(paths), volume.name), doomed);
  } catch (error) {
    // Somebody removed it by hand.
    if (hasErrno(error, 'ENOENT')) return;
    throw error;
  }
  if (space !== undefined) await disks.volumes.remove(join(doomed, spaceName));
  await rm(doomed, { recursive: true, force: true });
}

async function pruneVolumes(
  context: VolumeContext,
  filter: Parameters<VolumesBackend['prune']>[0],
): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  for (const volume of context.volumes.all()) {
    if (!filter.all && !volume.anonymous) continue;
    if (!matchesLabels(volume.labels, filter.labels)) continue;
    if (usersOf(context, volume.name).length > 0) continue;
    const bytes = await directoryBytes(volume.mountpoint);
    await removeVolume(context, volume.name, { force: true });
    deleted.push(volume.name);
    reclaimedBytes += bytes;
  }
  context.events.emit({
    type: 'volume',
    action: 'prune',
    id: '',
    attributes: { reclaimed: String(reclaimedBytes) },
  });
  return { deleted, reclaimedBytes };
}

function usersOf({ containers }: Pick<EngineContext, 'containers'>, name: string): string[] {
  return containers
    .all()
    .filter(({ mounts }) => mounts.some((mount) => mount.type === 'volume' && mount.name === name))
    .map(({ id }) => id);
}

/** Whether a volume is empty, so that the image's files may be copied into it. */
export function isEmptyVolume(mountpoint: string): boolean {
  try {
    return readdirSync(mountpoint).length === 0;
  } catch (error) {
    // The path is no directory, which the mount reports with a better message.
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}
