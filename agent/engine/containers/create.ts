/** Makes a container: its directories, its volumes and its record. Nothing of it runs yet. */
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { CreateRequest } from '../../api/containers/backend.ts';
import type { ContainerSettings } from '../../contract/container.ts';
import type { MakeSpace } from '../../disk/disk.ts';
import { invalid, notFound } from '../../errors.ts';
import type { StoredImage } from '../../images/store.ts';
import { type EngineContext, reporter } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import { newId } from '../ids.ts';
import { processOf, withImageDefaults } from '../images/image-defaults.ts';
import { checkedName, inventName } from '../names.ts';
import { exposedOnly, idleEndpoint } from '../networks/network-endpoints.ts';
import { type ContainerPaths, containerPaths } from '../paths.ts';
import { type ContainerRecord, newState } from '../state/container-record.ts';
import { Undo } from '../undo.ts';
import { prepareBindSources } from '../volumes/bind-sources.ts';
import { resolveMounts } from '../volumes/mounts.ts';
import { prepareVolumes } from '../volumes/volume-space.ts';
import { containerDirectories, makeDirectory } from './container-directories.ts';
import { withDiskDefault } from './disk-default.ts';
import { explainFullDisk } from './full-disk.ts';
import { makeLayer, newSpace, prepareLayer } from './layer.ts';
import { checkLimits, withoutUnkeptDefault, withSwapDefault } from './limit-checks.ts';
import { idRangeFor, withUserNamespace } from './user-namespace.ts';

type CreateContext = Pick<
  EngineContext,
  | 'paths'
  | 'containers'
  | 'volumes'
  | 'networks'
  | 'images'
  | 'events'
  | 'report'
  | 'userNamespaces'
  | 'disks'
  | 'defaultDisk'
  | 'proxies'
  | 'hostFolders'
  | 'cgroups'
  | 'containerDirectoryPool'
  | 'layerDirectoryPool'
  | 'live'
>;

export async function createContainer(
  context: CreateContext,
  request: CreateRequest,
): Promise<{ id: string; warnings: string[] }> {
  const image = requireImage(context, request.settings);
  const settings = withUserNamespace(
    checkedSettings(context, request.settings, image),
    context.userNamespaces,
  );
  await prepareBindSources(context.hostFolders, settings.mounts);
  // Everything that takes time comes first, so that nothing waits between the check of the name and
  // the insert.
  const makeSpace = await prepareLayer(context, settings.limits.disk ?? {});
  const volumeMakers = await prepareVolumes(
    context,
    settings.mounts.filter((mount) => mount.type === 'volume'),
  );
  const name =
    request.name === undefined || request.name === ''
      ? inventName((taken) => context.containers.byName(taken) !== undefined)
      : checkedName(request.name);
  const id = newId();
  const paths = containerPaths(context.paths, id);
  const undo = new Undo();
  try {
    // All of this is synchronous, so no other request runs between the check of the name and the
    // insert. Directories are made before the record, so that the garbage collection at the next
    // start finds what a crash left.
    const layer = makeDirectories(context, paths, makeSpace, undo);
    const record: ContainerRecord = {
      id,
      name,
      createdAt: new Date(),
      imageId: image.id,
      settings,
      process: processOf(settings),
      state: newState(),
      ...resolveMounts(context, settings, image.config, volumeMakers, undo),
      networks: idleNetworks(context, settings),
      ports: exposedOnly({ settings }, []),
      networkSandboxId: '',
      logDirectory: paths.log,
      rootfs: { ...layer, lowers: image.lowers },
      files: paths.files,
      origin: request.origin,
      manuallyStopped: false,
      ...idRangeFor(context, settings, id),
    };
    context.containers.insert(record);
    emitContainerEvent(context.events, record, 'create');
  } catch (failure) {
    // The disk is examined before the undo, which may free the space again.
    const error = explainFullDisk(failure, `${name} cannot be made`, context.paths);
    await undo.run(reporter(context, `undo the creation of ${name}`));
    throw error;
  }
  return { id, warnings: [] };
}

function requireImage(
  { images }: Pick<EngineContext, 'images'>,
  { image: reference, platform }: ContainerSettings,
): StoredImage {
  const image = images.find(reference);
  // The docker CLI looks for exactly these words before it pulls the image.
  if (image === undefined) throw notFound(`No such image: ${withTag(reference)}`);
  if (platform !== undefined && platform !== '') checkPlatform(reference, platform, image);
  return image;
}

function withTag(reference: string): string {
  const last = reference.slice(reference.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? reference : `${reference}:latest`;
}

function checkPlatform(reference: string, platform: string, image: StoredImage): void {
  const [os, architecture] = platform.split('/');
  if (os === image.os && (architecture === undefined || architecture === image.architecture))
    return;
  throw notFound(
    `image with reference ${reference} was found but its platform (${image.os}/${image.architecture}) does not match the specified platform (${platform})`,
  );
}

function checkedSettings(
  context: Pick<EngineContext, 'defaultDisk' | 'disks' | 'paths' | 'proxies' | 'cgroups'>,
  given: ContainerSettings,
  image: StoredImage,
): ContainerSettings {
  const { proxies, cgroups } = context;
  const merged = withImageDefaults(given, image.config, proxies.environment());
  const limits = withDiskDefault(
    withSwapDefault(withoutUnkeptDefault(merged.limits, cgroups.controllers)),
    context,
  );
  const settings = { ...merged, limits };
  checkLimits(settings.limits, availableParallelism);
  cgroups.check(settings.limits);
  if (settings.autoRemove && settings.restart.name !== 'no')
    throw invalid("can't create 'AutoRemove' container with restart policy");
  if (settings.restart.maximumRetryCount !== 0 && settings.restart.name !== 'on-failure')
    throw invalid(
      `invalid restart policy: maximum retry count can only be used with 'on-failure', not with '${settings.restart.name}'`,
    );
  const directory = settings.workingDirectory;
  if (directory && !directory.startsWith('/'))
    throw invalid(
      `the working directory '${directory}' is invalid, it needs to be an absolute path`,
    );
  return settings;
}

function idleNetworks({ networks }: Pick<EngineContext, 'networks'>, settings: ContainerSettings) {
  const { mode } = settings.network;
  if (mode === 'none' || mode === 'host')
    return [idleEndpoint(networks, { network: mode, aliases: [] })];
  return 'networks' in mode
    ? mode.networks.map((endpoint) => idleEndpoint(networks, endpoint))
    : [];
}

function makeDirectories(
  {
    disks,
    containerDirectoryPool,
    layerDirectoryPool,
  }: Pick<EngineContext, 'disks' | 'containerDirectoryPool' | 'layerDirectoryPool'>,
  paths: ContainerPaths,
  makeSpace: MakeSpace | undefined,
  undo: Undo,
) {
  undo.push(async () => {
    await disks.layers.remove(newSpace({ disks }, paths));
    for (const directory of [paths.layer, paths.directory])
      await rm(directory, { recursive: true, force: true });
  });
  if (!containerDirectoryPool.takeAs(paths.directory))
    makeDirectory(paths.directory, containerDirectories(paths));
  return makeLayer({ disks, layerDirectoryPool }, paths, makeSpace);
}
