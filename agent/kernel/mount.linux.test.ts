/** The mount calls, in a process with a mount namespace of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const root = mkdtempSync(join(tmpdir(), 'corten-runtime-'));
after(() => rmSync(root, { recursive: true, force: true }));
for (const name of ['a', 'b:c', 'upper', 'work', 'target']) mkdirSync(join(root, name));

/** Runs a program text away from the host's mounts and returns what it prints. */
function inPrivateNamespace(program: string): string {
  const script = `import * as mount from ${JSON.stringify(join(import.meta.dirname, 'mount.ts'))};
import * as files from ${JSON.stringify(join(import.meta.dirname, 'files.ts'))};
import * as rootfs from ${JSON.stringify(join(import.meta.dirname, '../runtime/rootfs.ts'))};
import { readFileSync, writeFileSync, readdirSync } from 'node:fs';
const root = ${JSON.stringify(root)};
${program}`;
  const command = [process.execPath, '--input-type=module-typescript', '-e', script];
  return execFileSync('unshare', ['-m', '--propagation', 'private', ...command], {
    encoding: 'utf8',
  });
}

test('a file system is made detached, changed, and attached by descriptor', () => {
  const output = inPrivateNamespace(`
    const tree = mount.newFilesystem('tmpfs', [['mode', '700'], ['size', '1m']], mount.MountAttribute.noSuid);
    mount.changeMount(tree, { set: mount.MountAttribute.readOnly });
    mount.attachMount(tree, files.openDirectory(root + '/target'));
    console.log(readFileSync('/proc/self/mountinfo', 'utf8').split('\\n').find((line) => line.includes(root)));
    try { writeFileSync(root + '/target/x', ''); } catch (error) { console.log(error.code); }`);
  assert.match(output, /ro,nosuid/);
  assert.match(output, /size=1024k,mode=700/);
  assert.match(output, /EROFS/);
});

test('a refusal carries the kernel’s own words', () => {
  const output = inPrivateNamespace(`
    try { mount.newFilesystem('tmpfs', [['size', 'enormous']], 0); } catch (error) { console.log(error.message); }`);
  assert.match(output, /fsconfig tmpfs size: EINVAL \(.*size.*\)/);
});

test('kernels without lowerdir+ get the layers in one line, colons and all', () => {
  const output = inPrivateNamespace(`
    writeFileSync(root + '/a/from-a', ''); writeFileSync(root + '/b:c/from-b', '');
    const overlay = { kind: 'overlay', lowers: [root + '/a', root + '/b:c'], upper: root + '/upper', work: root + '/work' };
    const tree = rootfs.mountOverlayInOneLine(overlay);
    console.log(readdirSync('/proc/self/fd/' + tree).join());`);
  assert.equal(output, 'from-a,from-b\n');
});
