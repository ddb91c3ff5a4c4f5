/** ping, version and info. */
import type { FastifyReply } from 'fastify';
import type { SystemInfo } from '../../contract/docker.ts';
import { newestVersion, oldestVersion } from '../version.ts';
import type { Wire } from '../wire.ts';
import type { SystemFacts } from './backend.ts';
import type { SystemSources } from './sources.ts';

/** Without BuildKit's endpoints a client must not choose BuildKit: 1 is the classic builder. */
const builderVersion = ({ hasBuildKit }: SystemSources) => ({
  'Builder-Version': hasBuildKit ? '2' : '1',
});

export function ping(sources: SystemSources, reply: FastifyReply): FastifyReply {
  return reply
    .headers({
      ...builderVersion(sources),
      'Cache-Control': 'no-cache, no-store, must-revalidate',
      Pragma: 'no-cache',
      Swarm: 'inactive',
    })
    .type('text/plain; charset=utf-8')
    .send(reply.request.method === 'HEAD' ? '' : 'OK');
}

export async function version(sources: SystemSources, reply: FastifyReply): Promise<object> {
  const { system, productVersion } = sources;
  reply.headers(builderVersion(sources));
  const { kernelVersion, architecture } = await system.info();
  const arch = goArchitecture(architecture);
  const details = {
    ApiVersion: newestVersion,
    Arch: arch,
    Experimental: 'false',
    KernelVersion: kernelVersion,
    MinAPIVersion: oldestVersion,
    Os: 'linux',
  };
  return {
    Platform: { Name: 'Corten' },
    Components: [{ Name: 'Engine', Version: productVersion, Details: details }],
    Version: productVersion,
    ApiVersion: newestVersion,
    MinAPIVersion: oldestVersion,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: arch,
    KernelVersion: kernelVersion,
    BuildTime: '',
  };
}

export async function info({
  system,
  productVersion,
}: SystemSources): Promise<Wire<SystemInfo> & Record<string, unknown>> {
  const facts = await system.info();
  const proxies = system.proxies();
  return {
    ID: facts.id,
    Containers: facts.containers.total,
    ContainersRunning: facts.containers.running,
    ContainersPaused: facts.containers.paused,
    ContainersStopped: facts.containers.stopped,
    Images: facts.images,
    Driver: 'overlay2',
    DriverStatus: [],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null'],
      Authorization: null,
      Log: ['json-file', 'local', 'none'],
    },
    ...abilities(facts),
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: facts.limits ? 'cgroupfs' : 'none',
    CgroupVersion: facts.cgroupVersion === 1 ? '1' : '2',
    NEventsListener: 0,
    KernelVersion: facts.kernelVersion,
    OperatingSystem: facts.operatingSystem,
    OSVersion: '',
    OSType: 'linux',
    Architecture: kernelArchitecture(facts.architecture),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: registryConfig(facts),
    NCPU: facts.cpus,
    MemTotal: facts.memoryBytes,
    GenericResources: null,
    DockerRootDir: facts.rootDirectory,
    HttpProxy: proxies.http ?? '',
    HttpsProxy: proxies.https ?? '',
    NoProxy: proxies.noProxy ?? '',
    Name: facts.name,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: productVersion,
    // HostConfig names the runtime runc, so there is one of that name.
    Runtimes: { corten: { path: 'corten' }, runc: { path: 'corten' } },
    DefaultRuntime: 'runc',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: [
      'name=seccomp,profile=builtin',
      ...(facts.remapsByDefault ? ['name=userns'] : []),
      ...(facts.root ? [] : ['name=rootless']),
      'name=cgroupns',
      'name=no-new-privileges',
    ],
    CDISpecDirs: [],
    Warnings: facts.warnings.length === 0 ? null : facts.warnings,
  };
}

/** Fields whose absence makes the CLI print warnings. */
function abilities({ controllers, cgroupVersion }: SystemFacts): Partial<SystemInfo> {
  const has = (name: string) => controllers.includes(name);
  return {
    MemoryLimit: has('memory'),
    SwapLimit: has('memory'),
    CpuCfsPeriod: has('cpu'),
    CpuCfsQuota: has('cpu'),
    CPUShares: has('cpu'),
    CPUSet: has('cpuset'),
    PidsLimit: has('pids'),
    OomKillDisable: has('memory') && cgroupVersion === 1,
    IPv4Forwarding: true,
    BridgeNfIptables: true,
    BridgeNfIp6tables: true,
  } as Partial<SystemInfo>;
}

function registryConfig({ registryMirrors, insecureRegistries }: SystemFacts) {
  return {
    InsecureRegistryCIDRs: insecureRegistries.filter((name) => name.includes('/')),
    IndexConfigs: {
      'docker.io': { Name: 'docker.io', Mirrors: registryMirrors, Secure: true, Official: true },
      ...Object.fromEntries(
        insecureRegistries
          .filter((name) => !name.includes('/'))
          .map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }]),
      ),
    },
    Mirrors: registryMirrors,
  };
}

const goArchitectures: Record<string, string> = { x86_64: 'amd64', x64: 'amd64', aarch64: 'arm64' };
const kernelArchitectures: Record<string, string> = {
  amd64: 'x86_64',
  x64: 'x86_64',
  arm64: 'aarch64',
};

function goArchitecture(name: string): string {
  return goArchitectures[name] ?? name;
}

function kernelArchitecture(name: string): string {
  return kernelArchitectures[name] ?? name;
}
