/** Translates `-v`, `--mount`, `--tmpfs`, `--volumes-from` and `Volumes` to mounts. */
import type { MountSettings, MountView } from '../../contract/container.ts';
import { CortenError, invalid } from '../../errors.ts';
import type { Fields } from '../fields.ts';
import type { ContainersBackend } from './backend.ts';

type BindMount = Extract<MountSettings, { type: 'bind' }>;
type VolumeMount = Extract<MountSettings, { type: 'volume' }>;

/** Looks up the containers that `--volumes-from` names. */
export type ContainerLookup = Pick<ContainersBackend, 'inspect'>;

export function readMounts(
  body: Fields,
  host: Fields,
  containers: ContainerLookup,
): MountSettings[] {
  const asked = [
    ...(host.texts('Binds') ?? []).map(readBind),
    ...host.objects('Mounts').map(readMount),
    ...Object.entries(host.textMap('Tmpfs')).map(([target, options]) => readTmpfs(target, options)),
  ];
  refuseDuplicates(asked);
  const taken = new Set(asked.map((mount) => mount.target));
  const inherited = (host.texts('VolumesFrom') ?? [])
    .flatMap((text) => volumesFrom(text, containers))
    .filter((mount) => !taken.has(mount.target));
  for (const mount of inherited) taken.add(mount.target);
  const anonymous = (body.object('Volumes')?.keys() ?? [])
    .filter((target) => !taken.has(target))
    .map((target) => anonymousVolume(target));
  return [...inherited, ...asked, ...anonymous];
}

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
/** Modes that have no effect here: SELinux labels and caching on macOS. */
const ignoredModes = ['z', 'Z', 'cached', 'delegated', 'consistent', 'copy'];

/** Reads `source:target[:mode]`, or only a target for an anonymous volume (moby volume/mounts). */
function readBind(specification: string): MountSettings {
  const refuse = (why: string) =>
    invalid(`invalid volume specification: '${specification}'${why === '' ? '' : `: ${why}`}`);
  const parts = specification.split(':');
  if (parts.length > 3 || parts.some((part) => part === '')) throw refuse('');
  if (parts.length === 1) return anonymousVolume(checkTarget('volume', parts[0]!, refuse));
  const [source, target, mode] = parts as [string, string, string | undefined];
  const words = mode === undefined ? [] : mode.split(',');
  const access = words.filter((word) => ['ro', 'rw'].includes(word));
  const spread = words.filter((word) => propagations.includes(word));
  const known = (word: string) =>
    ['ro', 'rw', 'nocopy', 'idmap', ...propagations, ...ignoredModes].includes(word);
  if (access.length > 1 || spread.length > 1 || !words.every(known))
    throw refuse(`invalid mode: ${mode}`);
  const readOnly = access[0] === 'ro';
  if (source.startsWith('/')) {
    if (words.includes('nocopy'))
      throw refuse(
        'invalid mount config for type "bind": field VolumeOptions must not be specified',
      );
    return {
      type: 'bind',
      source,
      target: checkTarget('bind', target, refuse),
      readOnly,
      propagation: spread[0],
      createSource: true,
      recursive: true,
      ...(words.includes('idmap') && { mapIds: true }),
    };
  }
  if (spread.length > 0)
    throw refuse('invalid mount config for type "volume": field BindOptions must not be specified');
  return {
    ...anonymousVolume(checkTarget('volume', target, refuse)),
    name: checkVolumeName(source),
    readOnly,
    noCopy: words.includes('nocopy'),
  };
}

function readMount(mount: Fields): MountSettings {
  const type = mount.filled('Type') ?? '';
  const refuse = (why: string) => invalid(`invalid mount config for type "${type}": ${why}`);
  if (!isMountType(type)) throw refuse('mount type unknown');
  for (const [options, owner] of Object.entries(optionOwners)) {
    if (owner !== type && mount.has(options))
      throw invalid(`${options} must not be specified on mount type "${type}"`);
  }
  const target = mount.filled('Target');
  if (target === undefined) throw refuse('field Target must not be empty');
  checkTarget(type, target, (why) => invalid(why));
  return mountReaders[type](mount, target, refuse);
}

type Refuse = (why: string) => Error;
type MountType = MountSettings['type'];

const optionOwners: Record<string, MountType> = {
  BindOptions: 'bind',
  VolumeOptions: 'volume',
  TmpfsOptions: 'tmpfs',
};

const mountReaders: Record<
  MountType,
  (mount: Fields, target: string, refuse: Refuse) => MountSettings
> = { bind: readBindMount, volume: readVolumeMount, tmpfs: readTmpfsMount };

function isMountType(type: string): type is MountType {
  return Object.hasOwn(mountReaders, type);
}

