/** The engine in memory: every backend interface, enough of it that the real `docker` CLI works. */

import { randomBytes } from 'node:crypto';
import type { MachineAbilities } from '../../contract/abilities.ts';
import type { EndpointSettings } from '../../contract/container.ts';
import type { DiskLimits, SpaceUsage } from '../../contract/limits.ts';
import type { MachineProcesses } from '../../contract/processes.ts';
import type { ProxySettings } from '../../contract/proxies.ts';
import { CortenError, conflict, notFound } from '../../errors.ts';
import type { Attachment } from '../containers/backend.ts';
import type { ExecBackend, ExecSettings, ExecView } from '../exec/backend.ts';
import type { NetworkCreate, NetworksBackend, NetworkView } from '../networks/backend.ts';
import type { ApiBackends } from '../server.ts';
import type { DiskUsage, EngineEvent, SystemBackend, SystemFacts } from '../system/backend.ts';
import type { VolumesBackend, VolumeView } from '../volumes/backend.ts';
import { FakeContainers } from './fake-containers.ts';
import { FakeImages } from './fake-images.ts';
import { FakePressure } from './fake-pressure.ts';
import { FakeOutput, type FakeProcess, ignoreErrors, startFakeProcess } from './fake-process.ts';

export interface FakeBackends extends ApiBackends {
  containers: FakeContainers;
  exec: FakeExec;
  images: FakeImages;
  networks: FakeNetworks;
  volumes: FakeVolumes;
  system: FakeSystem;
  pressure: FakePressure;
}

export function fakeBackends(): FakeBackends {
  const system = new FakeSystem();
  const containers = new FakeContainers((...event) => system.emit(...event));
  return {
    system,
    containers,
    exec: new FakeExec(containers),
    images: new FakeImages(),
    networks: new FakeNetworks(),
    volumes: new FakeVolumes(),
    pressure: new FakePressure(containers),
  };
}

interface ExecEntry {
  view: ExecView;
  process?: FakeProcess;
}

export class FakeExec implements ExecBackend {
  readonly entries = new Map<string, ExecEntry>();
  readonly calls: { name: string; args: unknown[] }[] = [];
  readonly #containers: FakeContainers;

  constructor(containers: FakeContainers) {
    this.#containers = containers;
  }

  async create(container: string, settings: ExecSettings): Promise<string> {
    const view = this.#containers.inspect(container);
    if (view.state.status !== 'running') throw conflict(`container ${view.id} is not running`);
    const id = randomBytes(32).toString('hex');
    this.entries.set(id, {
      view: { id, containerId: view.id, settings, running: false, exitCode: undefined, pid: 0 },
    });
    return id;
  }

  async start(
    id: string,
    options: { detach: boolean; size?: { rows: number; columns: number } },
  ): Promise<Attachment | undefined> {
    this.calls.push({ name: 'start', args: [id, options] });
    const { view } = this.#entry(id);
    const { settings } = view;
    const output = new FakeOutput();
    const process = this.#run(view, output);
    Object.assign(view, { running: true, pid: 99 });
    void process.exited.then((exitCode) => {
      Object.assign(view, { running: false, exitCode, pid: 0 });
      output.end();
    });
    if (options.detach) return undefined;
    let closed = false;
    return {
      terminal: settings.terminal,
      stdin: settings.stdin ? ignoreErrors(process.stdin) : undefined,
      output: output.follow(0, () => closed),
      close: () => {
        closed = true;
        output.nudge();
      },
    };
  }

  inspect(id: string): ExecView {
    return this.#entry(id).view;
  }

  idsOf(containerId: string): string[] {
    return [...this.entries.values()]
      .filter(({ view }) => view.containerId === containerId && view.exitCode === undefined)
      .map(({ view }) => view.id);
  }

  async resize(id: string, rows: number, columns: number): Promise<void> {
    this.calls.push({ name: 'resize', args: [id, rows, columns] });
    this.#entry(id);
  }

