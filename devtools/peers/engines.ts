/**
 * The engines that are measured or attacked, each started by us with its own state, socket and
 * network namespace, so that none of them touches the machine or another.
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
  /** Names of the processes that stay while nothing runs, and of the one beside each container. */
  idleProcesses: string[];
  helperProcess: string;
  /** The engine's own process and every descendant. */
  pid: number;
  /** Its data, on the disk, and the socket of its API. */
  state: string;
  socket: string;
  stop(): Promise<void>;
}

interface Directories {
  state: string;
  run: string;
  socket: string;
  /** Of Corten's agent. */
  entry: string;
  /** The words before the command. */
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
      // As scripts/agent does.
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
      // Not /docker, where another dockerd of this machine would have its groups.
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
      // crun refuses machines whose controllers lie on both versions of cgroups.
      ...['--runtime', 'runc', '--cgroup-manager', 'cgroupfs'],
      ...['system', 'service', '--time', '0', `unix://${socket}`],
    ],
    idleProcesses: ['podman'],
    helperProcess: 'conmon',
  },
];

export interface StartOptions {
  only?: string[] | undefined;
  /** Corten's agent is an ordinary user's; the others are root's. */
  withoutRoot?: boolean;
  /** What Corten says of the requests that it refuses is not shown. */
  quiet?: boolean;
  /** As what an app or a service manager starts; and nobody's Ctrl-C reaches it. */
  inOwnSession?: boolean;
  /** What its command is given besides. */
  parameters?: string[];
  /** Called with the directory of its data before it starts, such as to mount something there. */
  prepareState?: (state: string) => void;
}

/**
 * Starts every engine that this machine has and gives each the starter image. `purpose`, one word,
 * is in the names of what they make and in what is said about them.
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

/** Where a machine keeps what ends with it: on a tmpfs, even where `/run` is not one (containers). */
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
  return { state, run, socket: join(run, 'engine.sock'), entry: 'as-user.js', launcher };
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
      // An engine that keeps its storage mounted for itself would make the removal fail.
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

/** The control groups that dockerd leaves behind, and with them containers that it could not end. */
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

/** Whether it is gone; what still runs in it is ended first. */
function removeGroup(group: string): boolean {
  try {
    const pids = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n');
    // 0 is a process of another pid namespace.
    for (const pid of pids.map(Number).filter((number) => number > 1)) process.kill(pid, 'SIGKILL');
    rmdirSync(group);
    return true;
  } catch {
    // Busy until the last process is reaped; one that just ended cannot be signalled.
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

/** dockerd 26 without containerd's store cannot load an OCI archive; its own format every peer can. */
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
      // The process ended while we looked.
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