function readBindMount(mount: Fields, target: string, refuse: Refuse): BindMount {
  const source = mount.filled('Source');
  if (source === undefined) throw refuse('field Source must not be empty');
  if (!source.startsWith('/'))
    throw refuse(`invalid mount path: '${source}' mount path must be absolute`);
  const options = mount.objectOrEmpty('BindOptions');
  const propagation = options.filled('Propagation');
  if (propagation !== undefined && !propagations.includes(propagation))
    throw refuse(`invalid propagation mode: ${propagation}`);
  return {
    type: 'bind',
    source,
    target,
    readOnly: mount.flag('ReadOnly') ?? false,
    propagation,
    createSource: options.flag('CreateMountpoint') ?? false,
    recursive: !(options.flag('NonRecursive') ?? false),
    ...(options.flag('IdMap') && { mapIds: true }),
  };
}

function readVolumeMount(mount: Fields, target: string, refuse: Refuse): VolumeMount {
  const options = mount.objectOrEmpty('VolumeOptions');
  const driver = options.objectOrEmpty('DriverConfig');
  const driverName = driver.filled('Name') ?? 'local';
  if (driverName !== 'local')
    throw refuse(`error looking up volume plugin ${driverName}: plugin "${driverName}" not found`);
  const name = mount.filled('Source');
  return {
    type: 'volume',
    name: name === undefined ? undefined : checkVolumeName(name),
    target,
    readOnly: mount.flag('ReadOnly') ?? false,
    noCopy: options.flag('NoCopy') ?? false,
    labels: options.textMap('Labels'),
    driverOptions: driver.textMap('Options'),
  };
}

function readTmpfsMount(mount: Fields, target: string, refuse: Refuse): MountSettings {
  if (mount.filled('Source') !== undefined) throw refuse('field Source must not be specified');
  const options = mount.objectOrEmpty('TmpfsOptions');
  const sizeBytes = options.integer('SizeBytes');
  if (sizeBytes !== undefined && sizeBytes < 0) throw refuse('SizeBytes must not be negative');
  return {
    type: 'tmpfs',
    target,
    options: mount.flag('ReadOnly') === true ? ['ro'] : [],
    sizeBytes: sizeBytes || undefined,
    mode: options.integer('Mode') || undefined,
  };
}

const tmpfsOption =
  /^(rw|ro|(no)?(suid|dev|exec|atime|diratime|relatime|strictatime)|r?(private|shared|slave)|(size|nr_blocks|nr_inodes)=\d+[kKmMgG%]?|mode=[0-7]+|(uid|gid)=\d+|huge=\w+|swap|noswap)$/;

function readTmpfs(target: string, text: string): MountSettings {
  checkTarget('tmpfs', target, (why) =>
    invalid(why.replace('invalid mount config for type "tmpfs": ', '')),
  );
  const options = text.split(',').filter((option) => option !== '');
  for (const option of options) {
    if (!tmpfsOption.test(option)) throw invalid(`invalid tmpfs option ["${option}"]`);
  }
  return { type: 'tmpfs', target, options };
}

function anonymousVolume(target: string): VolumeMount {
  checkTarget('volume', target, (why) => invalid(why));
  return { type: 'volume', target, readOnly: false, noCopy: false, labels: {}, driverOptions: {} };
}

/** Reads `container[:ro|rw]`: the binds and volumes of another container, volumes by name. */
function volumesFrom(text: string, containers: ContainerLookup): MountSettings[] {
  const [reference = '', mode = 'rw'] = text.split(':');
  if (!['ro', 'rw', 'z', 'Z'].includes(mode)) throw invalid(`invalid mode: ${mode}`);
  return mountsOf(reference, containers)
    .filter((mount) => mount.type !== 'tmpfs')
    .map((mount) => inherit(mount, mode === 'ro' || mount.readOnly));
}

function mountsOf(reference: string, containers: ContainerLookup): MountView[] {
  try {
    return containers.inspect(reference).mounts;
  } catch (error) {
    // The status must not be 404, which clients take for a missing image.
    if (error instanceof CortenError && error.kind === 'not-found')
      throw invalid(error.message, error);
    throw error;
  }
}

function inherit(mount: MountView, readOnly: boolean): MountSettings {
  if (mount.type === 'volume')
    return { ...anonymousVolume(mount.target), name: mount.name, readOnly };
  return {
    type: 'bind',
    source: mount.source,
    target: mount.target,
    readOnly,
    propagation: mount.propagation || undefined,
    createSource: false,
    recursive: true,
    ...(mount.mapIds && { mapIds: true }),
  };
}

function checkTarget(type: MountType, target: string, refuse: Refuse): string {
  const about = `invalid mount config for type "${type}"`;
  if (!target.startsWith('/'))
    throw refuse(`${about}: invalid mount path: '${target}' mount path must be absolute`);
  if (/^\/+(\.\/*)*$/.test(target))
    throw refuse(`${about}: invalid specification: destination can't be '/'`);
  return target;
}

function checkVolumeName(name: string): string {
  if (name.length < 2)
    throw invalid(
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    );
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
    throw invalid(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  return name;
}

function refuseDuplicates(mounts: readonly MountSettings[]): void {
  const seen = new Set<string>();
  for (const { target } of mounts) {
    const clean = target.replace(/(?<=.)\/+$/, '');
    if (seen.has(clean)) throw invalid(`Duplicate mount point: ${clean}`);
    seen.add(clean);
  }
}
