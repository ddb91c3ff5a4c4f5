/**
 * What a container must not reach. Each test names the incident that it stands for. They are run on a
 * container whose root is the machine's and on one with a user namespace.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OciProcess, OciSpec } from '../contract/oci-runtime.ts';
import { defaultSeccompProfile } from './seccomp-profile.ts';
import {
  firstId,
  sliceMicros,
  TestBench,
  testProcess,
  testSpec,
} from './testdata/test-container.ts';

export function isolationSuite(remapped: boolean): void {
  let bench: TestBench;
  before(async () => {
    bench = await TestBench.open({ remapped });
  });
  after(() => bench.close());

  const shell = (script: string, changes: Parameters<typeof testProcess>[1] = {}) =>
    testSpec(testProcess(['/bin/sh', '-c', script], changes));

  /** A root directory of its own for a test that plays a hostile image. */
  function hostileImage(change: (root: string) => void): { kind: 'directory'; path: string } {
    const { work } = bench.place();
    const path = join(work, 'root');
    cpSync(join(bench.root, 'image'), path, { recursive: true, verbatimSymlinks: true });
    // A plain directory is taken as it is: its owner must be the container's root.
    if (remapped) execFileSync('chown', ['-Rh', `${firstId}:${firstId}`, path]);
    change(path);
    return { kind: 'directory', path };
  }

  test('threads: the host’s namespaces are untouched while a container is made', async () => {
    const names = ['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup', ...(remapped ? ['user'] : [])];
    const own = () => names.map((name) => readlinkSync(`/proc/self/ns/${name}`));
    const before = own();
    const { stdout } = await bench.run(
      shell(names.map((name) => `readlink /proc/self/ns/${name}`).join(';')),
    );
    assert.deepEqual(own(), before);
    for (const [index, inside] of stdout.trim().split('\n').entries())
      assert.notEqual(inside, before[index], `namespace ${names[index]}`);
  });

  test('threads: nothing but stdio is open in the container', async () => {
    const { stdout } = await bench.run(shell('ls /proc/self/fd; ls -l /proc/1/fd | grep -c /'));
    // 3 is ls’s own handle on the directory.
    assert.deepEqual(stdout.split('\n').slice(0, 4), ['0', '1', '2', '3']);
  });

  test('threads: the working directory cannot be a leaked descriptor of the host (CVE-2024-21626)', async () => {
    for (let fd = 3; fd < 40; fd++) {
      const spec = shell('cat /etc/passwd');
      spec.process.cwd = `/proc/self/fd/${fd}`;
      await assert.rejects(bench.run(spec), Error, spec.process.cwd);
    }
  });

  test('threads: the shim’s own program cannot be changed from inside (CVE-2019-5736)', async () => {
    // Even with the right to look at it, which a container does not have by default.
    const names = ['CAP_SYS_PTRACE', 'CAP_DAC_OVERRIDE'];
    const capabilities = { bounding: names, effective: names, permitted: names };
    const script = 'readlink /proc/1/exe; (echo evil > /proc/1/exe) 2>&1';
    const { stdout } = await bench.run(shell(script, { capabilities }), { init: true });
    // With a user namespace that right does not reach the shim at all: its memory is the machine's.
    if (remapped)
      assert.match(stdout, /^\/bin\/sh: can't create \/proc\/1\/exe: Permission denied/);
    else
      assert.match(stdout, /^\/memfd:corten-shim \(deleted\)\n.*(Text file busy|not permitted)/s);
    const { stdout: byDefault } = await bench.run(shell('readlink /proc/1/exe'), { init: true });
    assert.equal(byDefault, '');
  });

  test('paths: links in the image lead nowhere outside it (CVE-2021-30465)', async () => {
    const { work: outside } = bench.place();
    const rootfs = hostileImage((root) => {
      symlinkSync(outside, join(root, 'absolute'));
      mkdirSync(join(root, outside), { recursive: true });
      symlinkSync('../../../../../../../../../..', join(root, 'up'));
    });
    const spec = shell('true');
    const options = ['nosuid'];
    spec.mounts.push({ destination: '/absolute/made', type: 'tmpfs', options });
    spec.mounts.push({ destination: `/up${outside}/made-too`, type: 'tmpfs', options });
    spec.process.cwd = '/absolute/cwd';
    await bench.run(spec, {}, { rootfs });
    assert.deepEqual(lstatSync(outside).nlink, 2);
    // What was made lies in the image, at the path that the link names there.
    assert.ok(statSync(join(rootfs.path, outside, 'made')).isDirectory());
  });

  test('paths: /dev of the image being a link does not give nodes to the host', async () => {
    const { work: outside } = bench.place();
    const rootfs = hostileImage((root) => {
      rmSync(join(root, 'dev'), { recursive: true });
      symlinkSync(outside, join(root, 'dev'));
    });
    await bench.run(shell('true'), {}, { rootfs }).catch(() => {});
    assert.equal(lstatSync(outside).nlink, 2);
  });

  for (const name of ['proc', 'sys'])
    test(`paths: /${name} of the image being a link is refused (CVE-2019-19921)`, async () => {
      const rootfs = hostileImage((root) => {
        rmSync(join(root, name), { recursive: true });
        mkdirSync(join(root, 'elsewhere'));
        symlinkSync('elsewhere', join(root, name));
      });
      // Masks and what is read-only below it would be refused too, and later.
      await assert.rejects(bench.run(shell('true'), {}, { rootfs }), {
        kind: 'invalid',
        message: `the image's /${name} is not a directory`,
      });
    });

  for (const name of ['proc', 'sys', 'dev'])
    test(`paths: /${name} of the image being a file is a mistake of the image`, async () => {
      const rootfs = hostileImage((root) => {
        rmSync(join(root, name), { recursive: true });
        writeFileSync(join(root, name), '');
      });
      await assert.rejects(bench.run(shell('true'), {}, { rootfs }), { kind: 'invalid' });
    });

  test('paths: a link of the image that leads a mount to the root is refused', async () => {
    const rootfs = hostileImage((root) => symlinkSync('/', join(root, 'data')));
    const mounts = [
      { destination: '/data', source: bench.place().work, options: ['bind'] },
      { destination: '/data', type: 'tmpfs', options: ['nosuid'] },
    ];
    for (const mount of mounts) {
      const spec = shell('true');
      spec.mounts.push(mount);
      await assert.rejects(bench.run(spec, {}, { rootfs }), {
        kind: 'invalid',
        message: /leads to the container's root/,
      });
    }
  });

  test('paths: a file is bound where the image’s dangling links lead, inside the image', async () => {
    const { work: outside } = bench.place();
    const source = join(outside, 'source');
    writeFileSync(source, 'bound\n');
    const rootfs = hostileImage((root) => {
      mkdirSync(join(root, 'etc'), { recursive: true });
      rmSync(join(root, 'etc/resolv.conf'), { force: true });
      symlinkSync(`../../..${outside}/stub`, join(root, 'etc/resolv.conf'));
      symlinkSync('/circle', join(root, 'circle'));
    });
    const spec = shell(`cat /etc/resolv.conf ${outside}/stub`);
    spec.mounts.push({ destination: '/etc/resolv.conf', source, options: ['bind'] });
    assert.equal((await bench.run(spec, {}, { rootfs })).stdout, 'bound\nbound\n');
    assert.deepEqual(readdirSync(outside), ['source']);
    const circle = shell('true');
    circle.mounts.push({ destination: '/circle', source, options: ['bind'] });
    await assert.rejects(bench.run(circle, {}, { rootfs }), { kind: 'invalid' });
  });

  test('paths: nothing is mounted below /proc but what lxcfs needs', async () => {
    const refused = shell('true');
    refused.mounts.push({
      destination: '/proc/self/../sys/kernel',
      source: '/tmp',
      options: ['bind'],
    });
    await assert.rejects(bench.run(refused), { kind: 'invalid', message: /inside \/proc/ });
    const onProc = shell('true');
    onProc.mounts.push({ destination: '/proc', source: '/tmp', options: ['bind'] });
    await assert.rejects(bench.run(onProc), { kind: 'invalid' });

    const { work } = bench.place();
    writeFileSync(join(work, 'meminfo'), 'MemTotal: 1 kB\n');
    const allowed = shell('cat /proc/meminfo');
    allowed.mounts.push({
      destination: '/proc/meminfo',
      source: join(work, 'meminfo'),
      options: ['bind', 'ro'],
    });
    assert.equal((await bench.run(allowed)).stdout, 'MemTotal: 1 kB\n');
  });

  test('paths: a second procfs shows the container too, and nothing of the machine', async () => {
    const spec = shell("for at in /proc /other; do tr '\\0' ' ' <$at/1/cmdline; echo; done");
    spec.mounts.push({
      destination: '/other',
      type: 'proc',
      options: ['nosuid', 'nodev', 'noexec'],
    });
    const { stdout } = await bench.run(spec);
    const [first, second] = stdout.split('\n');
    assert.match(first!, /^\/bin\/sh -c for at/);
    assert.equal(second, first);
    const below = shell('true');
    below.mounts.push({ destination: '/proc/uptime', type: 'proc' });
    await assert.rejects(bench.run(below), { kind: 'invalid', message: /inside \/proc/ });
  });

  test('paths: a link of the image that leads a mount below /proc is refused (CVE-2025-52881)', async () => {
    const rootfs = hostileImage((root) => {
      symlinkSync('proc', join(root, 'kernel'));
      symlinkSync('../../proc/sys', join(root, 'etc/settings'));
    });
    const { work } = bench.place();
    writeFileSync(join(work, 'file'), '');
    const destinations = ['/kernel', '/kernel/sys', '/etc/settings/net', '/kernel/self/attr'];
    const mounts = [
      ...destinations.map((destination) => ({ destination, type: 'tmpfs', options: ['nosuid'] })),
      { destination: '/kernel/sys', source: work, options: ['bind'] },
      { destination: '/kernel/version', source: join(work, 'file'), options: ['bind'] },
    ];
    for (const mount of mounts) {
      const spec = shell('true');
      spec.mounts.push(mount);
      await assert.rejects(
        bench.run(spec, {}, { rootfs }),
        { kind: 'invalid', message: /inside \/proc/ },
        mount.destination,
      );
    }
  });

  test('paths: masked files read as empty and masked directories as an empty read-only one', async () => {
    const script =
      'wc -c < /proc/keys; wc -c < /proc/timer_list; ls /sys/firmware | wc -l; (echo x > /proc/keys) && echo swallowed; touch /sys/firmware/x 2>&1';
    const { stdout } = await bench.run(shell(script));
    const lines = stdout.split('\n');
    assert.deepEqual(lines.slice(0, 4), ['0', '0', '0', 'swallowed']);
    assert.match(lines[4] ?? '', /Read-only/);
  });

  test('paths: a mask is refused when /dev/null is not the null device (CVE-2025-31133)', async () => {
    const rootfs = hostileImage((root) => writeFileSync(join(root, 'dev/null'), 'not null'));
    const spec = shell('true');
    spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'));
    await assert.rejects(bench.run(spec, {}, { rootfs }), Error);
  });

  for (const list of ['maskedPaths', 'readonlyPaths'] as const)
    test(`paths: a link of the image among the ${list} is refused, not followed`, async () => {
      const rootfs = hostileImage((root) => symlinkSync('etc', join(root, 'settings')));
      const spec = shell('true');
      spec.linux[list] = ['/settings/passwd'];
      await assert.rejects(bench.run(spec, {}, { rootfs }), Error);
      spec.linux[list] = ['/etc/passwd'];
      assert.equal((await bench.run(spec, {}, { rootfs })).exit.exitCode, 0);
    });

  test('paths: read-only parts of procfs stay nosuid, nodev and noexec', async () => {
    const { stdout } = await bench.run(
      shell(
        'grep " /proc/sys " /proc/self/mountinfo; echo 1 > /proc/sys/net/ipv4/ip_forward || echo refused',
      ),
    );
    assert.match(stdout, /ro,nosuid,nodev,noexec/);
    assert.match(stdout, /refused/);
  });

  test('paths: the root’s old tree is gone', async () => {
    const { stdout } = await bench.run(
      shell('cut -d" " -f5 /proc/self/mountinfo; ls -d /work /lost+found 2>&1'),
    );
    assert.ok(stdout.split('\n').includes('/'));
    assert.doesNotMatch(stdout, new RegExp(bench.root));
  });

  test('paths: only namespaced sysctls, and only when the namespace is private', async () => {
    const own = shell('cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax');
    own.linux.sysctl = { 'net.ipv4.ip_unprivileged_port_start': '7', 'kernel.msgmax': '4096' };
    assert.equal((await bench.run(own)).stdout, '7\n4096\n');
    assert.notEqual(readFileSync('/proc/sys/kernel/msgmax', 'utf8'), '4096\n');

    const global = shell('true');
    global.linux.sysctl = { 'kernel.panic': '1' };
    await assert.rejects(bench.run(global), {
      kind: 'invalid',
      message: /separate kernel namespace/,
    });

    const shared = shell('true');
    shared.linux.namespaces = shared.linux.namespaces.filter(({ type }) => type !== 'network');
    shared.linux.sysctl = { 'net.ipv4.ip_forward': '1' };
    await assert.rejects(bench.run(shared), { kind: 'invalid' });

    const sneaky = shell('true');
    sneaky.linux.sysctl = { 'net/../kernel/panic': '1' };
    await assert.rejects(bench.run(sneaky), { kind: 'invalid' });
  });

  test('paths: /dev holds the six nodes, and the host’s /dev/null keeps its owner', async () => {
    const host = statSync('/dev/null');
    const script =
      'cd /dev; for n in null zero full random urandom tty; do stat -c "%n %F %t,%T %a" $n; done; for l in ptmx fd stdin stdout stderr; do readlink $l; done';
    const { stdout } = await bench.run(shell(script, { user: { uid: 1000, gid: 1000 } }));
    assert.equal(
      stdout,
      [
        'null character special file 1,3 666',
        'zero character special file 1,5 666',
        'full character special file 1,7 666',
        'random character special file 1,8 666',
        'urandom character special file 1,9 666',
        'tty character special file 5,0 666',
        'pts/ptmx',
        '/proc/self/fd',
        '/proc/self/fd/0',
        '/proc/self/fd/1',
        '/proc/self/fd/2',
        '',
      ].join('\n'),
    );
    const now = statSync('/dev/null');
    assert.deepEqual(
      [now.uid, now.gid, now.mode, now.rdev],
      [host.uid, host.gid, host.mode, host.rdev],
    );
    assert.equal(now.uid, 0);
  });

  test('paths: what one container does to its /dev and /dev/shm the next does not see', async () => {
    const script =
      'cd /dev; ls -A . shm pts mqueue; stat -c "%n %a %u:%g" . * shm/. pts/ptmx; stat -f -c %T . shm pts; touch mine shm/mine; rm null';
    const look = async () => (await bench.run(shell(script))).stdout;
    const first = await look();
    assert.match(first, /^null 666 /m);
    for (let round = 0; round < 3; round += 1) {
      // In which the next one's are made.
      await sleep(60);
      assert.equal(await look(), first);
    }
  });

  test('network: one that was made ahead is as one that is made, whatever the last container asked for', async () => {
    const script =
      'ls /sys/class/net; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep " /sys sysfs " /proc/mounts; stat -c %d /sys/class/net/lo/ifindex >/dev/null; cat /sys/class/net/lo/flags';
    const mount = 'sysfs /sys sysfs ro,nosuid,nodev,noexec,relatime 0 0';
    const look = async (sysctl?: Record<string, string>) => {
      const spec = shell(script);
      if (sysctl !== undefined) spec.linux.sysctl = sysctl;
      const { stdout } = await bench.run(spec);
      // In which the next one's is made.
      await sleep(60);
      return stdout.trimEnd().split('\n');
    };
    const start = 'net.ipv4.ip_unprivileged_port_start';
    const ports = { low: { [start]: '0' }, high: { [start]: '7' } };
    for (const [wanted, is] of [
      [ports.low, '0'],
      [ports.low, '0'],
      [ports.high, '7'],
      [ports.high, '7'],
      [undefined, '1024'],
      [undefined, '1024'],
      [{ ...ports.low, 'net.ipv4.ip_forward': '1' }, '0'],
      [undefined, '1024'],
    ] as const)
      assert.deepEqual(await look(wanted), ['lo', is, mount, '0x9']);
    await assert.rejects(look({ [start]: 'x' }), { kind: 'invalid' });
    // In which one is tried to be made so.
    await sleep(60);
    assert.deepEqual(await look(ports.high), ['lo', '7', mount, '0x9']);
  });

  test('paths: a device that was asked for is there with its owner and mode', async () => {
    const spec = shell('stat -c "%F %t,%T %a %u:%g" /dev/sub/fuse');
    spec.linux.devices = [
      { path: '/dev/sub/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o640, uid: 7, gid: 8 },
    ];
    assert.equal((await bench.run(spec)).stdout, 'character special file a,e5 640 7:8\n');
  });

  test('credentials: capabilities are those of the specification, in every set', async () => {
    const script = 'grep ^Cap /proc/self/status; grep NoNewPrivs /proc/self/status';
    const caps = (text: string) =>
      Object.fromEntries(
        text
          .trim()
          .split('\n')
          .map((line) => line.split(':\t') as [string, string]),
      );
    const root = caps((await bench.run(shell(script))).stdout);
    const expected = '00000000000001e1';
    assert.deepEqual(root, {
      CapInh: '0000000000000000',
      CapPrm: expected,
      CapEff: expected,
      CapBnd: expected,
      CapAmb: '0000000000000000',
      NoNewPrivs: '1',
    });
    const user = caps((await bench.run(shell(script, { user: { uid: 1000, gid: 1000 } }))).stdout);
    assert.equal(user.CapEff, '0000000000000000');
    assert.equal(user.CapPrm, '0000000000000000');
    assert.equal(user.CapBnd, expected);
  });

  test('credentials: ambient capabilities reach a user only when asked for', async () => {
    const names = ['CAP_CHOWN'];
    const capabilities = {
      bounding: names,
      effective: names,
      permitted: names,
      inheritable: names,
      ambient: names,
    };
    const { stdout } = await bench.run(
      shell('grep CapEff /proc/self/status', { user: { uid: 1000, gid: 1000 }, capabilities }),
    );
    assert.equal(stdout, 'CapEff:\t0000000000000001\n');
    const { stdout: none } = await bench.run(
      shell('grep CapAmb /proc/self/status', { capabilities: { ...capabilities, ambient: [] } }),
    );
    assert.equal(none, 'CapAmb:\t0000000000000000\n');
  });

  test('credentials: what is inheritable need not be permitted', async () => {
    const capabilities = { bounding: ['CAP_CHOWN'], inheritable: ['CAP_CHOWN'] };
    for (const uid of [0, 1000]) {
      const process = { user: { uid, gid: uid }, capabilities };
      const { stdout } = await bench.run(
        shell('grep -E "CapInh|CapEff" /proc/self/status', process),
      );
      assert.equal(stdout, 'CapInh:\t0000000000000001\nCapEff:\t0000000000000000\n');
    }
  });

  test('credentials: an unknown capability is an error', async () => {
    const capabilities = { bounding: ['CAP_WIZARDRY'] };
    await assert.rejects(bench.run(shell('true', { capabilities })), {
      kind: 'invalid',
      message: /CAP_WIZARDRY/,
    });
  });

  test('credentials: groups are exactly those asked for, also when none are', async () => {
    const none = await bench.run(shell('id -G', { user: { uid: 1000, gid: 1000 } }));
    assert.equal(none.stdout, '1000\n');
    const two = await bench.run(
      shell('id -G', { user: { uid: 1000, gid: 1000, additionalGids: [5, 6] } }),
    );
    assert.equal(two.stdout, '1000 5 6\n');
  });

  test('credentials: an id out of range is an error and never becomes root', async () => {
    for (const uid of [-1, 2 ** 32 - 1, 2 ** 32, 1.5])
      await assert.rejects(bench.run(shell('id', { user: { uid, gid: 0 } })), { kind: 'invalid' });
  });

  test('credentials: rlimits are set, and unknown ones are errors', async () => {
    const rlimits = [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 128 }];
    assert.equal(
      (await bench.run(shell('ulimit -Sn; ulimit -Hn', { rlimits }))).stdout,
      '64\n128\n',
    );
    const unknown = [{ type: 'RLIMIT_MAGIC', soft: 1, hard: 1 }];
    await assert.rejects(bench.run(shell('true', { rlimits: unknown })), { kind: 'invalid' });
  });

  test('credentials: umask and oom score stay as they are unless asked for', async () => {
    const script = 'umask; cat /proc/self/oom_score_adj';
    const own = process.umask().toString(8).padStart(4, '0');
    const score = readFileSync('/proc/self/oom_score_adj', 'utf8');
    assert.equal((await bench.run(shell(script))).stdout, `${own}\n${score}`);
    const changed = shell(script, { user: { uid: 0, gid: 0, umask: 0o27 }, oomScoreAdj: 500 });
    assert.equal((await bench.run(changed)).stdout, '0027\n500\n');
  });

  test('scheduling: turns are short, also of what it starts, unless its scheduler is asked for', async () => {
    const nice = Math.max(0, getPriority());
    const script = 'sh -c "cat /proc/self/sched" | grep -E "se.slice|prio"';
    const shown = async (changes: Partial<OciProcess> = {}) =>
      (await bench.run(shell(script, changes))).stdout.replaceAll(/[ :]+/g, ' ').split('\n');
    assert.deepEqual(await shown(), [`prio ${120 + nice}`, `se.slice ${sliceMicros * 1000}`, '']);
    const scheduler = { policy: 'SCHED_OTHER', nice: nice + 3, runtime: 2_000_000 };
    assert.deepEqual(await shown({ scheduler }), [`prio ${123 + nice}`, 'se.slice 2000000', '']);
  });

  test('credentials: a session keyring of its own', async () => {
    const sessions = (keys: string) =>
      keys
        .split('\n')
        .filter((line) => / keyring +_ses/.test(line))
        .map((line) => line.split(' ')[0] ?? '');
    const before = sessions(readFileSync('/proc/keys', 'utf8'));
    // Root sees the keys of all root's; somebody else only what the process possesses.
    const spec = shell('cat /proc/keys', { user: { uid: 1000, gid: 1000 } });
    spec.linux.maskedPaths = [];
    const own = sessions((await bench.run(spec)).stdout);
    assert.equal(own.length, 1);
    assert.ok(own.every((serial) => !before.includes(serial)));
  });

  test('credentials: no_new_privs stops a setuid program, and only when it is on', async () => {
    const rootfs = hostileImage((root) => chmodSync(join(root, 'bin/busybox'), 0o4755));
    const complaint = async (noNewPrivileges: boolean) => {
      const user = { uid: 1000, gid: 1000 };
      // busybox's crontab says so itself when it did not become root.
      const process = testProcess(['crontab', '-l'], { user, noNewPrivileges });
      return (await bench.run(testSpec(process), {}, { rootfs })).stderr;
    };
    assert.match(await complaint(true), /must be suid/);
    assert.doesNotMatch(await complaint(false), /must be suid/);
  });

  for (const noNewPrivileges of [true, false])
    test(`credentials: seccomp is loaded ${noNewPrivileges ? 'after no_new_privs' : 'before capabilities go'}`, async () => {
      const spec: OciSpec = shell(
        'grep Seccomp: /proc/self/status; unshare -n true; mkdir /made; chmod 700 /made && echo chmod',
        { noNewPrivileges },
      );
      spec.linux.seccomp = defaultSeccompProfile([]);
      const { stdout, stderr } = await bench.run(spec);
      assert.match(stdout, /Seccomp:\t2/);
      assert.match(stdout, /chmod/);
      assert.match(stderr, /unshare.*not permitted/);
    });

  test('pipes belong to the container’s user, so that /dev/stdout opens', async () => {
    const { stdout } = await bench.run(
      shell('echo hello > /dev/stdout', { user: { uid: 1000, gid: 1000 } }),
    );
    assert.equal(stdout, 'hello\n');
  });

  test('a read-only root is read-only, but its mounts are not', async () => {
    const spec = shell('touch /x 2>&1; touch /dev/shm/x && echo shm');
    spec.root.readonly = true;
    assert.match((await bench.run(spec)).stdout, /Read-only file system\nshm\n/);
  });

  test('paths: nothing that is mounted for a container reaches the machine, whose mounts are shared', async () => {
    // As systemd has them; the tests' own namespace has not.
    execFileSync('mount', ['--bind', '--make-shared', bench.root, bench.root]);
    try {
      const { stdout } = await bench.run(shell('cat /proc/self/mountinfo'));
      assert.doesNotMatch(stdout, /shared:/);
      const below = readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .map((line) => line.split(' ')[4] ?? '')
        .filter((point) => point.startsWith(`${bench.root}/`));
      assert.deepEqual(below, []);
    } finally {
      // Lazily: a spare shim that is just being started has all our descriptors until it executes.
      execFileSync('umount', ['--recursive', '--lazy', bench.root]);
    }
  });

  test('a read-only bind cannot be written, and one from the host propagates nothing back', async () => {
    const { work } = bench.place();
    writeFileSync(join(work, 'file'), 'host\n');
    const spec = shell(
      'cat /bound/file; touch /bound/x 2>&1; grep " /bound " /proc/self/mountinfo',
    );
    spec.mounts.push({
      destination: '/bound',
      source: work,
      options: ['rbind', 'ro', 'nosuid', 'nodev', 'noexec'],
    });
    const { stdout } = await bench.run(spec);
    assert.match(stdout, /^host\n.*Read-only file system\n.* ro,nosuid,nodev,noexec/s);
    assert.doesNotMatch(stdout, /shared:|master:/);
  });
}
