/** A machine whose containers' roots are nobody outside: `scripts/agent --userns-remap`. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  type DockerCli,
  discardAgent,
  dockerCli,
  eventually,
  findTraces,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

const image = 'corten/starter';
let directory: string;
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  directory = makeAgentDirectory();
  // Others must be able to reach what tests bind from here: their own rights decide, not the parent's.
  chmodSync(directory, 0o755);
  await begin();
});
after(() => discardAgent(agent));

async function begin(): Promise<void> {
  agent = await startAgent(directory, ['--userns-remap']);
  docker = dockerCli(agent.socket);
}

const pidOf = async (name: string) =>
  Number(await docker.output('inspect', '-f', '{{.State.Pid}}', name));

/** The first id outside. */
function firstId(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/)[1]);
}

/** Ids of a process as the machine sees them: real, effective, saved, file system. */
function idsOf(pid: number, kind: 'Uid' | 'Gid'): number[] {
  const line = new RegExp(`^${kind}:\\s+(.*)$`, 'm').exec(
    readFileSync(`/proc/${pid}/status`, 'utf8'),
  );
  return (line?.[1] ?? '').split('\t').map(Number);
}

async function withBox<T>(
  options: string[],
  use: (name: string, pid: number, first: number) => Promise<T>,
): Promise<T> {
  const id = await docker.output('run', '-d', ...options, image, 'sleep', '1000');
  try {
    const pid = await pidOf(id);
    return await use(id, pid, firstId(pid));
  } finally {
    await docker('rm', '-f', '-v', id);
  }
}

/** A directory of the machine that everybody may enter. */
function shared(name: string): string {
  const path = join(directory, name);
  mkdirSync(path);
  chmodSync(path, 0o777);
  return path;
}

test('docker info says so', async () => {
  const options = await docker.output('info', '-f', '{{.SecurityOptions}}');
  assert.match(options, /name=userns/);
});

test('root inside is an unprivileged id outside, for init and for an exec', async () => {
  await withBox([], async (name, pid, first) => {
    assert.equal(await docker.output('exec', name, 'id', '-u'), '0');
    assert.ok(first >= 0x7000_0000);
    assert.deepEqual(idsOf(pid, 'Uid'), [first, first, first, first]);
    assert.deepEqual(idsOf(pid, 'Gid'), [first, first, first, first]);
    const map = await docker.output('exec', name, 'cat', '/proc/self/uid_map');
    assert.deepEqual(map.trim().split(/\s+/).map(Number), [0, first, 65_536]);
    assert.notEqual(readlinkSync(`/proc/${pid}/ns/user`), readlinkSync('/proc/self/ns/user'));
    const user = await docker.output('exec', '-u', '1000:1001', name, 'id');
    assert.match(user, /uid=1000.* gid=1001/);
  });
});

test('every namespace belongs to it: capabilities count inside, and only there', async () => {
  const options = ['--cap-add', 'NET_ADMIN', '--cap-add', 'SYS_ADMIN'];
  const lines = [
    'ip link add probe type veth peer name other && echo link',
    'hostname other && hostname',
    'mkdir /m; mount -t tmpfs none /m && touch /m/x && echo tmpfs',
    'mount -t devpts none /m && echo devpts',
    'mount -t mqueue none /m && echo mqueue',
    'mount -t proc none /m && echo proc',
  ];
  await withBox([...options, '--security-opt', 'seccomp=unconfined'], async (name) => {
    const { stdout, stderr } = await docker('exec', name, 'sh', '-c', lines.join('; '));
    assert.deepEqual(
      stdout.split('\n'),
      ['link', 'other', 'tmpfs', 'devpts', 'mqueue', 'proc', ''],
      stderr,
    );
    const beyond = await docker(
      'exec',
      name,
      'sh',
      '-c',
      'date -s 2000-01-01; mknod /n b 8 0; dmesg; chroot /proc/1/root true; echo 1 > /proc/sys/kernel/panic',
    );
    assert.equal(
      beyond.stderr.split('\n').filter((line) => /not permitted|denied|Read-only/.test(line))
        .length >= 4,
      true,
      beyond.stderr,
    );
    assert.ok(!existsSync('/sys/class/net/probe'));
  });
});

test('two containers have ids of their own', async () => {
  await withBox([], async (_one, _onePid, first) =>
    withBox([], async (_two, _twoPid, second) => assert.ok(Math.abs(first - second) >= 65_536)),
  );
});

