/**
 * Host folders: the same loads on a folder itself, on Corten's mount of it over SSH, and on sshfs over SSH, all on this
 * machine. 9p is not compared, since not every kernel has it.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeAgentDirectory, startAgent } from '../../agent/e2e/agent-process.ts';
import { freePort } from '../../agent/network/testdata/free-port.ts';
import { nativeEndpoint } from '../../electron/host/native-linux/backend.ts';
import { createFolderSharing } from '../../electron/host/shared-folders/share-folders.ts';
import { createSshLink } from '../../electron/host/ssh/link.ts';
import { cloneSource, folderLoads } from './folder-load.ts';
import { type Measurement, type Result, summarise } from './measure.ts';

const run = promisify(execFile);
/** A load takes seconds, and its ratio is stable after few runs. */
const mostRuns = 5;

interface Place {
  name: string;
  /** The directory that has the files. */
  host: string;
  /** The path through which the load uses them. */
  guest: string;
  close(): Promise<void>;
}

/** Yields each result as it is there, so that a run that is interrupted has shown some. */
export async function* benchFolders(runs: number): AsyncGenerator<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'corten-bench-folders-'));
  const places: Place[] = [];
  // The files are on a tmpfs, so that the transport is measured and not the disk.
  execFileSync('mount', ['-t', 'tmpfs', 'corten-bench', directory]);
  try {
    places.push(nativePlace(directory), await cortenPlace(directory));
    const sshfs = await sshfsPlace(directory);
    if (sshfs !== undefined) places.push(sshfs);
    for (const load of folderLoads) yield await measure(load, places, Math.min(runs, mostRuns));
  } finally {
    for (const place of places.reverse()) await place.close();
    await run('umount', ['-l', directory]);
    for (const path of [directory, cloneSource]) rmSync(path, { recursive: true, force: true });
  }
}

async function measure(load: string, places: Place[], runs: number): Promise<Result> {
  const times = places.map((): number[] => []);
  for (let round = 0; round <= runs; round++)
    for (const [index, place] of places.entries()) {
      // Each run has its own folder, of which no cache knows anything.
      const name = `round-${round}`;
      await prepare(load, join(place.host, name));
      const { stdout } = await run(
        process.execPath,
        [join(import.meta.dirname, 'folder-load.ts'), load, join(place.guest, name)],
        { env: { ...process.env, npm_config_cache: join(tmpdir(), 'corten-bench-npm') } },
      );
      if (round > 0) times[index]?.push(Number(stdout));
      await run('rm', ['-rf', join(place.host, name)]);
    }
  const measurements = places.map(
    ({ name }, index): Measurement => summarise(name, times[index] ?? []),
  );
  return {
    benchmark: 'folders',
    what: load,
    unit: 'ms',
    measurements,
    goals: [],
  };
}

async function prepare(load: string, directory: string): Promise<void> {
  mkdirSync(directory);
  const commands: Record<string, string> = {
    'read 128 MiB': 'head -c 134217728 /dev/zero > large',
    'read 2000 files': many('small'),
    'stat 2000 files, 5 times': many('small'),
    'git clone, 1000 files': `[ -d ${cloneSource} ] || (git init -q ${cloneSource} && cd ${cloneSource} && for d in $(seq 40); do mkdir -p $d/e && for f in $(seq 25); do head -c $((f * 100)) /dev/urandom > $d/e/$f; done; done && ${commitAll})`,
    'git status': `git init -q repository && cd repository && ${many('files')} && ${commitAll}`,
  };
  await run('sh', ['-ec', commands[load] ?? ':'], { cwd: directory });
}

const commitAll = 'git add . && git -c user.name=a -c user.email=a@b commit -qm all';

const many = (folder: string) =>
  `mkdir ${folder} && for i in $(seq 2000); do head -c 1000 /dev/zero > ${folder}/file-$i; done`;

function nativePlace(directory: string): Place {
  const host = join(directory, 'native');
  mkdirSync(host);
  return { name: 'native', host, guest: host, close: async () => {} };
}

async function cortenPlace(directory: string): Promise<Place> {
  const [host, guest] = [join(directory, 'corten'), join(directory, 'corten-mount')];
  mkdirSync(host);
  const agentDirectory = makeAgentDirectory();
  const agent = await startAgent(agentDirectory);
  const link = createSshLink(
    nativeEndpoint({ rootDirectory: agent.root, runDirectory: agent.run }),
  );
  await link.connect();
  const folder = { path: host, readOnly: false };
  const sharing = createFolderSharing({
    list: {
      all: () => [folder],
      notices: () => [],
      add: () => {},
      remove: () => {},
      onChange: () => () => {},
    },
    mountPathOf: () => guest,
  });
  const companion = sharing.companion({
    link,
    services: link,
    onPauseChange: () => () => {},
    report: (what, error) => console.error(what, error),
  });
  await untilMounted(guest);
  return {
    name: 'corten',
    host,
    guest,
    async close() {
      await (await companion).close();
      link.close();
      await agent.end();
      rmSync(agentDirectory, { recursive: true, force: true });
    },
  };
}

/** Resolves to undefined where sshfs or an SSH server is not installed. */
async function sshfsPlace(directory: string): Promise<Place | undefined> {
  const [host, guest, keys] = ['sshfs', 'sshfs-mount', 'sshfs-keys'].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  for (const path of [host, guest, keys]) mkdirSync(path);
  try {
    execFileSync('sh', ['-c', 'command -v sshfs && test -x /usr/sbin/sshd'], { stdio: 'ignore' });
  } catch {
    console.error('folders: sshfs or sshd is not installed, and left out');
    return undefined;
  }
  for (const key of ['host', 'client'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(keys, key)]);
  const port = await freePort();
  writeFileSync(
    join(keys, 'config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${keys}/host`,
      `AuthorizedKeysFile ${keys}/client.pub`,
      'PermitRootLogin yes',
      'StrictModes no',
      'UsePAM no',
      `PidFile ${keys}/pid`,
      'Subsystem sftp internal-sftp',
    ].join('\n'),
  );
  mkdirSync('/run/sshd', { recursive: true });
  const server = spawn('/usr/sbin/sshd', ['-D', '-f', join(keys, 'config')], { stdio: 'ignore' });
  await sleep(500);
  const options = ['-f', '-o', 'allow_other', '-o', 'StrictHostKeyChecking=no'];
  options.push('-o', 'UserKnownHostsFile=/dev/null', '-o', `IdentityFile=${keys}/client`);
  const client = spawn('sshfs', [...options, '-p', String(port), `root@127.0.0.1:${host}`, guest], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await untilMounted(guest);
  return {
    name: 'sshfs',
    host,
    guest,
    async close() {
      await run('umount', ['-l', guest]);
      client.kill();
      server.kill();
    },
  };
}

async function untilMounted(path: string): Promise<void> {
  for (
    let tries = 0;
    !readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `);
    tries++
  ) {
    if (tries > 1000) throw new Error(`${path} was not mounted in time`);
    await sleep(20);
  }
}
