/** The initramfs: a shell, the modules on the way to the root, and the script that goes there. */
import { FileTree } from '../recipe/file-tree.ts';
import { initrdModules, type Modules } from './modules.ts';
import { guestFile } from './root.ts';

const applets = ['sh', 'mkdir', 'modprobe', 'mount', 'poweroff', 'sleep', 'switch_root', 'sync'];

export function initrdTree(busybox: Buffer, modules: Modules): FileTree {
  const tree = new FileTree();
  for (const path of ['bin', 'dev', 'lower', 'proc', 'root', 'sys', 'upper', 'usr/lib'])
    tree.directory(path);
  // The kernel calls /sbin/modprobe for what a module asks for by another name.
  tree.link('sbin', 'bin');
  tree.link('lib', 'usr/lib');
  tree.file('bin/busybox', busybox, 0o755);
  for (const name of applets) tree.link(`bin/${name}`, 'busybox');
  // Without it the first program has no output until it has mounted /dev.
  tree.device('dev/console', 5, 1);
  tree.file('init', guestFile('initrd-init'), 0o755);
  tree.file(
    'report',
    guestFile('report')
      .toString()
      .replace(/^PATH=.*\nexport PATH\n/m, ''),
  );
  modules.addTo(tree, initrdModules);
  return tree;
}
