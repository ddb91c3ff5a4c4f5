/** What a step's process may and has, in the terms of a container's settings: it is isolated and limited like one. */
import type { StepRequest } from '../../builder/steps/step-runner.ts';
import type { ContainerSettings } from '../../contract/container.ts';
import { defaultPids } from '../../contract/limits.ts';
import type { OciMount, OciSpec } from '../../contract/oci-runtime.ts';
import type { EngineContext } from '../context.ts';
import { type BuiltSpec, buildSpec, type UserNamespace } from '../spec/spec.ts';
import { resolveUser } from '../spec/user.ts';
import { readUserFiles } from '../spec/user-files.ts';

/** BuildKit's name of the machine in a RUN step; scripts compare it. */
const defaultHostname = 'buildkitsandbox';

export function settingsOf(
  request: StepRequest,
  { userNamespaces }: Pick<EngineContext, 'userNamespaces'>,
): ContainerSettings {
  const { network, security, limits } = request;
  const privileged = security === 'insecure';
  // The kernel gives no rights on the machine's network, or on the machine, to a user namespace's root.
  const isRemapped = userNamespaces.byDefault && !privileged && network !== 'host';
  return {
    image: '',
    hostname: request.hostname || defaultHostname,
    env: request.process.env,
    labels: {},
    terminal: false,
    openStdin: false,
    stdinOnce: false,
    init: false,
    autoRemove: false,
    readOnlyRootfs: request.isRootReadOnly,
    security: {
      privileged,
      addCapabilities: [],
      dropCapabilities: [],
      noNewPrivileges: false,
      seccomp: privileged ? 'unconfined' : 'default',
      devices: [],
      deviceRules: [],
    },
    sysctls: {},
    ulimits: request.ulimits,
    ...(request.shmBytes && { shmBytes: request.shmBytes }),
    extraGroups: [],
    namespaces: {
      ...{ pid: 'private', ipc: 'private', uts: 'private', cgroup: 'private' },
      user: isRemapped ? 'auto' : 'host',
    },
    mounts: [],
    network: {
      mode: network === 'default' ? { networks: [{ network: 'bridge', aliases: [] }] } : network,
      ports: [],
      publishAll: false,
      exposedPorts: [],
      ...{ dns: [], dnsSearch: [], dnsOptions: [] },
      extraHosts: request.extraHosts,
    },
    limits: { ...limits, ...(limits.pids === undefined && { pids: defaultPids }) },
    restart: { name: 'no', maximumRetryCount: 0 },
    log: { driver: 'none', options: {} },
  };
}

/** Files that are mounted over the root's own. BuildKit has no `/etc/hostname`: what a step writes there stays. */
export const mountedFiles = ['/etc/resolv.conf', '/etc/hosts'];

export function specOf(
  { process, rootfs }: StepRequest,
  settings: ContainerSettings,
  own: {
    files: { hosts: string; hostname: string; resolvConf: string };
    userNamespace: UserNamespace | undefined;
    mounts: readonly OciMount[];
  },
): BuiltSpec {
  const [path = '', ...args] = process.args;
  const { env, workingDirectory, user } = process;
  const { spec, deviceRules } = buildSpec({
    settings,
    process: { path, args, env, workingDirectory, user },
    hostname: settings.hostname ?? defaultHostname,
    user: resolveUser(user, readUserFiles(rootfs.upper, rootfs.lowers)),
    mounts: [],
    files: own.files,
    join: {},
    ...(own.userNamespace && { userNamespace: own.userNamespace }),
  });
  const named = env.some((entry) => entry.startsWith('HOSTNAME='));
  return {
    spec: {
      ...spec,
      process: {
        ...spec.process,
        // BuildKit gives only PATH and HOME to whoever does not set them.
        env: spec.process.env.filter((entry) => named || !entry.startsWith('HOSTNAME=')),
      },
      mounts: withMounts(spec, own.mounts),
    },
    deviceRules,
  };
}

function withMounts({ mounts }: OciSpec, asked: readonly OciMount[]): OciMount[] {
  const covered = new Set(asked.map(({ destination }) => destination));
  const own = mounts
    .filter(({ destination }) => destination !== '/etc/hostname' && !covered.has(destination))
    .map((mount) =>
      mountedFiles.includes(mount.destination)
        ? { ...mount, options: [...(mount.options ?? []), 'ro'] }
        : mount,
    );
  return [...own, ...asked];
}
