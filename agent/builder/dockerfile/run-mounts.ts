/** RUN's `--mount`: what is mounted where, from which tree. */
import { posix } from 'node:path';
import type { InstructionOf } from '../../dockerfile/instruction.ts';
import { type MountOptions, readMount } from '../../dockerfile/mount-options.ts';
import type { ExecMount, ExecSecret, ExecSshSocket } from '../llb/exec.ts';
import { fileVertex } from '../llb/files.ts';
import { type Edge, outputOf } from '../llb/graph.ts';
import { CacheSharingOpt } from '../llb/ops.ts';
import { cleanPath } from '../patterns.ts';
import { type Conversion, expandWord } from './conversion.ts';
import type { StageNode, StageStep } from './stage-node.ts';

export interface RunMounts {
  mounts: ExecMount[];
  secrets: ExecSecret[];
  sshSockets: ExecSshSocket[];
  /** Variables as they may be shown: those that hold secrets are asterisks. */
  masked(env: ReadonlyMap<string, string>): ReadonlyMap<string, string>;
}

export function runMounts(node: StageNode, step: StageStep, conversion: Conversion): RunMounts {
  const { source, mounts: written } = step.instruction as InstructionOf<'run'>;
  const read = written.map((text) =>
    readMount(text, (word) => expandWord(word, node, source, conversion)),
  );
  const trees = read.map((mount, index) => ({ mount, from: step.sources[index]! }));
  return {
    mounts: trees
      .filter(({ mount }) => mount.type !== 'secret' && mount.type !== 'ssh')
      .map(({ mount, from }) => treeMount(mount, from, node, conversion)),
    secrets: read.filter(({ type }) => type === 'secret').map(secretOf),
    sshSockets: read.filter(({ type }) => type === 'ssh').map(sshSocketOf),
    masked: (env) => {
      const names = read.flatMap(({ type, env: name }) =>
        type === 'secret' && name !== undefined ? [name] : [],
      );
      return new Map([...env, ...names.map((name): [string, string] => [name, '****'])]);
    },
  };
}

function treeMount(
  mount: MountOptions,
  from: StageNode,
  node: StageNode,
  { context, options }: Conversion,
): ExecMount {
  const target = targetOf(mount, node);
  if (mount.type === 'tmpfs')
    return {
      target,
      source: undefined,
      selector: '',
      readOnly: mount.readOnly,
      kind: 'tmpfs',
      tmpfsBytes: mount.sizeBytes,
    };
  // A cache begins empty unless it says from what.
  const isFromContext = mount.from === '' && mount.type === 'bind';
  if (!isFromContext && !from.isConverted)
    throw new Error(
      `cannot mount from stage ${JSON.stringify(mount.from)} to ${JSON.stringify(mount.target)}, stage needs to be defined before current command`,
    );
  const path = cleanPath(`/${mount.source}`);
  (isFromContext ? node.contextPaths : from.paths).add(path);
  const tree = isFromContext ? context : from.state.tree;
  return {
    target,
    ...selected(mount, path, tree),
    readOnly: mount.readOnly,
    kind: mount.type === 'cache' ? cacheOf(mount, options.cacheNamespace) : 'bind',
    tmpfsBytes: 0,
  };
}

function targetOf({ target }: MountOptions, { state }: StageNode): string {
  const path = posix.isAbsolute(target) ? target : cleanPath(`/${state.directory}/${target}`);
  if (path === '/') throw new Error(`invalid mount target ${JSON.stringify(path)}`);
  return path;
}

/** A cache with an owner or a mode begins with a directory that has them. */
function selected(
  { uid, gid, mode }: MountOptions,
  path: string,
  tree: Edge | undefined,
): { source: Edge | undefined; selector: string } {
  if (path !== '/') return { source: tree, selector: path };
  if (uid === undefined && gid === undefined && mode === undefined)
    return { source: tree, selector: '' };
  const directory = {
    kind: 'mkdir',
    path: '/cache',
    mode: (mode ?? 0o755) & 0o777,
    owner: `${uid ?? 0}:${gid ?? 0}`,
    withoutParents: true,
  } as const;
  const name = '[internal] setting cache mount permissions';
  return { source: outputOf(fileVertex(tree, [directory], { name })), selector: '/cache' };
}

const sharings = {
  shared: CacheSharingOpt.SHARED,
  private: CacheSharingOpt.PRIVATE,
  locked: CacheSharingOpt.LOCKED,
};

function cacheOf({ id, target, sharing = 'shared' }: MountOptions, namespace: string) {
  return { cacheId: `${namespace}/${id || cleanPath(target)}`, sharing: sharings[sharing] };
}

function secretOf(mount: MountOptions): ExecSecret {
  const id = mount.source || mount.id || posix.basename(mount.target);
  const isFile = mount.env === undefined || mount.target !== '';
  return {
    id,
    target: isFile ? mount.target || `/run/secrets/${posix.basename(id)}` : undefined,
    variable: mount.env,
    ...ownership(mount, 0o400),
    isOptional: !mount.required,
  };
}

function sshSocketOf(mount: MountOptions): ExecSshSocket {
  if (mount.source !== '') throw new Error('ssh does not support source');
  const { id, target } = mount;
  return { id, target, ...ownership(mount, 0o600), isOptional: !mount.required };
}

const ownership = ({ uid = 0, gid = 0, mode }: MountOptions, byDefault: number) => ({
  uid,
  gid,
  mode: mode ?? byDefault,
});
