/**
 * A distribution that runs: mount, pid, UTS, IPC, network and cgroup namespaces around its files, as
 * WSL's own init makes them (https://github.com/microsoft/WSL/blob/master/doc/docs/technical-documentation/init.md).
 * It stays until it is terminated.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What WSL's init mounts before it runs anything; the control groups are this computer's. */
const boot = [
  'set -e',
  'mount --make-rprivate /',
  'mount --bind "$1" "$1"',
  'cd "$1"',
  'mkdir -p proc sys dev run tmp mnt .old',
  'mount -t proc proc proc',
  // What is no network's is this computer's, and not this test's to change.
  'for area in fs kernel vm; do mount --bind proc/sys/$area proc/sys/$area',
  '  mount -o remount,bind,ro proc/sys/$area; done',
  'mount -t sysfs sysfs sys',
  'mount --rbind /sys/fs/cgroup sys/fs/cgroup',
  'mount -t tmpfs tmpfs dev',
  'for node in null zero full random urandom tty kmsg fuse loop-control loop0 loop1 loop2 loop3; do',
  '  [ -e "/dev/$node" ] || continue; : >"dev/$node"; mount --bind "/dev/$node" "dev/$node"; done',
  'mkdir dev/pts dev/shm dev/net',
  'mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts',
  'ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd',
  'ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr',
  'mount -t tmpfs tmpfs run; mount -t tmpfs tmpfs tmp',
  'ip link set lo up 2>/dev/null || :',
  'pivot_root . .old; cd /; umount -l /.old',
  'echo up >/run/.booted',
  'exec /bin/sleep 2147483647 </dev/null >/dev/null 2>&1',
].join('\n');

const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup'];

/** The words before a command that runs in it; starts it when it does not run. */
export function enterInstance(home: string, name: string, root: string): string[] {
  const pid = instanceOf(home, name) ?? start(home, name, root);
  return ['nsenter', '--target', String(pid), ...namespaces, '--root', '--wd', '--'];
}

export function instanceOf(home: string, name: string): number | undefined {
  const file = join(home, 'instances', name);
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, 'utf8'));
  // One that has ended and waits for its parent has no root any more.
  return existsSync(`/proc/${pid}/root/run`) ? pid : undefined;
}

/** Its first process's end is the end of all of them. */
export function stopInstance(home: string, name: string): void {
  const pid = instanceOf(home, name);
  if (pid === undefined) return;
  process.kill(pid, 'SIGKILL');
  while (existsSync(`/proc/${pid}/root/proc`)) wait();
  rmSync(join(home, 'instances', name));
}

function start(home: string, name: string, root: string): number {
  const outer = spawn('unshare', [...namespaces, '--fork', 'sh', '-c', boot, 'boot', root], {
    detached: true,
    // Not ours: who started wsl.exe waits for the end of what it writes.
    stdio: 'ignore',
  });
  outer.unref();
  for (;;) {
    const [pid] = childrenOf(outer.pid ?? 0);
    if (pid !== undefined && existsSync(`/proc/${pid}/root/run/.booted`)) {
      mkdirSync(join(home, 'instances'), { recursive: true });
      writeFileSync(join(home, 'instances', name), String(pid));
      return pid;
    }
    if (!existsSync(`/proc/${outer.pid}`))
      throw new Error('fake-wsl: the distribution did not boot');
    wait();
  }
}

function childrenOf(pid: number): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return list === '' ? [] : list.split(' ').map(Number);
  } catch {
    return [];
  }
}

function wait(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}
