/** What a default container sees and may do, asked from inside, for any agent; docs/security.md names the attacks. */
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { availableParallelism, getPriority } from 'node:os';
import { basename } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { tickMicros } from '../kernel/clock.ts';
import { type AgentProcess, type DockerCli, discardAgent, dockerCli } from './agent-process.ts';
import { until } from './until.ts';

export interface IsolatingAgent {
  /** Of the machine. */
  isRoot: boolean;
  start(): Promise<AgentProcess>;
}

const image = 'corten/starter';

export function isolationSuite({ isRoot, start }: IsolatingAgent): void {
  describe('isolation', () => {
    let agent: AgentProcess;
    let docker: DockerCli;
    before(async () => {
      agent = await start();
      docker = dockerCli(agent.socket);
      const { code, stderr } = await docker('run', '-d', '--name', 'box', image, 'sleep', '1000');
      assert.equal(code, 0, stderr);
    });
    after(() => discardAgent(agent));

    /** What a shell line in the default container says; its failure, and docker's own, is part of the answer. */
    async function inside(line: string): Promise<string> {
      const { stdout, stderr } = await docker('exec', 'box', 'sh', '-c', `{ ${line}; } 2>&1`);
      return `${stdout}${stderr}`.trim();
    }

    async function hostPid(): Promise<number> {
      return Number((await docker('inspect', '-f', '{{.State.Pid}}', 'box')).stdout);
    }

    test('six namespaces are its own', async () => {
      const pid = await hostPid();
      for (const kind of ['mnt', 'pid', 'uts', 'ipc', 'net', 'cgroup'])
        assert.notEqual(
          readlinkSync(`/proc/${pid}/ns/${kind}`),
          readlinkSync(`/proc/self/ns/${kind}`),
          kind,
        );
    });

    test('an exec joins every one of them', async () => {
      const pid = await hostPid();
      const links = await inside(
        'for n in mnt pid uts ipc net cgroup; do readlink /proc/self/ns/$n; done',
      );
      const init = ['mnt', 'pid', 'uts', 'ipc', 'net', 'cgroup'].map((kind) =>
        readlinkSync(`/proc/${pid}/ns/${kind}`),
      );
      assert.deepEqual(links.split('\n'), init);
    });

    test('PID 1 is the image command, and there is nobody else', async () => {
      assert.equal(await inside("tr '\\0' ' ' < /proc/1/cmdline"), 'sleep 1000');
      const { stdout } = await docker(
        'run',
        '--rm',
        image,
        'sh',
        '-c',
        'ls /proc | grep -c "^[0-9]"',
      );
      // The shell, ls and grep: whatever the count, no process of the machine is among them.
      assert.ok(Number(stdout) <= 4, stdout);
    });

    for (const [who, path] of [
      ['init', '/proc/1/status'],
      ['an exec', '/proc/self/status'],
    ] as const)
      test(`credentials of ${who}: default capabilities, no_new_privs, a seccomp filter`, async () => {
        const status = await inside(`cat ${path}`);
        const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1];
        // Docker's fourteen: chown dac_override fowner fsetid kill setgid setuid setpcap
        // net_bind_service net_raw sys_chroot mknod audit_write setfcap.
        assert.equal(field('CapBnd'), '00000000a80425fb');
        assert.equal(field('CapEff'), '00000000a80425fb');
        assert.equal(field('CapInh'), '0000000000000000');
        assert.equal(field('CapAmb'), '0000000000000000');
        assert.equal(field('NoNewPrivs'), '1');
        assert.equal(field('Seccomp'), '2');
      });

    test('no_new_privs can be turned off, for images that need setuid programs', async () => {
      const { stdout } = await docker(
        'run',
        '--rm',
        '--security-opt',
        'no-new-privileges=false',
        image,
        'grep',
        'NoNewPrivs',
        '/proc/self/status',
      );
      assert.match(stdout, /\t0$/m);
    });

    test('a user other than root holds no capability', async () => {
      const { stdout } = await docker(
        'run',
        '--rm',
        '-u',
        '1000',
        image,
        'grep',
        'CapEff',
        '/proc/self/status',
      );
      assert.match(stdout, /0000000000000000/);
    });

    test('the root is an overlay that was pivoted to; the old root is gone', async () => {
      const mounts = (await inside('cat /proc/self/mountinfo')).split('\n');
      const pointOf = (line: string) => line.split(' ')[4] ?? '';
      // Without root no node can be made, and the machine's harmless ones are bound; its null also hides files.
      const isNode = (line: string) => {
        const [node, point] = [basename(line.split(' ')[3] ?? ''), pointOf(line)];
        if (node === 'null' && point.startsWith('/proc/')) return true;
        return nodes.includes(node) && point === `/dev/${node}`;
      };
      const roots = mounts.filter((line) => pointOf(line) === '/');
      assert.equal(roots.length, 1);
      assert.match(roots[0] ?? '', / - overlay /);
      // All that is left of the machine's own file systems are the three files that the engine writes.
      const ownTypes = /^(overlay|proc|sysfs|tmpfs|devpts|mqueue|cgroup2?)$/;
      const foreign = mounts.filter(
        (line) =>
          !ownTypes.test(line.split(' - ')[1]?.split(' ')[0] ?? '') && (isRoot || !isNode(line)),
      );
      assert.deepEqual(foreign.map(pointOf).sort(), [
        '/etc/hostname',
        '/etc/hosts',
        '/etc/resolv.conf',
      ]);
    });

    test('masked paths show nothing', async () => {
      for (const path of ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/interrupts'])
        assert.equal(await inside(`[ -e ${path} ] && wc -c < ${path} || echo 0`), '0', path);
      assert.equal(
        await inside('ls /sys/firmware /proc/acpi 2>/dev/null | grep -v : | tr -d "\\n"'),
        '',
      );
    });

    test('the kernel cannot be written to', async () => {
      for (const path of [
        '/proc/sys/kernel/core_pattern',
        '/proc/sysrq-trigger',
        '/sys/kernel/uevent_helper',
      ])
        assert.match(await inside(`echo x > ${path} || echo refused`), /refused/, path);
    });

    test('devices are the harmless ones, and no other can be opened', async () => {
      const names = (await inside('cd /dev && ls')).split('\n').sort();
      assert.deepEqual(names, [
        ...['fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm'],
        ...['stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero'],
      ]);
      assert.match(await inside('mknod /tmp/disk b 254 0 && cat /tmp/disk'), /not permitted/i);
      assert.match(await inside('mknod /tmp/mem c 1 1 && cat /tmp/mem'), /not permitted/i);
    });

    test('mounting, new namespaces and kernel modules are refused', async () => {
      assert.match(await inside('mount -t tmpfs x /mnt'), /denied|not permitted/i);
      assert.match(await inside('unshare -m true'), /not permitted/i);
      assert.match(await inside('unshare -U true'), /not permitted/i);
      assert.match(await inside('insmod /x.ko || echo refused'), /refused/);
    });

    test('the cgroup is visible, read-only, and looks like the root', async () => {
      assert.match(await inside('mount | grep cgroup'), /\bro\b/);
      assert.match(
        await inside('mkdir /sys/fs/cgroup/memory/x || mkdir /sys/fs/cgroup/x'),
        /read-only|denied/i,
      );
      // Without root on v1 it has no group of its own, and is where the agent is.
      if (!isRoot) return;
      for (const line of (await inside('cat /proc/self/cgroup'))
        .split('\n')
        .filter((entry) => /:(memory|pids|cpu):/.test(entry)))
        assert.match(line, /:\/$/);
    });

    test('no descriptor of the engine leaks in', async () => {
      assert.equal(await inside('ls /proc/1/fd | tr "\\n" " "'), '0 1 2');
    });

    test('state directories are closed to other users, and the machine keeps its /dev/null', () => {
      for (const place of ['containers', 'images', 'volumes'])
        assert.equal(statSync(`${agent.root}/${place}`).mode & 0o077, 0, place);
      const { mode, uid, rdev } = statSync('/dev/null');
      assert.deepEqual([mode & 0o777, uid, rdev], [0o666, 0, 259]);
    });

    test('the host sees one shim per container, in the host’s own namespaces', async () => {
      const pid = await hostPid();
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      // An ordinary user's agent is root of mounts of its own.
      const host = isRoot ? 'self' : agent.pid;
      assert.equal(readlinkSync(`/proc/${parent}/ns/mnt`), readlinkSync(`/proc/${host}/ns/mnt`));
      assert.equal(readlinkSync(`/proc/${parent}/ns/pid`), readlinkSync('/proc/self/ns/pid'));
    });

    test('the engine has a higher priority than its containers, shims and execs', async () => {
      const pid = await hostPid();
      const shim = Number(
        /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1],
      );
      // Only root may put itself before others (setpriority(2)).
      assert.equal(getPriority(agent.pid), isRoot ? -10 : 0);
      assert.deepEqual([getPriority(pid), getPriority(shim)], [0, 0]);
      // The nineteenth field of proc_pid_stat(5), of the shell that asks.
      assert.equal(await inside('cut -d " " -f 19 /proc/self/stat'), '0');
    });

    test('while containers contend, the scheduler ticks more often', async (t) => {
      if (!isRoot) return t.skip('a real-time priority takes CAP_SYS_NICE');
      if (tickMicros() <= 1000) return t.skip('this kernel ticks as often by itself');
      const ticks = () =>
        childrenOf(agent.pid).filter((pid) => nameOf(pid) === 'corten-tick').length;
      const loops = '(while :; do :; done) & '.repeat(2 * availableParallelism());
      await docker('run', '-d', '--name', 'busy', image, 'sh', '-c', `${loops} wait`);
      await until(() => ticks() === 1);
      await docker('rm', '-f', 'busy');
      await until(() => ticks() === 0);
    });
  });
}

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    // It ended meanwhile.
    return '';
  }
}

const nodes = ['full', 'null', 'random', 'tty', 'urandom', 'zero'];