test('one container cannot read another’s files, nor signal or look into its processes', async () => {
  const place = shared('meeting');
  await withBox(['-v', `${place}:/meeting`], async (one, onePid, first) => {
    const line = 'umask 077; echo secret > /meeting/secret; mkdir /meeting/private';
    await docker.output('exec', one, 'sh', '-c', line);
    assert.equal(statSync(join(place, 'secret')).uid, first);
    await withBox(['-v', `${place}:/meeting`], async (two) => {
      const read = await docker(
        'exec',
        two,
        'sh',
        '-c',
        'cat /meeting/secret; ls /meeting/private',
      );
      assert.equal(read.stdout, '');
      assert.match(read.stderr, /secret.*denied[\s\S]*private.*denied/);
    });
    // With the first one's processes in sight: only then is there anything to signal.
    const script = `kill -0 1; cat /proc/1/environ; ls /proc/1/root; ls /proc/1/fd`;
    const inSight = ['--userns=host', '--pid', `container:${one}`];
    const other = firstId(onePid) + 65_536;
    const attempt = await docker(
      'run',
      '--rm',
      ...inSight,
      '-u',
      `${other}:${other}`,
      image,
      'sh',
      '-c',
      script,
    );
    assert.equal(attempt.stdout, '', attempt.stdout);
    assert.match(attempt.stderr, /not permitted[\s\S]*denied[\s\S]*denied/);
  });
});

test('a bind shows the machine’s ids: what root makes there is the mapped id’s', async () => {
  const place = shared('bound');
  writeFileSync(join(place, 'root-only'), 'secret\n', { mode: 0o600 });
  writeFileSync(join(place, 'readable'), 'hello\n', { mode: 0o644 });
  await withBox(['-v', `${place}:/bound`], async (name, _pid, first) => {
    const line = 'cat /bound/readable; echo x > /bound/made; stat -c %u:%g /bound/readable';
    const { stdout } = await docker('exec', name, 'sh', '-c', line);
    assert.equal(stdout, 'hello\n65534:65534\n');
    const refused =
      'cat /bound/root-only; echo y > /bound/readable; chown 0 /bound/readable; chmod 666 /bound/root-only';
    const { stderr } = await docker('exec', name, 'sh', '-c', refused);
    assert.equal(
      stderr.split('\n').filter((text) => /denied|not permitted/.test(text)).length,
      4,
      stderr,
    );
    const made = statSync(join(place, 'made'));
    assert.deepEqual([made.uid, made.gid], [first, first]);
  });
  assert.equal(statSync(join(place, 'root-only')).mode & 0o777, 0o600);
});

test('a bind with idmap keeps the ids inside on the disk', async () => {
  const place = shared('mapped');
  writeFileSync(join(place, 'mine'), '');
  chownSync(join(place, 'mine'), 1000, 1001);
  await withBox(['-v', `${place}:/mapped:idmap`], async (name) => {
    const line = 'stat -c %u:%g /mapped/mine; echo x > /mapped/made; chown 7:8 /mapped/made';
    assert.equal(await docker.output('exec', name, 'sh', '-c', line), '1000:1001');
  });
  const made = statSync(join(place, 'made'));
  assert.deepEqual([made.uid, made.gid], [7, 8]);
});

test('volumes keep plain ids, so that they go between containers of both kinds', async () => {
  const write = 'id -u; echo x > /data/file; chown 1000:1001 /data/file; chmod 600 /data/file';
  await docker.output('run', '--rm', '-v', 'vol:/data', image, 'sh', '-c', write);
  // Where it lies differs with what limits disks.
  const placeOf = (volume: string) =>
    docker.output('volume', 'inspect', '-f', '{{.Mountpoint}}', volume);
  const file = join(await placeOf('vol'), 'file');
  assert.deepEqual([statSync(file).uid, statSync(file).gid], [1000, 1001]);
  const show = ['-v', 'vol:/data', image, 'stat', '-c', '%u:%g %a', '/data/file'];
  assert.equal(await docker.output('run', '--rm', ...show), '1000:1001 600');
  assert.equal(await docker.output('run', '--rm', '--userns=host', ...show), '1000:1001 600');
  // What the image has at the target is copied with its ids too.
  const copied = ['-v', 'etc:/etc', image, 'stat', '-c', '%u:%g', '/etc/passwd'];
  assert.equal(await docker.output('run', '--rm', ...copied), '0:0');
  assert.equal(statSync(join(await placeOf('etc'), 'passwd')).uid, 0);
  await docker.output('volume', 'rm', 'vol', 'etc');
});

