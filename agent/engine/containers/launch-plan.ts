/** What the runtime is told about one start of a container. */
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

/** The same for telling what a start would do: containers that it joins need not run, and are named. */
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

/** Of its own, or that of the container that it joins, whose ids are known when that has its own. */
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

/** What does not depend on other containers. */
function ownPart(
  record: ContainerRecord,
): Omit<SpecInput, 'join' | 'sharedMemory' | 'mappedTargets' | 'userNamespace'> {
  const { settings, process, mounts, files } = record;
  return { settings, process, mounts, files, hostname: hostnameOf(record), user: userOf(record) };
}

/**
 * Mounts on whose disk the ids are those inside: the engine's own volumes, so that a volume means
 * the same to every container, and binds that ask for it. Other binds show the machine's ids.
 */
function mappedTargets(
  { volumes }: Pick<EngineContext, 'volumes'>,
  { mounts }: ContainerRecord,
): string[] {
  return mounts
    .filter((mount) => mount.mapIds || isOwnVolume({ volumes }, mount))
    .map(({ target }) => target);
}

/** A directory that a person named for a volume is theirs. */
function isOwnVolume(
  { volumes }: Pick<EngineContext, 'volumes'>,
  { type, name }: MountView,
): boolean {
  const volume = type === 'volume' && name !== undefined ? volumes.get(name) : undefined;
  return volume !== undefined && volume.options.device === undefined;
}

/** Who its process runs as, by the image's files as the container changed them. */
export function userOf({
  process,
  rootfs,
  settings,
}: Pick<ContainerRecord, 'process' | 'rootfs' | 'settings'>): ResolvedUser {
  const files = readUserFiles(rootfs.upper, rootfs.lowers);
  return resolveUser(process.user, files, settings.extraGroups);
}

/** The inits whose namespaces `record` joins. While they run, the paths of the plan name theirs. */
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

/** Containers that share an ipc namespace share `/dev/shm` too: POSIX shared memory lives there. */
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
      // Only our own are filled.
      .filter((mount) => isOwnVolume({ volumes }, mount) && !uncopied.has(mount.target))
      .map(({ source, target }) => ({ source, target })),
  };
}

/**
 * What it has mounted is nobody else's, nor is an address of its network. So it may all stay for a moment
 * after the end, and nobody who waits for that waits for the kernel to take it down.
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

/** A log that is only there to attach to. */
const transientLog = { maxBytes: 1024 * 1024, maxFiles: 2 };

/** What the record does not say is ours: records of before have no such limit. */
export function logPlan(
  { log, limits }: Pick<ContainerRecord['settings'], 'log' | 'limits'>,
  directory: string,
): LogPlan {
  if (log.driver === 'none') return { directory, ...transientLog };
  const { maxBytes, maxFiles } = { ...defaultLog, ...limits.log };
  return { directory, maxBytes: maxBytes ?? 0, maxFiles: maxFiles ?? 0 };
}
