/** The OCI spec and the requests to the runtime for one start of a container. */
import type { Cgroup, CgroupPlacement } from '../../cgroup/cgroup.ts';
import type { MountView } from '../../contract/container.ts';
import { defaultLog } from '../../contract/limits.ts';
import type { OciSpec } from '../../contract/oci-runtime.ts';
import { conflict } from '../../errors.ts';
import { namespaceFile } from '../../kernel/namespaces.ts';
import type {
  LaunchRequest,
  LogPlan,
  PrepareRequest,
  ProcessHandle,
} from '../../runtime/runtime.ts';
import type { EngineContext } from '../context.ts';
import { hostnameOf } from '../networks/network-files.ts';
import { containerPaths } from '../paths.ts';
import { type BuiltSpec, buildSpec, type SpecInput } from '../spec/spec.ts';
import { type ResolvedUser, resolveUser } from '../spec/user.ts';
import { readUserFiles } from '../spec/user-files.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { joinedContainers } from './joined-containers.ts';
import type { OpenLayer } from './layer.ts';
import { userNamespaceOf } from './user-namespace.ts';

export function planSpec(
  context: Pick<EngineContext, 'containers' | 'live' | 'volumes'>,
  record: ContainerRecord,
): BuiltSpec {
  const join: SpecInput['join'] = {};
  for (const [type, reference] of joinedContainers(record))
    join[type] = `/proc/${initOf(context, reference, type).pid}/ns/${namespaceFile[type]}`;
  const userNamespace = userNamespaceOf(context, record);
  return buildSpec({
    ...ownPart(record),
    join,
    mappedTargets: userNamespace === undefined ? [] : mappedTargets(context, record),
    ...(userNamespace && { userNamespace }),
    ...sharedMemoryOf(context, record),
  });
}

/**
 * The spec for a report of what a start would do. Containers that it joins need not run; their
 * names stand for their namespaces.
 */
export function planSpecOf(
  record: ContainerRecord,
  { containers }: Pick<EngineContext, 'containers'>,
): BuiltSpec {
  const joined = joinedContainers(record);
  const join = Object.fromEntries(joined.map(([type, reference]) => [type, reference]));
  const sharedMemory = joined.find(([type]) => type === 'ipc')?.[1];
  return buildSpec({
    ...ownPart(record),
    join,
    mappedTargets: [],
    ...plannedUserNamespace(record, joined[0]?.[1], containers),
    ...(sharedMemory && { sharedMemory }),
  });
}

/** The container's own user namespace, or that of the container it joins. */
function plannedUserNamespace(
  { idRange, settings }: ContainerRecord,
  joined: string | undefined,
  containers: EngineContext['containers'],
): Pick<SpecInput, 'userNamespace'> {
  if (idRange !== undefined) return { userNamespace: { range: idRange } };
  if (settings.namespaces.user !== 'auto' || joined === undefined) return {};
  const range = (containers.get(joined) ?? containers.byName(joined))?.idRange;
  return { userNamespace: { path: joined, ...(range && { range }) } };
}

/** The part of the spec that does not depend on other containers. */
function ownPart(
  record: ContainerRecord,
): Omit<SpecInput, 'join' | 'sharedMemory' | 'mappedTargets' | 'userNamespace'> {
  const { settings, process, mounts, files } = record;
  return { settings, process, mounts, files, hostname: hostnameOf(record), user: userOf(record) };
}

/**
 * Targets of the mounts whose files on disk carry the ids used inside: the engine's own volumes, so
 * that all containers can share them, and bind mounts that ask for it. Other bind mounts show the
 * host's ids.
 */
function mappedTargets(
  { volumes }: Pick<EngineContext, 'volumes'>,
  { mounts }: ContainerRecord,
): string[] {
  return mounts
    .filter((mount) => mount.mapIds || isOwnVolume({ volumes }, mount))
    .map(({ target }) => target);
}

/** A volume with a `device` option is a directory of the user's, which the engine does not own. */
function isOwnVolume(
  { volumes }: Pick<EngineContext, 'volumes'>,
  { type, name }: MountView,
): boolean {
  const volume = type === 'volume' && name !== undefined ? volumes.get(name) : undefined;
  return volume !== undefined && volume.options.device === undefined;
}

