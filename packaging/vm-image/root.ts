/** The guest's root: Debian's files, Node, the agent, and the guest's own scripts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cortenPath } from '../recipe/agent-files.ts';
import { FileTree } from '../recipe/file-tree.ts';

const guestDirectory = join(import.meta.dirname, 'guest');

const scripts = [
  'agent',
  'boot',
  'data-disk',
  'network',
  'network-address',
  'power-button',
  'power-off',
  'shutdown',
];

/** What the scripts use, and what a person who looks into a machine expects. */
const applets =
  `[ acpid ash awk basename blkid cat chmod chown clear cmp cp cut date dd df diff dirname dmesg du
  echo env false find free fstrim grep gunzip gzip halt head hexdump hostname id ifconfig init insmod
  ip kill less ln losetup ls lsmod md5sum mkdir mknod mktemp modinfo modprobe more mount mv nc netstat
  nproc nslookup pidof ping poweroff printf pwd readlink realpath reboot rm rmdir rmmod route sed seq
  sh sha256sum sleep sort stat stty sync sysctl tail tar tee test timeout top touch tr true udhcpc
  umount uname uniq uptime vi wc wget which xargs`
    .split(/\s+/)
    .filter((name) => name !== 'blkid');

/** Directories and links that every Debian root has; packages' own files go into them. */
export function skeleton(): FileTree {
  const tree = new FileTree();
  for (const path of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64']) tree.directory(path);
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) tree.link(name, `usr/${name}`);
  for (const path of ['dev', 'etc', 'home', 'mnt', 'proc', 'run', 'sys', 'var/lib/corten'])
    tree.directory(path);
  tree.directory('root', 0o700);
  tree.directory('tmp', 0o1777);
  tree.directory('var/tmp', 0o1777);
  tree.link('var/run', '../run');
  return tree;
}

export function addSystemFiles(tree: FileTree): void {
  for (const name of applets) {
    const path = ['init', 'halt', 'poweroff', 'reboot', 'modprobe', 'insmod', 'rmmod'].includes(
      name,
    )
      ? `usr/sbin/${name}`
      : `usr/bin/${name}`;
    tree.link(path, '/usr/bin/busybox');
  }
  const files: Record<string, string> = {
    'etc/passwd':
      'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
    'etc/group': 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n',
    'etc/shells': '/bin/sh\n',
    'etc/hostname': 'corten\n',
    'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
    'etc/resolv.conf': '',
    'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
    'etc/os-release':
      'NAME="Corten machine"\nID=corten\nID_LIKE=debian\nPRETTY_NAME="Corten machine (Debian 13)"\n',
    'etc/profile': "export PATH=/usr/sbin:/usr/bin\nPS1='\\u@\\h:\\w\\$ '\n",
  };
  for (const [path, content] of Object.entries(files)) tree.file(path, content);
  tree.link('etc/mtab', '/proc/self/mounts');
  tree.link('etc/localtime', '/usr/share/zoneinfo/UTC');
  tree.file('etc/inittab', guestFile('inittab'));
  tree.file('etc/fstab', guestFile('fstab'));
  for (const name of scripts) tree.file(`${cortenPath}/guest/${name}`, guestFile(name), 0o755);
  for (const name of ['report', 'sysctls'])
    tree.file(`${cortenPath}/guest/${name}`, guestFile(name));
  // busybox acpid runs the file that has the event's name.
  tree.file('etc/acpi/PWRF/00000080', guestFile('power-off'), 0o755);
}

export function guestFile(name: string): Buffer {
  return readFileSync(join(guestDirectory, name));
}

/** One file out of Mozilla's certificates, as ca-certificates' own script makes it. */
export function joinCertificates(tree: FileTree): void {
  const directory = 'usr/share/ca-certificates/';
  const found = tree.entries().filter(([path]) => path.startsWith(directory));
  const bundle = found.flatMap(([path, entry]) => {
    tree.remove(path);
    return entry.type === 'file' ? [entry.content] : [];
  });
  tree.remove(directory.slice(0, -1));
  tree.file('etc/ssl/certs/ca-certificates.crt', Buffer.concat(bundle));
}
