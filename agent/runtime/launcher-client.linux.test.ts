/** A launcher's thread that cannot leave a container's namespaces. */
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../e2e/until.ts';
import { openNamespace } from '../kernel/namespaces.ts';
import { openProcfs } from '../kernel/procfs.ts';
import { LauncherClient } from './launcher-client.ts';
import { makeBusyboxRootfs } from './testdata/busybox-rootfs.ts';
import { shimPath, testProcess, testSpec } from './testdata/test-container.ts';

/** With a network of its own to come home to, the thread keeps descriptors of where home is. */
test('a thread that is stranded makes no other container: another one does', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-launcher-'));
  makeBusyboxRootfs(directory);
  const fds = [openProcfs(), openSync(shimPath, 'r'), openNamespace('/proc/self/ns/net')];
  const [procFd = -1, programFd = -1, networkFd = -1] = fds;
  const launcher = new LauncherClient({ procFd, programFd, networkFd, nice: 0 });
  t.after(async () => {
    await launcher.close();
    for (const fd of fds) closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  const prepare = (...words: string[]) =>
    launcher.prepare(
      {
        spec: testSpec(testProcess(words)),
        rootfs: { kind: 'directory', path: directory },
        cgroupPaths: new Map(),
      },
      { makeSources: undefined, makeGroups: undefined, meanwhile: () => {} },
    );
  const ready = async () => {
    const sandbox = await prepare('true');
    await sandbox.ready;
    await sandbox.close();
  };
  await ready();
  closeWaysHome();
  // This one is handed over before the thread wants to go home, unless it was still on its way with the one before.
  await ready().catch(({ message }: Error) => assert.match(message, /could not leave/));
  // What comes while it ends is lost with it.
  await eventually(ready);
  await ready();
});

function closeWaysHome(): void {
  const home = readlinkSync('/proc/self/ns/mnt');
  const ways = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === home;
    } catch {
      // The descriptor of the listing itself.
      return false;
    }
  });
  assert.equal(ways.length, 1);
  for (const fd of ways) closeSync(Number(fd));
}