/**
 * The user of the container's process, looked up in passwd and group as the container has changed
 * them.
 */
export function userOf({
  process,
  rootfs,
  settings,
}: Pick<ContainerRecord, 'process' | 'rootfs' | 'settings'>): ResolvedUser {
  const files = readUserFiles(rootfs.upper, rootfs.lowers);
  return resolveUser(process.user, files, settings.extraGroups);
}

/**
 * The init processes whose namespaces `record` joins. The spec names them by pid, so they must
 * still run at the launch.
 */
export function joinedInits(
  context: Pick<EngineContext, 'containers' | 'live'>,
  record: ContainerRecord,
): ProcessHandle[] {
  return joinedContainers(record).map(([type, reference]) => initOf(context, reference, type));
}

function initOf(
  { containers, live }: Pick<EngineContext, 'containers' | 'live'>,
  reference: string,
  namespace: string,
): ProcessHandle {
  const { id } = containers.find(reference);
  const running = live.get(id);
  if (running === undefined)
    throw conflict(
      `cannot join ${namespace} namespace of a non running container: ${id}. Start it first.`,
    );
  return running.process;
}

/**
 * Containers that share an ipc namespace share `/dev/shm` too, because POSIX shared memory lives
 * there.
 */
function sharedMemoryOf(
  context: Pick<EngineContext, 'containers' | 'live'>,
  { settings: { namespaces } }: ContainerRecord,
): { sharedMemory?: string } {
  const { ipc } = namespaces;
  if (typeof ipc === 'string') return {};
  return { sharedMemory: `/proc/${initOf(context, ipc.container, 'ipc').pid}/root/dev/shm` };
}

export function prepareRequest(
  { volumes }: Pick<EngineContext, 'volumes'>,
  record: ContainerRecord,
  spec: OciSpec,
  cgroup: Cgroup,
  layer: OpenLayer,
): PrepareRequest {
  const { settings, mounts, rootfs } = record;
  const uncopied = new Set(
    settings.mounts
      .filter((mount) => mount.type === 'volume' && mount.noCopy)
      .map(({ target }) => target),
  );
  return {
    spec,
    rootfs: {
      kind: 'overlay',
      upper: rootfs.upper,
      work: rootfs.work,
      lowers: rootfs.lowers,
      ...(layer.mount && { below: layer.mount }),
    },
    cgroupPaths: cgroup.paths,
    unwired: typeof settings.network.mode !== 'object',
    keepsMounts: isByItself(record),
    copyUp: mounts
      // Only the engine's own volumes are filled from the image.
      .filter((mount) => isOwnVolume({ volumes }, mount) && !uncopied.has(mount.target))
      .map(({ source, target }) => ({ source, target })),
  };
}

/**
 * Whether the container shares no mount and no network with others. Its mounts may then outlive it
 * for a moment, so that nobody who waits for its exit waits for the unmounts.
 */
function isByItself({ settings, mounts, rootfs }: ContainerRecord): boolean {
  return settings.network.mode === 'none' && mounts.length === 0 && rootfs.space === undefined;
}

export function launchRequest(
  { paths }: Pick<EngineContext, 'paths'>,
  { id, settings, logDirectory }: ContainerRecord,
  spec: OciSpec,
  placement: CgroupPlacement,
): LaunchRequest {
  return {
    spec,
    runDirectory: containerPaths(paths, id).run,
    placement,
    log: logPlan(settings, logDirectory),
    openStdin: settings.openStdin,
    init: settings.init,
    keepsRoot: true,
  };
}

/** The log of a container with log driver `none`, which `attach` still reads. */
const transientLog = { maxBytes: 1024 * 1024, maxFiles: 2 };

/** Records written before log limits existed have none, so the defaults apply. */
export function logPlan(
  { log, limits }: Pick<ContainerRecord['settings'], 'log' | 'limits'>,
  directory: string,
): LogPlan {
  if (log.driver === 'none') return { directory, ...transientLog };
  const { maxBytes, maxFiles } = { ...defaultLog, ...limits.log };
  return { directory, maxBytes: maxBytes ?? 0, maxFiles: maxFiles ?? 0 };
}