  #run(view: ExecView, output: FakeOutput): FakeProcess {
    try {
      return startFakeProcess(view.settings.command, output, view.settings.stdin);
    } catch (error) {
      view.exitCode = 127;
      throw error;
    }
  }

  #entry(id: string): ExecEntry {
    const entry = this.entries.get(id);
    if (entry === undefined) throw notFound(`No such exec instance: ${id}`);
    return entry;
  }
}

export class FakeSystem implements SystemBackend {
  readonly past: EngineEvent[] = [];
  readonly #listeners = new Set<() => void>();

  emit(
    type: EngineEvent['type'],
    action: string,
    id: string,
    attributes: Record<string, string>,
  ): void {
    const time = new Date();
    this.past.push({ type, action, id, attributes, time, nanos: time.getMilliseconds() * 1e6 + 7 });
    this.#wake();
  }

  proxySettings: ProxySettings = { containers: false };

  proxies(): ProxySettings {
    return this.proxySettings;
  }

  setProxies(settings: ProxySettings): void {
    this.proxySettings = settings;
  }

  async info(): Promise<SystemFacts> {
    return {
      id: 'fake',
      name: 'host',
      rootDirectory: '/var/lib/corten',
      kernelVersion: '6.18',
      operatingSystem: 'Debian',
      architecture: 'x86_64',
      cpus: 2,
      memoryBytes: 1024 ** 3,
      cgroupVersion: 1,
      controllers: ['cpu', 'memory', 'pids', 'cpuset', 'io'],
      limits: true,
      root: true,
      containers: { total: 0, running: 0, paused: 0, stopped: 0 },
      images: 3,
      remapsByDefault: false,
      registryMirrors: ['https://mirror.example/'],
      insecureRegistries: ['127.0.0.0/8', 'registry.example:5000'],
      warnings: [],
    };
  }

  abilities(): MachineAbilities {
    const lack = { cause: 'No freezer.', nextStep: 'Get one.' };
    return {
      root: true,
      abilities: [
        { name: 'limits', available: true },
        { name: 'pause', available: false, ...lack },
      ],
    };
  }

