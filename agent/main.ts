/**
 * The agent: takes its directories, opens the engine over the real kernel, and serves it. The only
 * file that constructs and wires.
 */
import { mkdirSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { createApi } from './api/server.ts';
import { detectDelegatedDriver } from './cgroup/delegated.ts';
import { detectCgroupDriver } from './cgroup/detect.ts';
import { keepFloor } from './cgroup/floor.ts';
import { dnsService } from './contract/dns-service.ts';
import { outsidePortsService } from './contract/outside-ports.ts';
import { proxiesFromEnvironment } from './contract/proxies.ts';
import { computersDirectory } from './contract/share-wire.ts';
import { lockDirectory } from './directory-lock.ts';
import { detectDiskDriver, detectLayerDriver } from './disk/detect.ts';
import { DividedDisk } from './disk/divided-disk.ts';
import { openSharedDisk, type SharedDisk } from './disk/shared-disk.ts';
import { missingIn, noOwnIds } from './engine/abilities.ts';
import { defaultIdPool } from './engine/containers/id-range.ts';
import { top } from './engine/containers/top.ts';
import { type Engine, openEngine } from './engine/engine.ts';
import { readArchive, statPath, writeArchive } from './engine/files/archive.ts';
import { changes } from './engine/files/changes.ts';
import { exportArchive } from './engine/files/export.ts';
import { layerArchive } from './engine/files/layer-archive.ts';
import { createKernelViews } from './engine/kernel-views.ts';
import { Proxies } from './engine/proxies.ts';
import { CortenError, invalid } from './errors.ts';
import { openImageStore } from './images/oci-store.ts';
import { setConnectionSettings } from './images/registry/http.ts';
import { ensureStarterImage } from './images/starter-image.ts';
import { lowerJitThresholds } from './jit-thresholds.ts';
import { CharDevice } from './kernel/char-device.ts';
import { KernelLog } from './kernel/kernel-log.ts';
import { hasErrno } from './kernel/libc.ts';
import { raiseSessionPriority, raiseThreadPriority } from './kernel/priority.ts';
import { listenOnVsock } from './kernel/vsock.ts';
import { createMachine } from './machine/machine.ts';
import { createNetworks } from './network/bridge-networks.ts';
import { suffixOf } from './network/device-names.ts';
import { openEngineNetwork } from './network/engine-network.ts';
import { hostLookup } from './network/host-lookup.ts';
import { HostResolver } from './network/host-resolver.ts';
import { OutsidePorts } from './network/outside-ports.ts';
import { PortForwarder } from './network/port-forwarder.ts';
import { type AgentOptions, parseOptions, usage } from './options.ts';
import { type KeptNamespaces, keptNamespaces } from './rootless/enter.ts';
import { abilityFacts } from './rootless/facts.ts';
import { createRuntime } from './runtime/linux-runtime.ts';
import { SchedulerTick } from './runtime/scheduler-tick.ts';
import { shortestSliceMicros } from './runtime/scheduling.ts';
import { openShares } from './share/open-shares.ts';
import { openShellOverExec } from './ssh/exec-shells.ts';
import { prepareKeys } from './ssh/keys.ts';
import { createSshServer, type SshServerOptions } from './ssh/server.ts';

// The sources lie beside package.json, what was built from them two folders below.
const packageFile = findPackageJSON(import.meta.url) ?? 'package.json';
const repository = dirname(packageFile);
const shimPath = join(repository, 'dist/shim/shim');
const { version: productVersion } = JSON.parse(readFileSync(packageFile, 'utf8')) as {
  version: string;
};

interface Agent {
  socket: string;
  ssh: string;
  stopContainers(): Promise<void>;
  close(): Promise<void>;
}

if (import.meta.main) void main(process.argv.slice(2));

/** Settles when it serves; ends the process where it cannot. A machine loads this before it has a place to serve from. */
export async function main(words: string[]): Promise<void> {
  try {
    const options = parseOptions(words);
    if (options === undefined) process.stdout.write(`${usage}\n`);
    else await serve(options);
  } catch (error) {
    report('start', error);
    process.exit(1);
  }
}

async function serve(options: AgentOptions): Promise<void> {
  let stopsWhenStarted = false;
  let stop = () => {
    // Half started, it cannot take back what it mounted; asked twice, it ends all the same.
    if (stopsWhenStarted) process.exit(1);
    stopsWhenStarted = true;
  };
  process.on('SIGTERM', () => stop());
  process.on('SIGINT', () => stop());
  const agent = await start(options);
  let isStopping = false;
  stop = () => {
    if (isStopping) return;
    isStopping = true;
    agent
      .close()
      .catch((error) => report('stop', error))
      .finally(() => process.exit(0));
  };
  if (stopsWhenStarted) {
    stop();
    return;
  }
  // What init sends when the power goes (signal(7)): here the machine is about to turn itself off.
  process.once('SIGPWR', () => {
    agent
      .stopContainers()
      .catch((error) => report('stop containers', error))
      .finally(stop);
  });
  // A terminal that closes, or a log pipe whose reader ended, is no reason to leave containers alone.
  process.on('SIGHUP', () => {});
  process.stdout.on('error', () => {});
  const { socket, ssh } = agent;
  tell({ event: 'ready', socket, ssh });
  lowerJitThresholds();
}

/** One line of JSON for who started us. */
function tell(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

async function start(options: AgentOptions): Promise<Agent> {
  if (process.getuid?.() !== 0)
    throw new CortenError(
      'forbidden',
      "this program is root's; an ordinary user starts scripts/agent",
    );
  answerBeforeContainers(options);
  const { root, run, registryMirrors, insecureRegistries } = options;
  mkdirSync(run, { recursive: true, mode: 0o711 });
  lockDirectory(root);
  lockDirectory(run);
  const suffix = suffixOf(root);
  const images = await openImageStore({
    root: join(root, 'images'),
    registryMirrors,
    insecureRegistries,
  });
  const kept = keptNamespaces(run);
  const runtime = await createRuntime({
    shimPath,
    sliceMicros: options.cpuSliceMicros,
    ...(kept && { networkFd: kept.networkFd }),
  });
  const outsidePorts = new OutsidePorts();
  const hostResolver = new HostResolver();
  const { hostAddress } = options;
  const place = kept && (await networkPlace(kept, run));
  const network = createNetworks({ suffix, outsidePorts, hostResolver, hostAddress, ...place });
  setConnectionSettings({ lookup: hostLookup(hostResolver) });
  const proxies = new Proxies({
    initial: { ...proxiesFromEnvironment(process.env), containers: false },
    // Where both have one loopback, a proxy on it is reached there.
    hostAddress: () =>
      hostAddress === 'shared' ? undefined : hostAddress && network.hostAddress(''),
    apply: (settings) => setConnectionSettings({ proxies: settings }),
  });
  const parent = `corten-${suffix}`;
  const boundAll = keepFloor({ memoryBytes: options.leaveMemoryBytes });
  const cgroups = kept
    ? detectDelegatedDriver({ parent, boundAll, refusal: kept.groupRefusal })
    : detectCgroupDriver({ parent, boundAll });
  // What makes short turns end in time.
  const schedulerTick =
    options.cpuSliceMicros === undefined ? undefined : new SchedulerTick(shimPath);
  const kernelViews = createKernelViews();
  const shares = openShares({
    socketPath: join(run, 'share.sock'),
    ownersDirectory: join(root, 'shares'),
    computersDirectory: join(run, computersDirectory),
    keptDirectory: join(run, 'shares'),
    programPath: shimPath,
    report,
  });
  // Before anything of the engine looks at a folder that waits for its answers.
  await shares.resume();
  let sharedDisk: SharedDisk | undefined;
  const engine = await openEngine({
    paths: { root, run },
    runtime,
    cgroups,
    images,
    network,
    kernelViews,
    apiSocket: options.socket,
    kernelLog: new KernelLog(),
    schedulerTick,
    hostFolders: { mountOf: shares.mountOf, areNeeded: options.machine },
    openDisks: async ({ parents, layers, hasLayers }) => {
      const disks = detectDiskDriver({ root, parents, report });
      sharedDisk = await openSharedDisk({
        directory: layers,
        isWanted: disks.kind === 'loop' && options.defaultDisk === 'share' && !hasLayers,
        keepsReserve: options.defaultDisk !== 'none',
        report,
      });
      const within = sharedDisk && detectLayerDriver(layers, root);
      return {
        volumes: disks,
        layers: within === undefined ? disks : new DividedDisk(layers, within, disks),
      };
    },
    defaultDisk: options.defaultDisk,
    files: { statPath, readArchive, writeArchive, exportArchive, layerArchive, changes, top },
    registryMirrors,
    insecureRegistries,
    userNamespaces: userNamespacesOf(options, kept),
    abilityFacts: abilityFacts(kept),
    proxies,
    report,
  });
  // Before anybody can ask: who finds the socket may run it at once.
  await ensureStarterImage(images, join(repository, 'dist/starter-image.tar'));
  const backends = options.machine ? { ...engine, machine: createMachine({ root }) } : engine;
  const api = createApi(backends, {
    productVersion,
    report: (error, where) => report(where, error),
  });
  const missing = missingIn(engine.system.abilities());
  if (missing.length > 0) tell({ event: 'abilities', missing });
  await api.listen(options.socket);
  const ssh = await startSsh(options, engine, {
    sockets: { 'share.sock': shares.socket },
    services: {
      [outsidePortsService]: (channel) => outsidePorts.serve(channel),
      [dnsService]: (channel) => hostResolver.serve(channel),
    },
  });
  const hasRunning = () => readdirSync(join(run, 'containers')).length > 0;
  return {
    socket: options.socket,
    ssh: ssh.address,
    stopContainers: () => engine.stopAll(),
    close: async () => {
      // What runs on has its folders from the next agent.
      await shares.close(hasRunning() ? 'leave' : 'close');
      await ssh.close();
      await api.close();
      await runtime.close();
      await engine.close();
      sharedDisk?.close(hasRunning() ? 'leave' : 'unmount');
      schedulerTick?.close();
      kernelViews.close();
      await network.close();
      await images.close();
      cgroups.removeParent();
      if (!hasRunning()) kept?.end();
    },
  };
}

/** Whatever containers do with the processors, the API answers: that is how they are stopped. */
function answerBeforeContainers({ cpuSliceMicros }: Pick<AgentOptions, 'cpuSliceMicros'>): void {
  try {
    raiseThreadPriority(-10, cpuSliceMicros && shortestSliceMicros);
    raiseSessionPriority(-5);
  } catch (error) {
    // Without CAP_SYS_NICE the agent waits for its turn as all others do.
    if (!hasErrno(error, 'EPERM', 'EACCES')) throw error;
  }
}

/** Always on its unix socket, which the app on this machine uses; on TCP when it is asked for. */
async function startSsh(
  { root, run, socket, ssh, sshDevice, sshVsock }: AgentOptions,
  engine: Engine,
  inside: Pick<SshServerOptions, 'sockets' | 'services'>,
) {
  const { hostKeyPath, authorizedKeysPath } = prepareKeys(join(root, 'ssh'));
  const sshSocketPath = join(run, 'ssh.sock');
  const server = createSshServer({
    hostKeyPath,
    authorizedKeysPath,
    apiSocketPath: socket,
    ...inside,
    sockets: {
      ...inside.sockets,
      // A machine's port carries one connection; all others go through it.
      'ssh.sock': async () => sshSocketPath,
    },
    backend: {
      openShell: openShellOverExec(engine.exec),
      isContainerAddress: engine.isContainerAddress,
    },
  });
  const local = await server.listen({ path: sshSocketPath });
  const address = ssh === undefined ? local : await server.listen(ssh);
  if (sshVsock !== undefined) server.listenOn((listener) => listenOnVsock(listener, sshVsock));
  if (sshDevice !== undefined) {
    const device = new CharDevice(sshDevice);
    server.serveDevice(
      () => device.connect(),
      (error) => report('SSH device', error),
    );
  }
  return { address, close: () => server.close() };
}

/** Where bridges are without root, and how the machine's ports lead there. */
async function networkPlace({ networkFd }: KeptNamespaces, run: string) {
  const forwarder = new PortForwarder({
    programPath: shimPath,
    namespaceFd: networkFd,
    directory: join(run, 'ports'),
  });
  return { netns: await openEngineNetwork(networkFd), forwarder };
}

function userNamespacesOf({ usernsRemap }: AgentOptions, kept: KeptNamespaces | undefined) {
  const lack = kept && noOwnIds;
  if (lack !== undefined && usernsRemap !== undefined)
    throw invalid(`--userns-remap is not possible here. ${lack.cause} ${lack.nextStep}`);
  const pool =
    typeof usernsRemap === 'object' ? { ...usernsRemap, reserved: () => [] } : defaultIdPool;
  return { byDefault: usernsRemap !== undefined, pool, ...(lack && { lack }) };
}

/** One line a failure, on stderr; the API's clients get theirs by themselves. */
function report(what: string, error: unknown): void {
  const text =
    error instanceof CortenError || !(error instanceof Error)
      ? String(error instanceof Error ? error.message : error)
      : (error.stack ?? error.message);
  writeSync(2, `corten: ${what}: ${text}\n`);
}
