/** Disk limits where layers share a file system that holds directories to limits: most desktops, whose own does not. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lacksExt4Projects } from '../disk/testdata/kernel-lacks.ts';
import { isId } from '../engine/ids.ts';
import { type AgentProcess, eventually } from './agent-process.ts';
import { assertNear, diskBench, mib, quotaExceeded, touch } from './disk-bench.ts';
import { discardSmallDisk, makeSmallDisk } from './small-disk.ts';

const directory = makeSmallDisk(400);
const bench = diskBench(directory);
const { begin, idle, limit, corten, inside, output, available } = bench;
/** Bytes that go into a container's layer. */
const fill = (name: string, path: string) => bench.fill(name, path, quotaExceeded);
let agent: AgentProcess | undefined;
after(() => discardSmallDisk(directory, agent));

describe('the disk that layers share, with project quota', { skip: lacksExt4Projects() }, () => {
  const layers = join(directory, 'root/layers');
  const start = async () => {
    await begin();
    agent = bench.agent();
  };
  before(start);

  const layersOf = () => readdirSync(layers).filter(isId);
  const limitsOf = async (name: string) => (await corten('GET', `containers/${name}/disk`)).body;

  test('who says nothing may take seven eighths of it, and its neighbour has the rest', async () => {
    const { bavail, bsize } = statfsSync(layers);
    await idle('filler');
    await idle('neighbour', '--storage-opt', 'size=16m');
    const { maxBytes, maxInodes } = await limitsOf('filler');
    assertNear(maxBytes, (bavail * bsize * 7) / 8, 16 * mib, 'limit of bytes');
    assert.ok(maxInodes > 0);
    assertNear(await available('filler'), maxBytes, mib, 'what it sees');
    assertNear(await fill('filler', '/full'), maxBytes, 4 * mib, 'written');
    assertNear(await fill('neighbour', '/full'), 16 * mib, 2 * mib, 'written by the neighbour');
    await eventually(async () => {
      const { body } = await corten('GET', 'containers/filler/history?seconds=60&step=1');
      const told = body.events.find(({ kind }: { kind: string }) => kind === 'disk-full');
      assert.equal(told?.cause, 'limit');
    });
    assert.deepEqual(bench.devices(), [], 'none has a file system of its own');
    await output('rm', '-f', 'filler', 'neighbour');
    assert.deepEqual(layersOf(), []);
  });

  test('limits change and go while it runs, of inodes alone too, and hold on without an agent', async () => {
    await idle('live', '--storage-opt', 'size=0');
    assert.equal((await limit('live', { maxInodes: 300 })).status, 200);
    assert.match((await inside('live', touch(1000))).stderr, quotaExceeded);
    assert.equal((await limit('live', { maxBytes: 8 * mib, maxInodes: null })).status, 200);
    assertNear(await fill('live', '/full'), 8 * mib, 2 * mib, 'written');
    await agent?.end('SIGKILL');
    await start();
    assertNear(await fill('live', '/full'), 8 * mib, 2 * mib, 'written after a crash');
    assert.equal((await limit('live', { maxBytes: null })).status, 200);
    assert.equal((await inside('live', 'dd if=/dev/zero of=/more bs=1M count=20')).code, 0);
    await output('stop', '-t', '0', 'live');
    assert.equal((await limit('live', { maxBytes: 64 * mib })).status, 200);
    await output('start', 'live');
    assertNear(await fill('live', '/full'), 43 * mib, 3 * mib, 'written beside the 20 MiB');
    await output('rm', '-f', 'live');
    assert.deepEqual(layersOf(), []);
  });

  test('a volume still has a file system of its own when it is limited', async () => {
    await output('volume', 'create', '-o', 'size=16m', 'data');
    await idle('user', '-v', 'data:/data');
    assertNear(await bench.fill('user', '/data/full'), 16 * mib, 4 * mib, 'written');
    assert.equal(bench.devices().length, 1);
    await output('rm', '-f', 'user');
    await output('volume', 'rm', 'data');
  });

  test('what a crash left is swept, and the next start finds the numbers of those that are there', async () => {
    await idle('kept', '--storage-opt', 'size=16m');
    await agent?.end('SIGKILL');
    const stray = join(layers, 'ab'.repeat(32));
    mkdirSync(join(stray, 'disk/upper'), { recursive: true });
    writeFileSync(join(stray, 'disk/upper/file'), 'x');
    await start();
    assert.equal(existsSync(stray), false);
    await idle('next', '--storage-opt', 'size=16m');
    assertNear(await fill('kept', '/full'), 16 * mib, 2 * mib, 'written');
    assertNear(await fill('next', '/full'), 16 * mib, 2 * mib, 'written by the next');
    await output('rm', '-f', 'kept', 'next');
  });
});
