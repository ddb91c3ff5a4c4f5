/** A root directory with Debian's static busybox under its usual names, for tests. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function makeBusyboxRootfs(root: string): void {
  for (const directory of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'var/data'])
    mkdirSync(join(root, directory), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n'))
    if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nweb:x:1000:\n');
  writeFileSync(join(root, 'var/data/seed'), 'from the image\n');
}
