/** An engine over fakes, with its state in a directory that goes away with the test. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { EngineEvent } from '../../api/system/backend.ts';
import type { ContainerSettings } from '../../contract/container.ts';
import type { DefaultDisk } from '../../contract/limits.ts';
import { plainSecurity, plainSettings } from '../../contract/testdata/settings.ts';
import { defaultIdPool } from '../containers/id-range.ts';
import { type Engine, openEngine } from '../engine.ts';
import type { ContainerFiles } from '../files/container-files.ts';
import type { KernelViews } from '../kernel-views.ts';
import { Proxies } from '../proxies.ts';
import { type HostFolders, noHostFolders } from '../volumes/bind-sources.ts';
import { FakeCgroups } from './fake-cgroups.ts';
import { FakeDisks } from './fake-disks.ts';
import { FakeImages } from './fake-images.ts';
import { FakeNetworks } from './fake-networks.ts';
import { FakeRuntime } from './fake-runtime.ts';

export interface Workbench {
  engine: Engine;
  runtime: FakeRuntime;
  cgroups: FakeCgroups;
  images: FakeImages;
  network: FakeNetworks;
  disks: FakeDisks;
  paths: { root: string; run: string };
  /** Failures that only the agent's own log would show. */
  reports: string[];
  events: EngineEvent[];
  /** Resolves once no container that has ended has anything left. */
  tidied(): Promise<void>;
  /** The same state under a new engine, as after a kill of the agent. */
  reopen(): Promise<Engine>;
}

export async function workbench(
  test: TestContext,
  {
    kernelViews = notAskedFor<KernelViews>(),
    remapByDefault = false,
    defaultDisk = 'none',
    hostFolders = noHostFolders,
  }: {
    kernelViews?: KernelViews;
    remapByDefault?: boolean;
    defaultDisk?: DefaultDisk;
    hostFolders?: HostFolders;
  } = {},
): Promise<Workbench> {
  const directory = mkdtempSync(join(tmpdir(), 'corten-engine-'));
  const runtime = new FakeRuntime();
  const cgroups = new FakeCgroups();
  const images = new FakeImages();
  const network = new FakeNetworks();
  const disks = new FakeDisks();
  const paths = { root: join(directory, 'root'), run: join(directory, 'run') };
  const reports: string[] = [];
  const open = () =>
    openEngine({
      paths,
      runtime,
      cgroups,
      images,
      network,
      files: notAskedFor<ContainerFiles>(),
      kernelViews,
      apiSocket: join(paths.run, 'docker.sock'),
      hostFolders,
      abilityFacts: {
        root: true,
        disconnected: undefined,
        lowestPort: 1024,
        kernelLog: true,
        lingers: undefined,
      },
      userNamespaces: { byDefault: remapByDefault, pool: defaultIdPool },
      proxies: new Proxies({
        initial: { containers: false },
        hostAddress: () => undefined,
        apply: () => undefined,
      }),
      kernelLog: { records: async function* () {}, close: () => {} },
      openDisks: async () => ({ layers: disks, volumes: disks }),
      defaultDisk,
      registryMirrors: [],
      insecureRegistries: [],
      report: (what, error) => reports.push(`${what}: ${error}`),
    });
  const events: EngineEvent[] = [];
  const over = new AbortController();
  const listen = async (engine: Engine) => {
    for await (const event of engine.system.events({ signal: over.signal })) events.push(event);
  };
  const engine = await open();
  listen(engine);
  const opened = [engine];
  test.after(async () => {
    over.abort();
    for (const each of opened) await each.close();
    rmSync(directory, { recursive: true });
  });
  return {
    engine,
    runtime,
    cgroups,
    images,
    network,
    disks,
    paths,
    reports,
    events,
    tidied: async () => {
      const { containers } = engine;
      const running = () =>
        containers
          .list()
          .filter(({ state }) => state.status === 'running' || state.status === 'paused');
      while (
        cgroups.list().length > running().length ||
        readdirSync(join(paths.root, 'removed')).length > 0
      )
        await new Promise((done) => setTimeout(done, 1));
    },
    reopen: async () => {
      const next = await open();
      opened.push(next);
      listen(next);
      return next;
    },
  };
}

/** A part that these tests do not reach. */
function notAskedFor<T extends object>(): T {
  return new Proxy({} as T, {
    get() {
      throw new Error('not asked for in these tests');
    },
  });
}

export function settings(change: Partial<ContainerSettings> = {}): ContainerSettings {
  return plainSettings({ security: { ...plainSecurity, seccomp: 'unconfined' }, ...change });
}

/** A created container's id. */
export async function create(
  { engine }: Pick<Workbench, 'engine'>,
  change: Partial<ContainerSettings> = {},
  name?: string,
): Promise<string> {
  const { id } = await engine.containers.create({
    settings: settings(change),
    origin: { config: {}, hostConfig: {}, networkingConfig: {} },
    ...(name !== undefined && { name }),
  });
  return id;
}
