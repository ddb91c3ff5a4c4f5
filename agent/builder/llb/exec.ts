/** The vertex of a process: RUN. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Edge, Vertex, VertexDetails } from './graph.ts';
import {
  type CacheSharingOpt,
  type ExecOpSchema,
  type HostIP,
  MountType,
  NetMode,
  type Platform,
  type ProxyEnv,
  SecurityMode,
  type Ulimit,
} from './ops.ts';

type Plain<Message> = Omit<Message, '$typeName' | '$unknown'>;

export interface Exec {
  root: Edge | undefined;
  args: string[];
  env: string[];
  directory: string;
  user: string;
  hostname: string;
  network: NetMode;
  security: SecurityMode;
  mounts: ExecMount[];
  secrets: ExecSecret[];
  sshSockets: ExecSshSocket[];
  extraHosts: Plain<HostIP>[];
  ulimits: Plain<Ulimit>[];
  cgroupParent: string;
  proxy: Plain<ProxyEnv> | undefined;
  platform: Platform;
  details: VertexDetails;
}

export interface ExecMount {
  target: string;
  /** Undefined: the empty tree. */
  source: Edge | undefined;
  /** A path in the source; empty for all of it. */
  selector: string;
  readOnly: boolean;
  /** Bind mounts' changes are dropped: nobody can ask for them. */
  kind: 'bind' | 'tmpfs' | { cacheId: string; sharing: CacheSharingOpt };
  tmpfsBytes: number;
}

export interface ExecSecret {
  id: string;
  /** A file; undefined: none. */
  target: string | undefined;
  /** A variable; undefined: none. */
  variable: string | undefined;
  uid: number;
  gid: number;
  mode: number;
  isOptional: boolean;
}

export interface ExecSshSocket {
  id: string;
  /** Empty: a path of its own below /run/buildkit. */
  target: string;
  uid: number;
  gid: number;
  mode: number;
  isOptional: boolean;
}

/** The vertex's output 0 is the root as the process leaves it. */
export function execVertex(exec: Exec): Vertex {
  const sockets = exec.sshSockets.map((socket, index) => ({
    ...socket,
    target: socket.target || `/run/buildkit/ssh_agent.${index}`,
  }));
  return {
    details: exec.details,
    operation: (inputs) => {
      const value: MessageInitShape<typeof ExecOpSchema> = {
        meta: metaOf(exec, sockets[0]),
        network: exec.network,
        security: exec.security,
        mounts: [
          ...treeMounts(exec).map((mount) => ({
            ...mount,
            input: inputs.indexOf(mount.source),
          })),
          ...exec.secrets.filter(({ target }) => target !== undefined).map(secretMount),
          ...sockets.map(sshMount),
        ],
        secretenv: exec.secrets.flatMap(({ id, variable, isOptional }) =>
          variable === undefined ? [] : [{ ID: id, name: variable, optional: isOptional }],
        ),
      };
      return {
        op: { case: 'exec', value },
        platform: exec.platform,
        capabilities: capabilitiesOf(exec),
      };
    },
  };
}

function metaOf(exec: Exec, firstSocket: ExecSshSocket | undefined) {
  const hasSocketVariable = exec.env.some((entry) => entry.startsWith('SSH_AUTH_SOCK='));
  return {
    args: exec.args,
    env:
      firstSocket === undefined || hasSocketVariable
        ? exec.env
        : [...exec.env, `SSH_AUTH_SOCK=${firstSocket.target}`],
    cwd: exec.directory,
    user: exec.user,
    hostname: exec.hostname,
    cgroupParent: exec.cgroupParent,
    removeMountStubsRecursive: true,
    extraHosts: exec.extraHosts,
    ulimit: exec.ulimits,
    proxyEnv: exec.proxy,
  };
}

/** The root and the mounts, by target, so that the same set is the same message. Only the root has an output. */
function treeMounts({ root, mounts }: Exec) {
  const rootMount = {
    source: root,
    dest: '/',
    selector: '',
    readonly: false,
    output: 0n,
  };
  const others = mounts.map(({ target, source, selector, readOnly, kind, tmpfsBytes }) => ({
    source,
    dest: target,
    selector,
    readonly: readOnly,
    output: -1n,
    ...(kind === 'tmpfs' && {
      mountType: MountType.TMPFS,
      TmpfsOpt: { size: BigInt(tmpfsBytes) },
    }),
    ...(typeof kind === 'object' && {
      mountType: MountType.CACHE,
      cacheOpt: { ID: kind.cacheId, sharing: kind.sharing },
    }),
  }));
  return [rootMount, ...others].sort((one, other) =>
    one.dest === other.dest ? 0 : one.dest < other.dest ? -1 : 1,
  );
}

function secretMount({ id, target, uid, gid, mode, isOptional }: ExecSecret) {
  return {
    input: -1n,
    dest: target!,
    mountType: MountType.SECRET,
    secretOpt: { ID: id, uid, gid, mode, optional: isOptional },
  };
}

function sshMount({ id, target, uid, gid, mode, isOptional }: ExecSshSocket) {
  return {
    input: -1n,
    dest: target,
    mountType: MountType.SSH,
    SSHOpt: { ID: id, uid, gid, mode, optional: isOptional },
  };
}

function capabilitiesOf(exec: Exec): string[] {
  const { mounts, secrets } = exec;
  const needed: Record<string, boolean> = {
    'exec.meta.base': true,
    'exec.meta.setsdefaultpath': true,
    'exec.mount.bind': exec.root !== undefined || mounts.some(({ source }) => source !== undefined),
    'exec.meta.network': exec.network !== NetMode.UNSET,
    'exec.meta.security': exec.security !== SecurityMode.SANDBOX,
    'exec.meta.proxyenv': exec.proxy !== undefined,
    'exec.meta.ulimit': exec.ulimits.length > 0,
    'exec.mount.selector': mounts.some(({ selector }) => selector !== ''),
    'exec.mount.cache': mounts.some(({ kind }) => typeof kind === 'object'),
    'exec.mount.cache.sharing': mounts.some(({ kind }) => typeof kind === 'object'),
    'exec.mount.tmpfs': mounts.some(({ kind }) => kind === 'tmpfs'),
    'exec.mount.tmpfs.size': mounts.some(({ tmpfsBytes }) => tmpfsBytes > 0),
    'exec.mount.secret': secrets.length > 0,
    'exec.secretenv': secrets.some(({ variable }) => variable !== undefined),
    'exec.mount.ssh': exec.sshSockets.length > 0,
    'exec.meta.linux.resources': exec.details.resources !== undefined,
  };
  return Object.keys(needed).filter((name) => needed[name]);
}