  async *events({
    since,
    until,
    signal,
  }: Parameters<SystemBackend['events']>[0]): AsyncGenerator<EngineEvent> {
    let next = since === undefined ? this.past.length : 0;
    signal.addEventListener('abort', () => this.#wake());
    for (; !signal.aborted; ) {
      const event = this.past[next];
      if (event !== undefined) {
        next++;
        if (until === undefined || event.time <= until) yield event;
      } else if (until !== undefined && until <= new Date()) return;
      else await new Promise<void>((resolve) => this.#listeners.add(resolve));
    }
  }

  async processes(): Promise<MachineProcesses> {
    const init = { pid: 1, parentPid: 0, name: 'systemd', startTicks: 1, threads: 1 };
    return {
      readAt: '2026-01-02T03:04:05.678Z',
      cpus: 2,
      memoryBytes: 1024 ** 3,
      busyCpuNanos: 5e9,
      usedMemoryBytes: 200e6,
      groups: [{ processCount: 1, processes: [{ ...init, cpuNanos: 1e9, residentBytes: 8192 }] }],
    };
  }

  async diskUsage(): Promise<DiskUsage> {
    return {
      layersBytes: 300,
      images: [{ id: `sha256:${'1'.repeat(64)}`, uniqueBytes: 60, sharedBytes: 40 }],
      containers: [],
      volumes: [{ name: 'data', bytes: 12 }],
    };
  }

  #wake(): void {
    for (const resolve of this.#listeners) resolve();
    this.#listeners.clear();
  }
}

export class FakeNetworks implements NetworksBackend {
  readonly calls: { name: string; args: unknown[] }[] = [];
  readonly views: NetworkView[] = [
    networkView('bridge', 'bridge'),
    networkView('host', 'host'),
    networkView('none', 'null'),
  ];

  async create(request: NetworkCreate) {
    this.calls.push({ name: 'create', args: [request] });
    if (this.views.some(({ name }) => name === request.name))
      throw conflict(`network with name ${request.name} already exists`);
    const view = { ...networkView(request.name, request.driver), labels: request.labels };
    this.views.push(view);
    return { id: view.id, warning: '' };
  }

  list(): NetworkView[] {
    return this.views;
  }

  inspect(reference: string): NetworkView {
    const found = this.views.find(({ id, name }) => id === reference || name === reference);
    if (found === undefined) throw notFound(`network ${reference} not found`);
    return found;
  }

  async remove(reference: string): Promise<void> {
    const view = this.inspect(reference);
    if (['bridge', 'host', 'none'].includes(view.name))
      throw new CortenError(
        'forbidden',
        `${view.name} is a pre-defined network and cannot be removed`,
      );
    this.views.splice(this.views.indexOf(view), 1);
  }

  async connect(reference: string, container: string, endpoint: EndpointSettings): Promise<void> {
    this.calls.push({ name: 'connect', args: [reference, container, endpoint] });
    this.inspect(reference);
  }

  async disconnect(reference: string, container: string, options: { force: boolean }) {
    this.calls.push({ name: 'disconnect', args: [reference, container, options] });
    this.inspect(reference);
  }

  async prune(filter: Parameters<NetworksBackend['prune']>[0]) {
    this.calls.push({ name: 'prune', args: [filter] });
    return { deleted: ['old'] };
  }
}

export class FakeVolumes implements VolumesBackend {
  readonly calls: { name: string; args: unknown[] }[] = [];
  readonly views = new Map<string, VolumeView>();

  async create(request: Parameters<VolumesBackend['create']>[0]): Promise<VolumeView> {
    const name = request.name ?? randomBytes(32).toString('hex');
    const view: VolumeView = {
      name,
      driver: request.driver,
      mountpoint: `/volumes/${name}/_data`,
      createdAt: new Date(),
      labels: request.labels,
      options: request.driverOptions,
      anonymous: request.name === undefined,
      users: [],
    };
    this.views.set(name, this.views.get(name) ?? view);
    return this.views.get(name)!;
  }

  list(): VolumeView[] {
    return [...this.views.values()];
  }

  inspect(name: string): VolumeView {
    const view = this.views.get(name);
    if (view === undefined) throw notFound(`get ${name}: no such volume`);
    return view;
  }

  async remove(name: string, options: { force: boolean }): Promise<void> {
    if (!options.force) this.inspect(name);
    this.views.delete(name);
  }

  async prune(filter: Parameters<VolumesBackend['prune']>[0]) {
    this.calls.push({ name: 'prune', args: [filter] });
    return { deleted: [], reclaimedBytes: 0 };
  }

  async updateLimits(name: string, change: DiskLimits, dryRun: boolean) {
    const view = this.inspect(name);
    const volume = { ...view, limits: { ...view.limits, ...change } };
    if (!dryRun) this.views.set(name, volume);
    return { volume, warnings: (change.maxBytes ?? 0) === 8 * 1024 ** 2 ? ['too small'] : [] };
  }

  async diskUsage(name: string): Promise<SpaceUsage | undefined> {
    const { limits } = this.inspect(name);
    const maxBytes = limits?.maxBytes ?? undefined;
    return maxBytes ? { usedBytes: 12, maxBytes, usedInodes: 3, maxInodes: undefined } : undefined;
  }

  async size(): Promise<number> {
    return 12;
  }
}

function networkView(name: string, driver: string): NetworkView {
  return {
    id: Buffer.from(name.padEnd(32, '.')).toString('hex'),
    name,
    driver,
    createdAt: new Date(0),
    internal: false,
    attachable: false,
    enableIpv6: false,
    labels: {},
    options: {},
    ipam: [{ subnet: '172.17.0.0/16', gateway: '172.17.0.1' }],
    containers: [],
  };
}
