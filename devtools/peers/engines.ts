/**
 * Starts the engines that are measured or attacked. Each has its own state, socket and network namespace, so that none of
 * them changes the host or another engine.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asUser, makeUserDirectory } from '../../agent/e2e/ordinary-user.ts';
import { connectEngine, type EngineClient } from './engine-client.ts';

const root = resolve(import.meta.dirname, '../..');
export const starterImage = 'corten/starter:latest';

export interface Engine {
  name: 'corten' | 'dockerd' | 'podman';
  client: EngineClient;
  /** Names of the processes that run while there is no container. */
  idleProcesses: string[];
  /** The name of the process beside each container. */
  helperProcess: string;
  pid: number;
  /** The data directory. */
  state: string;
  /** The path of the API's socket. */
  socket: string;
  stop(): Promise<void>;
}

interface Directories {
  state: string;
  run: string;
  socket: string;
  /** The agent's file in dist/agent; other engines have no use for it. */
  entry: string;
  /** Comes before the engine's command, such as to run it as another user. */
  launcher: string[];
}

interface Recipe {
  name: Engine['name'];
  command: string;
  parameters: (directories: Directories) => string[];
  idleProcesses: string[];
  helperProcess: string;
}

const recipes: Recipe[] = [
  {
    name: 'corten',
    command: join(root, 'node_modules/.bin/node'),
    parameters: ({ state, run, socket, entry }) => [
      // The same options as in scripts/agent.
      ...['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'],
      join(root, 'dist/agent', entry),
      ...['--root', state, '--run', run, '--socket', socket],
    ],
    idleProcesses: ['node'],
    helperProcess: 'corten-shim',
  },
  {
    name: 'dockerd',
    command: 'dockerd',
    parameters: ({ state, run, socket }) => [
      ...['--data-root', state, '--exec-root', run, '--pidfile', join(run, 'pid')],
      ...['--host', `unix://${socket}`, '--log-level', 'error'],
      // The default, /docker, may belong to another dockerd of this host.
      ...['--cgroup-parent', `/${basename(state)}`],
    ],
    idleProcesses: ['dockerd', 'containerd'],
    helperProcess: 'containerd-shim',
  },
  {
    name: 'podman',
    command: 'podman',
    parameters: ({ state, run, socket }) => [
      ...['--root', state, '--runroot', run],
      // crun refuses a host that has controllers in both versions of cgroups.
      ...['--runtime', 'runc', '--cgroup-manager', 'cgroupfs'],
      ...['system', 'service', '--time', '0', `unix://${socket}`],
    ],
    idleProcesses: ['podman'],
    helperProcess: 'conmon',
  },
];

export const engineNames: string[] = recipes.map(({ name }) => name);

export interface StartOptions {
  only?: string[] | undefined;
  /** Corten's agent runs as an ordinary user; the peers run as root all the same. */
  withoutRoot?: boolean;
  /** Discards Corten's stderr. */
  quiet?: boolean;
  /** Starts each engine in a session of its own (setsid(2)), as a service manager does. Ctrl-C does not reach it. */
  inOwnSession?: boolean;
  /** More arguments for the engine's command. */
  parameters?: string[];
  /** Called with the data directory before the engine starts, such as to mount a file system there. */
  prepareState?: (state: string) => void;
}

/**
 * Starts every engine that is installed, and loads the starter image into each. `purpose`, one word, is part of the names
 * of their directories and begins every message.
 */
export async function startEngines(purpose: string, options: StartOptions = {}): Promise<Engine[]> {
  const engines: Engine[] = [];
  for (const recipe of recipes) {
    if (options.only !== undefined && !options.only.includes(recipe.name)) continue;
    if (!existsSync(recipe.command) && spawnSync('which', [recipe.command]).status !== 0) {
      console.error(`${purpose}: ${recipe.name} is not installed, left out`);
      continue;
    }
    try {
      engines.push(await startEngine(purpose, recipe, options));
    } catch (error) {
      for (const engine of engines) await engine.stop();
      throw error;
    }
  }
  return engines;
}

/** A tmpfs for sockets. Inside a container `/run` may be none. */
function volatileParent(): string {
  const tmpfs = 0x01021994;
  return ['/run', '/dev/shm'].find((path) => statfsSync(path).type === tmpfs) ?? tmpdir();
}

function directoriesOfRoot(name: string): Directories {
  const state = mkdtempSync(join(tmpdir(), name));
  const run = mkdtempSync(join(volatileParent(), name));
  return { state, run, socket: join(run, 'engine.sock'), entry: 'main.js', launcher: [] };
}

function directoriesOfUser(): Directories {
  const place = makeUserDirectory();
  const [state, run] = [join(place, 'root'), join(place, 'run')];
  const launcher = asUser(place);
  return { state, run, socket: join(run, 'engine.sock'), entry: 'entry/as-user.js', launcher };
}

