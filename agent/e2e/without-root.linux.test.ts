/** The whole agent as an ordinary user: what it does as root it does here too. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { MachineAbilities } from '../contract/abilities.ts';
import { imageOf, ociArchive, type TestImage } from '../images/testdata/image.ts';
import { startRegistry } from '../images/testdata/registry.ts';
import {
  type AgentProcess,
  ask,
  type DockerCli,
  discardAgent,
  dockerCli,
  eventually,
} from './agent-process.ts';
import { asUser, makeUserDirectory, startUserAgent, user } from './ordinary-user.ts';
import { patienceMs } from './patience.ts';

const image = 'corten/starter';
let directory: string;
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  directory = makeUserDirectory();
  await begin();
});
after(() => discardAgent(agent));

async function begin(): Promise<void> {
  agent = await startUserAgent(directory);
  docker = dockerCli(agent.socket);
}

const output = (...words: string[]) => docker.output(...words);
const pidOf = async (name: string) => Number(await output('inspect', '-f', '{{.State.Pid}}', name));

/** Real, effective, saved and file system ids, as the machine sees them. */
const idsOf = (pid: number) =>
  (/^Uid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '')
    .split('\t')
    .map(Number);

/** What runs with the ids of the user, or of those that were set aside for it. */
function processesOfUser(): string[] {
  const { uid, firstId, ids } = user;
  return readdirSync('/proc').flatMap((name) => {
    try {
      const [real = -1] = /^\d+$/.test(name) ? idsOf(Number(name)) : [];
      const theirs = real === uid || (real >= firstId && real < firstId + ids);
      return theirs ? [readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ')] : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/** Of the machine's side, as curl does it. */
async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs / 2) });
  return response.text();
}

/** A second layer deletes a file and hides a directory's earlier content; and there is a device. */
function madeImage(): TestImage {
  const busybox = readFileSync('/usr/bin/busybox');
  return imageOf([
    [
      { name: 'busybox', content: busybox, mode: 0o755 },
      { name: 'kept', content: 'kept', uid: 7, gid: 8 },
      { name: 'old/gone', content: 'gone' },
      { name: 'dir/hidden', content: 'hidden' },
      { name: 'nodes/', type: '5', mode: 0o755 },
      { name: 'nodes/null', type: '3', major: 1, minor: 3 },
    ],
    [{ name: 'old/.wh.gone' }, { name: 'dir/.wh..wh..opq' }, { name: 'dir/new', content: 'new' }],
  ]);
}

async function push(image: TestImage, name: string): Promise<void> {
  const archive = join(directory, 'made.tar');
  await writeFile(archive, ociArchive(image));
  const policy = ['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false'];
  execFileSync('skopeo', [...policy, `oci-archive:${archive}`, `docker://${name}`]);
}

test('nothing of it is root outside: the agent, its shims, root in a container', async () => {
  const id = await output('run', '-d', '--network', 'none', image, 'sleep', '1000');
  const pid = await pidOf(id);
  assert.deepEqual(idsOf(agent.pid), [4242, 4242, 4242, 4242]);
  assert.deepEqual(idsOf(pid), [4242, 4242, 4242, 4242]);
  assert.equal(await output('exec', id, 'id', '-u'), '0');
  const other = await output(
    'run',
    '-d',
    '-u',
    '1000',
    '--network',
    'none',
    image,
    'sleep',
    '1000',
  );
  const mapped = user.firstId + 999;
  assert.deepEqual(idsOf(await pidOf(other)), [mapped, mapped, mapped, mapped]);
  await output('rm', '-f', id, other);
});

test('a commit without root: owners are those inside, what is gone stays gone, a folder made anew is new', async () => {
  const script =
    'rm /etc/passwd; touch /root/old; rm -r /home; mkdir /home; touch /home/made; chown 7:8 /home/made; sleep 600';
  await output('run', '-d', '--name', 'work', '--network', 'none', image, 'sh', '-c', script);
  await eventually(async () => {
    const owner = ['exec', 'work', 'stat', '-c', '%u:%g', '/home/made'];
    assert.equal(await output(...owner), '7:8');
  });
  // Only where it has control groups of its own can a container stand still.
  const still = await docker('commit', 'work', 'still');
  if (still.code !== 0) assert.match(still.stderr, /cannot pause.* --pause=false/);
  const words = ['CMD ["stat", "-c", "%n %u:%g", "/home", "/home/made"]', 'work', 'kept'];
  await output('commit', '--pause=false', '-c', ...words);
  const kept = ['run', '--rm', '--network', 'none', 'kept'];
  assert.equal(await output(...kept), '/home 0:0\n/home/made 7:8');
  assert.equal((await docker(...kept, 'ls', '/etc/passwd')).code, 1);
  assert.equal(await output(...kept, 'ls', '/home'), 'made');
  await output('rm', '-f', 'work');
  await output('rmi', 'kept', ...(still.code === 0 ? ['still'] : []));
});

test('run, exec, logs, a terminal, stop', async () => {
  assert.equal(await output('run', '--rm', '--network', 'none', image, 'echo', 'hello'), 'hello');
  const trap = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done";
  const id = await output('run', '-d', image, 'sh', '-c', trap);
  assert.equal(
    await output('exec', '-e', 'A=b', '-w', '/tmp', id, 'sh', '-c', 'echo $A $PWD'),
    'b /tmp',
  );
  await eventually(async () => assert.equal(await output('logs', id), 'up'));
  await output('stop', id);
  assert.equal(await output('logs', id), 'up\nbye');
  assert.equal(await output('inspect', '-f', '{{.State.ExitCode}}', id), '3');
  await output('rm', id);
  const terminal = ['run', '--rm', '-t', '--network', 'none', image, 'tty'];
  assert.equal(await output(...terminal), '/dev/pts/0');
});

test('files are copied in and out of a container that does not run, and seen in its changes', async () => {
  const id = await output('create', image, 'cat', '/made/in');
  const place = join(directory, 'copied');
  mkdirSync(place);
  writeFileSync(join(place, 'in'), 'brought');
  await output('cp', place, `${id}:/made`);
  await output('cp', `${id}:/made/in`, join(place, 'out'));
  assert.equal(readFileSync(join(place, 'out'), 'utf8'), 'brought');
  assert.match(await output('diff', id), /^A \/made\/in$/m);
  assert.equal(await output('start', '-a', id), 'brought');
  await output('rm', id);
});

test('devices are the machine’s harmless ones; no other can be made', async () => {
  const look = 'ls /dev; echo x >/dev/null; head -c 4 /dev/urandom | wc -c; mknod /tmp/sda b 8 0';
  const { stdout, stderr } = await docker(
    'run',
    '--rm',
    '--network',
    'none',
    image,
    'sh',
    '-c',
    look,
  );
  const names = ['fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm'];
  const rest = ['stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero', '4'];
  assert.deepEqual(stdout.trim().split('\n'), [...names, ...rest]);
  assert.match(stderr, /Operation not permitted/);
});

test('containers reach each other by name, and a network that one joins while it runs', async () => {
  await output('network', 'create', 'team');
  await output('network', 'create', 'late');
  const web = 'echo found >/index.html; httpd -f -p 80 -h /';
  await output('run', '-d', '--name', 'web', '--network', 'team', image, 'sh', '-c', web);
  const get = (network: string) =>
    output('run', '--rm', '--network', network, image, 'wget', '-qO-', 'http://web/index.html');
  await eventually(async () => assert.equal(await get('team'), 'found'));
  await output('network', 'connect', 'late', 'web');
  assert.equal(await get('late'), 'found');
  await output('rm', '-f', 'web');
  await output('network', 'rm', 'team', 'late');
});

test('a published port is reached from the machine, also while no agent is there', async () => {
  const page = 'echo published >/index.html; httpd -f -p 80 -h /';
  await output('run', '-d', '--name', 'web', '-p', '127.0.0.1::80', image, 'sh', '-c', page);
  const url = `http://${await output('port', 'web', '80')}/index.html`;
  const published = async () => assert.equal((await fetchText(url)).trim(), 'published');
  await eventually(published);
  await agent.end('SIGKILL');
  await published();
  await begin();
  await published();
  assert.equal(await output('exec', 'web', 'echo', 'adopted'), 'adopted');
  await output('rm', '-f', 'web');
  await assert.rejects(published());
});

test('what a container may not have is refused, with the reason and what to do', async () => {
  const refused = async (words: string[], ...expected: RegExp[]) => {
    const { code, stderr } = await docker('run', '--rm', ...words, image, 'true');
    assert.notEqual(code, 0, words.join(' '));
    for (const pattern of expected) assert.match(stderr, pattern);
  };
  await refused(['-p', '80:80'], /port 80/, /ip_unprivileged_port_start/);
  await refused(['--storage-opt', 'size=16m'], /Without root/, /sudo scripts\/agent/);
  await refused(['--oom-score-adj', '-500'], /without root/);
  await refused(['--ulimit', 'nofile=99999999'], /without root/);
});

test('files: the user’s own in a bind are root’s inside; a volume keeps what users inside wrote', async () => {
  const bind = join(directory, 'home/bound');
  mkdirSync(bind);
  chownSync(bind, user.uid, user.uid);
  writeFileSync(join(bind, 'secret'), 'mine');
  chownSync(join(bind, 'secret'), user.uid, user.uid);
  const script = 'cat /b/secret; touch /b/made; chown 5:5 /v; stat -c %u /b/secret /v';
  const got = await output(
    'run',
    '--rm',
    '--network',
    'none',
    '-v',
    `${bind}:/b`,
    '-v',
    'data:/v',
    image,
    'sh',
    '-c',
    script,
  );
  assert.equal(got, 'mine0\n5');
  assert.equal(statSync(join(bind, 'made')).uid, user.uid);
  const again = ['--network', 'none', '-v', 'data:/v', image, 'stat', '-c', '%u', '/v'];
  assert.equal(await output('run', '--rm', ...again), '5');
  const place = join(directory, 'root/volumes/data/_data');
  assert.equal(statSync(place).uid, user.firstId + 4);
  await output('volume', 'rm', 'data');
  rmSync(bind, { recursive: true });
});

test('an image is pulled from a registry, with its owners, deletions and devices', async () => {
  const registry = await startRegistry(join(directory, 'registry'));
  try {
    const name = `${registry.domain}/made:1`;
    await push(madeImage(), name);
    await output('pull', name);
    const look = 'cat /kept; stat -c %u:%g /kept; ls -a /old /dir /nodes';
    const words = ['run', '--rm', '--network', 'none', name, '/busybox', 'sh', '-c', look];
    const got = await output(...words);
    const directories = ['/dir:\n.\n..\nnew', '/nodes:\n.\n..', '/old:\n.\n..'];
    assert.equal(got, `kept7:8\n${directories.join('\n\n')}`);
  } finally {
    await registry.stop();
  }
});

test('the end of the last container and the agent leaves no process of the user’s, and all it wrote can be removed', async () => {
  await output('run', '-d', '--name', 'last', image, 'sleep', '1000');
  await agent.end();
  assert.ok(
    processesOfUser().some((line) => line.startsWith('corten-keeper')),
    'it holds the network',
  );
  await begin();
  await output('rm', '-f', 'last');
  await agent.end();
  await eventually(() => assert.deepEqual(processesOfUser(), []));
  const words = ['--user', '--map-auto', '--map-root-user', 'rm', '-rf', join(directory, 'root')];
  const [program = '', ...rest] = [...asUser(directory), 'unshare', ...words];
  // The directory above is not the user's, so that the empty one stays.
  spawnSync(program, rest);
  assert.deepEqual(readdirSync(join(directory, 'root')), []);
  await begin();
});

test('a user without ids of its own is told what to do', async () => {
  const place = makeUserDirectory(0);
  await assert.rejects(startUserAgent(place), /usermod --add-subuids/);
  await assert.rejects(startUserAgent(place, { without: ['newuidmap'] }), /subuid|uidmap/);
  rmSync(place, { recursive: true });
});

test('without pasta containers have the machine’s network or none, and the reason is told', async () => {
  const place = makeUserDirectory();
  const lonely = await startUserAgent(place, { without: ['pasta'] });
  const { output: lone } = dockerCli(lonely.socket);
  assert.equal(await lone('run', '--rm', '--network', 'host', image, 'echo', 'host'), 'host');
  assert.equal(await lone('run', '--rm', '--network', 'none', image, 'echo', 'none'), 'none');
  const { body } = await ask<MachineAbilities>(
    lonely.socket,
    'GET',
    '/corten/v1/machine/abilities',
  );
  const network = body.abilities.find(({ name }) => name === 'outside-network');
  assert.ok(network?.available === false);
  assert.match(network.cause, /pasta is missing/);
  assert.match(network.nextStep, /"passt"/);
  await discardAgent(lonely);
  assert.ok(!existsSync(place));
});

/** Where v1 is there too, it has what v2 then lacks. */
const hasEveryController = existsSync('/sys/fs/cgroup/cgroup.controllers');

test('in a control group of the user’s own containers have groups: they are paused, and end together', async () => {
  const place = makeUserDirectory();
  const group = basename(place);
  const own = await startUserAgent(place, { group });
  const ownDocker = dockerCli(own.socket);
  const run = ownDocker.output;
  try {
    const id = await run('run', '-d', '--network', 'none', image, 'sleep', '1000');
    const pid = await run('inspect', '-f', '{{.State.Pid}}', id);
    const memberships = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    assert.match(memberships, new RegExp(`^0::/${group}/corten-\\w+/${id}$`, 'm'));
    await run('pause', id);
    assert.equal(await run('inspect', '-f', '{{.State.Status}}', id), 'paused');
    await run('unpause', id);
    assert.equal(await run('exec', id, 'echo', 'awake'), 'awake');
    assert.match(await run('top', id), /sleep 1000/);
    const limited = ['run', '--rm', '--network', 'none', '-m', '64m', '--pids-limit', '9', image];
    if (hasEveryController) {
      const files = ['memory.max', 'pids.max'].map((file) => `/sys/fs/cgroup/${file}`);
      assert.equal(await run(...limited, 'cat', ...files), `${64 * 2 ** 20}\n9`);
    } else {
      const { stderr } = await ownDocker(...limited, 'true');
      assert.match(stderr, /no memory controller.*Delegate=/);
    }
  } finally {
    await discardAgent(own);
    // A process that was just killed keeps its group for a moment.
    await eventually(async () => removeGroup(group));
  }
});

/** Of the hierarchy that the user saw, wherever this machine has it. */
function removeGroup(group: string): void {
  const line = 'mount -t cgroup2 none /mnt && find /mnt/$1 -depth -type d -exec rmdir {} +';
  execFileSync('unshare', ['--mount', 'sh', '-c', line, 'sh', group]);
}
