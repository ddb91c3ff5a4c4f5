/** Overlays on a disk that is full, in a process with a mount namespace of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('an overlay without room for its work directory is refused, and not read-only', () => {
  const rootfs = JSON.stringify(join(import.meta.dirname, '../runtime/rootfs.ts'));
  const program = `import { mountRootfs } from ${rootfs};
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=64', 'tmpfs', '/mnt']);
for (const name of ['lower', 'upper', 'work']) mkdirSync('/mnt/' + name);
let taken = 0;
try { for (;; taken++) writeFileSync('/mnt/' + taken, ''); } catch {}
const attempt = () => {
  const [lowers, upper, work] = [['/mnt/lower'], '/mnt/upper', '/mnt/work'];
  try { mountRootfs({ kind: 'overlay', lowers, upper, work }); return 'mounted'; } catch (error) { return error.code; }
};
const whileFull = attempt();
for (let name = 0; name < 8; name++) rmSync('/mnt/' + name);
console.log(whileFull, attempt());
writeFileSync('/mnt/upper/new', '');`;
  const command = [process.execPath, '--input-type=module-typescript', '-e', program];
  const said = execFileSync('unshare', ['-m', '--propagation', 'private', ...command]);
  assert.equal(said.toString(), 'ENOSPC mounted\n');
});