test('chown, chmod and mknod inside', async () => {
  const line = [
    'cp /bin/busybox /tmp/id; chmod 4755 /tmp/id; chown 5:6 /tmp/id; chmod 6755 /tmp/id',
    'stat -c "%u:%g %a" /tmp/id',
    'mknod /tmp/fifo p && echo fifo',
    'mknod /tmp/null c 1 3 || echo no device',
    'chown 70000 /tmp/fifo || echo no such id',
  ].join('; ');
  await withBox([], async (name) => {
    const { stdout } = await docker('exec', name, 'sh', '-c', line);
    assert.deepEqual(stdout.split('\n'), ['5:6 6755', 'fifo', 'no device', 'no such id', '']);
  });
});

test('the disk has plain ids: diff, cp, export and a stopped container agree', async () => {
  const line = 'mkdir /made; echo x > /made/file; chown 1000:1001 /made/file; sleep 1000';
  const id = await docker.output('run', '-d', image, 'sh', '-c', line);
  const tarOwner = async (...words: string[]) => {
    const { stdout } = await docker('exec', id, 'true').then(() => docker(...words));
    return stdout;
  };
  for (let tries = 0; tries < 100; tries++)
    if ((await docker('exec', id, 'test', '-e', '/made/file')).code === 0) break;
  const layer = await docker.output('inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', id);
  const onDisk = lstatSync(join(layer, 'made/file'));
  assert.deepEqual([onDisk.uid, onDisk.gid], [1000, 1001]);
  assert.match(await docker.output('diff', id), /^A \/made\nA \/made\/file$/m);
  const ownerIn = (archive: string, name: string) => {
    const at = archive.indexOf(name);
    return [archive.slice(at + 108, at + 115), archive.slice(at + 116, at + 123)].map((text) =>
      Number.parseInt(text, 8),
    );
  };
  assert.deepEqual(ownerIn(await tarOwner('cp', `${id}:/made`, '-'), 'made/file'), [1000, 1001]);
  const source = join(directory, 'copied-in');
  writeFileSync(source, 'in\n');
  chownSync(source, 33, 34);
  await docker.output('cp', '-a', source, `${id}:/made/in`);
  assert.equal(await docker.output('exec', id, 'stat', '-c', '%u:%g', '/made/in'), '0:0');
  await docker.output('cp', source, `${id}:/made/plain`);
  assert.equal(await docker.output('exec', id, 'stat', '-c', '%u:%g', '/made/plain'), '33:34');
  await docker.output('kill', id);
  await docker.output('wait', id);
  assert.equal(statSync(join(layer, 'made/plain')).uid, 33);
  const stopped = (await docker('cp', `${id}:/made`, '-')).stdout;
  assert.deepEqual(ownerIn(stopped, 'made/file'), [1000, 1001]);
  assert.deepEqual(ownerIn(stopped, 'made/plain'), [33, 34]);
  await docker.output('rm', id);
});