async function startEngine(
  purpose: string,
  recipe: Recipe,
  {
    quiet = false,
    inOwnSession = false,
    parameters = [],
    prepareState,
    withoutRoot = false,
  }: StartOptions,
): Promise<Engine> {
  const directories =
    withoutRoot && recipe.name === 'corten'
      ? directoriesOfUser()
      : directoriesOfRoot(`corten-${purpose}-${recipe.name}-`);
  const { state, run, socket, launcher } = directories;
  prepareState?.(state);
  const child = spawn(
    'unshare',
    [
      '--net',
      'sh',
      '-c',
      'ip link set lo up; exec "$@"',
      'sh',
      ...launcher,
      recipe.command,
      ...recipe.parameters(directories),
      ...parameters,
    ],
    {
      detached: inOwnSession,
      stdio: ['ignore', 'ignore', recipe.name === 'corten' && !quiet ? 'inherit' : 'ignore'],
    },
  );
  const client = connectEngine(socket);
  const engine: Engine = {
    name: recipe.name,
    client,
    idleProcesses: recipe.idleProcesses,
    helperProcess: recipe.helperProcess,
    pid: child.pid ?? 0,
    state,
    socket,
    stop: async () => {
      client.close();
      const gone = new Promise((resolveGone) => child.once('exit', resolveGone));
      child.kill('SIGTERM');
      await Promise.race([gone, sleep(15_000)]);
      child.kill('SIGKILL');
      // Some engines leave their storage mounted, and then its removal would fail.
      for (const line of readFileSync('/proc/mounts', 'utf8').split('\n').reverse()) {
        const point = line.split(' ')[1] ?? '';
        if ([state, run].some((top) => point === top || point.startsWith(`${top}/`)))
          spawnSync('umount', ['-l', point]);
      }
      await removeGroups(basename(state));
      for (const directory of [state, run]) rmSync(directory, { recursive: true, force: true });
    },
  };
  try {
    await answers(client, child, recipe.name);
    if (recipe.name !== 'corten') load(socket, run);
    return engine;
  } catch (error) {
    await engine.stop();
    throw error;
  }
}

/** Removes the control groups that dockerd leaves behind, and kills containers that it could not stop. */
async function removeGroups(name: string): Promise<void> {
  const top = '/sys/fs/cgroup';
  const groups = [top, ...readdirSync(top).map((entry) => join(top, entry))]
    .map((hierarchy) => join(hierarchy, name))
    .filter((group) => existsSync(join(group, 'cgroup.procs')));
  for (const group of groups.flatMap((own) => [...childrenOf(own), own]))
    for (let attempt = 0; !removeGroup(group) && attempt < 50; attempt++) await sleep(100);
}

function childrenOf(group: string): string[] {
  return readdirSync(group, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(group, entry.name));
}

/** Kills the group's processes and removes it. Returns whether it is gone. */
function removeGroup(group: string): boolean {
  try {
    const pids = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n');
    // cgroup.procs shows a process of another pid namespace as 0.
    for (const pid of pids.map(Number).filter((number) => number > 1)) process.kill(pid, 'SIGKILL');
    rmdirSync(group);
    return true;
  } catch {
    // EBUSY until the last process is reaped, or ESRCH for a process that has just ended.
    return !existsSync(group);
  }
}

async function answers(client: EngineClient, child: ChildProcess, name: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    try {
      await client.call('GET', '/_ping');
      return;
    } catch {
      await sleep(100);
    }
  }
  throw new Error(`${name} did not answer within 30 s`);
}

/** dockerd 26 without containerd's store cannot load an OCI archive, but every peer loads Docker's own format. */
function load(socket: string, directory: string): void {
  const archive = join(directory, 'image.tar');
  command('skopeo', [
    ...['--insecure-policy', 'copy', '--quiet'],
    `oci-archive:${join(root, 'dist/starter-image.tar')}`,
    `docker-archive:${archive}:${starterImage}`,
  ]);
  command('docker', ['-H', `unix://${socket}`, 'load', '-i', archive]);
}

function command(program: string, parameters: string[]): void {
  const { status, stderr } = spawnSync(program, parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${parameters.join(' ')}: ${stderr}`);
}

/** Resident memory, in bytes, of each process below `ancestor` whose name begins with `name`. */
export function residentBytes(name: string, ancestor?: number): number[] {
  const found: number[] = [];
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      if (!(/^Name:\t(.*)$/m.exec(status)?.[1] ?? '').startsWith(name.slice(0, 15))) continue;
      if (ancestor !== undefined && !descends(Number(pid), ancestor)) continue;
      found.push(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // The process ended while its files were read.
    }
  }
  return found;
}

function descends(pid: number, ancestor: number): boolean {
  for (let current = pid; current > 1; ) {
    if (current === ancestor) return true;
    const stat = readFileSync(`/proc/${current}/stat`, 'utf8');
    current = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  }
  return false;
}
