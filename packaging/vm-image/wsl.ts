/**
 * The same root for WSL 2, which brings its own kernel: without modules and the scripts of a machine
 * that boots, with the program that the host calls (electron/host/wsl).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cortenPath } from '../recipe/agent-files.ts';
import { FileTree } from '../recipe/file-tree.ts';

const source = join(import.meta.dirname, 'wsl');
/** The agent as a machine's first service, too: here it is started as everywhere else. */
const left =
  /^usr\/lib\/modules(\/|$)|^etc\/(inittab|fstab|acpi)(\/|$)|^usr\/lib\/corten\/dist\/agent\/guest-/;

export function wslTree(root: FileTree, relay: Buffer): FileTree {
  const tree = new FileTree();
  for (const [path, entry] of root.entries()) {
    // WSL writes its own, and finds a place for it (/mnt/wsl/resolv.conf).
    if (left.test(path) || path === 'etc/resolv.conf') continue;
    if (entry.type === 'file') tree.file(path, entry.content, entry.mode);
    else if (entry.type === 'directory') tree.directory(path, entry.mode);
    else if (entry.type === 'link') tree.link(path, entry.target);
  }
  tree.file('etc/wsl.conf', readFileSync(join(source, 'wsl.conf')));
  tree.file(`${cortenPath}/wsl-guest`, readFileSync(join(source, 'wsl-guest')), 0o755);
  tree.file(`${cortenPath}/relay`, relay, 0o755);
  return tree;
}