test('--userns=host is the machine’s root, and what needs that is refused without it', async () => {
  await withBox(['--userns=host'], async (_name, pid) => {
    assert.deepEqual(idsOf(pid, 'Uid'), [0, 0, 0, 0]);
    assert.equal(readlinkSync(`/proc/${pid}/ns/user`), readlinkSync('/proc/self/ns/user'));
  });
  for (const [options, words] of [
    [['--privileged'], /privileged mode is incompatible with user namespaces/],
    [['--network', 'host'], /cannot share the host's network namespace when user namespaces are/],
    [['--pid', 'host'], /cannot share the host PID namespace when user namespaces are enabled/],
  ] as const) {
    const { code, stderr } = await docker('run', '--rm', ...options, image, 'true');
    assert.equal(code, 125);
    assert.match(stderr, words);
    await docker.output('run', '--rm', '--userns=host', ...options, image, 'true');
  }
});

test('who joins a container’s network, ipc or pids is in its user namespace too', async () => {
  await withBox(['--ipc', 'shareable'], async (name, pid) => {
    for (const option of [
      `--network=container:${name}`,
      `--ipc=container:${name}`,
      `--pid=container:${name}`,
    ]) {
      const link = await docker.output(
        'run',
        '--rm',
        option,
        image,
        'readlink',
        '/proc/self/ns/user',
      );
      assert.equal(link, readlinkSync(`/proc/${pid}/ns/user`), option);
    }
    const own = ['--cap-add', 'NET_ADMIN', `--network=container:${name}`];
    await docker.output('run', '--rm', ...own, image, 'ip', 'link', 'set', 'lo', 'mtu', '1500');
  });
  await withBox(['--userns=host'], async (name) => {
    const { stderr } = await docker('run', '--rm', `--network=container:${name}`, image, 'true');
    assert.match(stderr, /it has no user namespace and this container has one.*--userns=host/);
  });
});

test('terminal, --init, network, and limits work as elsewhere', async () => {
  const memory = ['--memory', '64m', '--ulimit', 'nofile=2000:3000'];
  await withBox(['--init', '-p', '127.0.0.1::80', ...memory], async (name) => {
    assert.equal(
      await docker.output('exec', name, 'sh', '-c', 'ulimit -Sn; ulimit -Hn'),
      '2000\n3000',
    );
    assert.match(await docker.output('exec', name, 'cat', '/proc/1/comm'), /corten-shim/);
    assert.match(await docker.output('exec', name, 'ip', 'addr', 'show', 'eth0'), /inet /);
    assert.equal(
      await docker.output('exec', '-t', name, 'sh', '-c', 'tty; echo $((1+1)) > /dev/tty'),
      '/dev/pts/0\r\n2',
    );
    assert.equal(
      await docker.output(
        'exec',
        name,
        'sh',
        '-c',
        'echo 127.9.9.9 own >> /etc/hosts; tail -n 1 /etc/hosts',
      ),
      '127.9.9.9 own',
    );
    assert.equal(
      await docker.output(
        'exec',
        name,
        'stat',
        '-c',
        '%u',
        '/etc/hosts',
        '/dev',
        '/dev/null',
        '/dev/shm',
        '/dev/mqueue',
        '/dev/pts',
      ),
      '0\n0\n0\n0\n0\n0',
    );
  });
  const terminal = await docker.output(
    'run',
    '--rm',
    '-t',
    image,
    'sh',
    '-c',
    'tty; stat -c %u:%g /dev/console; echo x > /dev/console',
  );
  assert.equal(terminal, '/dev/pts/0\r\n0:5\r\nx');
});

test('after kill -9 of the agent they run on, with the ids they had, and take execs', async () => {
  const id = await docker.output('run', '-d', '-i', image, 'sleep', '1000');
  const [pid, first] = [await pidOf(id), firstId(await pidOf(id))];
  await agent.end('SIGKILL');
  await begin();
  assert.equal(await pidOf(id), pid);
  assert.equal(await docker.output('exec', id, 'id', '-u'), '0');
  await docker.output('restart', '-t', '0', id);
  assert.equal(firstId(await pidOf(id)), first, 'a container keeps its ids');
  await docker.output('rm', '-f', id);
});

test('without the option a container asks for it; the choice is kept', async () => {
  await agent.end();
  agent = await startAgent(directory);
  docker = dockerCli(agent.socket);
  assert.doesNotMatch(await docker.output('info', '-f', '{{.SecurityOptions}}'), /userns/);
  await withBox([], async (_name, pid) => assert.deepEqual(idsOf(pid, 'Uid'), [0, 0, 0, 0]));
  await withBox(['--security-opt', 'userns=auto'], async (_name, pid, first) => {
    assert.deepEqual(idsOf(pid, 'Uid'), [first, first, first, first]);
    assert.ok(first >= 0x7000_0000);
  });
  await agent.end();
  agent = await startAgent(directory, ['--userns-remap=300000:131072']);
  docker = dockerCli(agent.socket);
  await withBox([], async (_one, _pid, first) =>
    withBox([], async (_two, _pidOfTwo, second) => {
      assert.deepEqual([first, second].sort(), [300_000, 365_536]);
      const { stderr } = await docker('create', image);
      assert.match(stderr, /all 2 ranges of user ids are in use/);
    }),
  );
});

test('nothing is left', async () => {
  // Groups and directories go in spare time, a moment after the answer.
  await eventually(() => {
    const { mounts, cgroups, shims } = findTraces(agent);
    assert.deepEqual({ mounts, cgroups, shims }, { mounts: [], cgroups: [], shims: 0 });
  });
});
