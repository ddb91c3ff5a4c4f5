/** A `/dev` that the image or a bind brings: what lies there is taken for what it is (CVE-2026-41579, 2025-31133). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestBench, testProcess, testSpec } from './testdata/test-container.ts';

let bench: TestBench;
before(async () => {
  bench = await TestBench.open();
});
after(() => bench.close());

/** Of the image, with no file system of ours over it. */
function withDevOfImage(change: (dev: string) => void) {
  const path = join(bench.place().work, 'root');
  cpSync(join(bench.root, 'image'), path, { recursive: true, verbatimSymlinks: true });
  change(join(path, 'dev'));
  const spec = testSpec(testProcess(['true']));
  spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'));
  return { spec, preparing: { rootfs: { kind: 'directory', path } as const } };
}

/** Somebody's own, which is left as it is. */
function withBoundDev(change: (dev: string) => void) {
  const source = bench.place().work;
  change(source);
  const spec = testSpec(testProcess(['true']));
  spec.mounts = [
    ...spec.mounts.filter(({ destination }) => !destination.startsWith('/dev')),
    { destination: '/dev', source, options: ['bind'] },
  ];
  return { spec, source };
}

test('a file in the place of a device is refused', async () => {
  const { spec, preparing } = withDevOfImage((dev) => writeFileSync(join(dev, 'zero'), ''));
  await assert.rejects(bench.run(spec, {}, preparing), {
    kind: 'invalid',
    message: /\/dev\/zero exists in the container and is not the device that was asked for/,
  });
});

test('another device in the place of one is refused', async () => {
  const { spec, preparing } = withDevOfImage((dev) => {
    rmSync(join(dev, 'random'), { force: true });
    execFileSync('mknod', [join(dev, 'random'), 'c', '1', '1']);
  });
  await assert.rejects(bench.run(spec, {}, preparing), /\/dev\/random exists in the container/);
});

test('a link in the place of a device is refused, also one that leads to such a device', async () => {
  const { spec, preparing } = withDevOfImage((dev) => {
    mkdirSync(join(dev, 'sub'));
    execFileSync('mknod', [join(dev, 'sub/real'), 'c', '10', '229']);
    symlinkSync('real', join(dev, 'sub/fuse'));
  });
  spec.linux.devices = [{ path: '/dev/sub/fuse', type: 'c', major: 10, minor: 229, uid: 7 }];
  await assert.rejects(bench.run(spec, {}, preparing), /\/dev\/sub\/fuse exists in the container/);
});

test('a mask is refused when the bound /dev has a file for /dev/null', async () => {
  const { spec } = withBoundDev((dev) => writeFileSync(join(dev, 'null'), 'not null'));
  await assert.rejects(bench.run(spec), /errno 6/);
});

test('a link in the place of the console is not followed (CVE-2025-52565)', async () => {
  const { spec, source } = withBoundDev((dev) => {
    execFileSync('mknod', [join(dev, 'null'), 'c', '1', '3']);
    mkdirSync(join(dev, 'pts'));
    writeFileSync(join(dev, 'target'), 'mine');
    symlinkSync('target', join(dev, 'console'));
  });
  const options = ['newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'];
  spec.mounts.push({ destination: '/dev/pts', type: 'devpts', options });
  spec.process.terminal = true;
  spec.process.args = ['/bin/sh', '-c', 'stat -c %F /dev/target; tty'];
  const { stdout } = await bench.run(spec);
  assert.equal(stdout, 'regular file\r\n/dev/pts/0\r\n');
  assert.equal(readFileSync(join(source, 'target'), 'utf8'), 'mine');
});
