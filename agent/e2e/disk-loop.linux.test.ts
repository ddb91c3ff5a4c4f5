/** Disk limits by a file system of its own: whose devices go, and what an ext4 of a fixed form refuses. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { eventually } from './agent-process.ts';
import { diskBench, image, mib } from './disk-bench.ts';

const { agent, output, allDevices, devices, kind, ...bench } = diskBench();
const { begin, idle, fill, limit, nothingStays } = bench;
after(() => bench.discard());

const skip = kind() !== 'loop' && `${kind()} limits disks here`;
describe('a file system for each', { skip }, () => {
  before(() => begin());
  beforeEach(() => bench.note());

  const imageOf = async (name: string) =>
    `${agent().root}/containers/${await output('inspect', '-f', '{{.Id}}', name)}/disk.ext4`;

  test('a full one takes no more of the machine than its limit', async () => {
    await idle('filler', '--storage-opt', 'size=64m');
    await fill('filler', '/full');
    const file = await imageOf('filler');
    await eventually(() => assert.ok(statSync(file).blocks * 512 < 80 * mib));
    await output('rm', '-f', 'filler');
    await nothingStays();
  });

  test('inodes of one that is made, and a limit of one that was made without, are refused', async () => {
    await idle('fixed', '--storage-opt', 'size=64m', '--storage-opt', 'inodes=400');
    const refused = await limit('fixed', { maxInodes: 10_000 });
    assert.equal(refused.status, 409);
    assert.match(refused.body.message, /fixed when it is made/);
    await idle('free');
    const late = await limit('free', { maxBytes: 64 * mib });
    assert.equal(late.status, 409);
    assert.match(late.body.message, /created without a disk limit/);
    await output('rm', '-f', 'fixed', 'free');
    await nothingStays();
  });

  test('one that is stopped holds no device', async () => {
    await idle('sleeper', '--storage-opt', 'size=64m');
    await output('stop', '-t', '0', 'sleeper');
    await eventually(() => assert.deepEqual(devices(), []));
    await output('rm', 'sleeper');
    await nothingStays();
  });

  test('the next agent takes no other device, and one of a volume stays while it is used', async () => {
    await idle('steady', '--storage-opt', 'size=64m');
    await output('volume', 'create', '-o', 'size=32m', 'kept');
    await idle('user', '-v', 'kept:/data');
    const held = () => devices().length;
    await agent().end('SIGKILL');
    assert.equal(held(), 2, 'the container and the volume hold theirs');
    await begin();
    assert.equal(held(), 2, 'and the next agent takes no other');
    await output('rm', '-f', 'steady');
    await eventually(() => assert.equal(held(), 1));
    await agent().end('SIGTERM');
    assert.equal(held(), 1, 'a container goes on using its volume');
    await begin();
    await output('rm', '-f', 'user');
    await output('volume', 'rm', 'kept');
    await nothingStays();
  });

  test('a container that ends while no agent runs frees its device by itself', async () => {
    await output(
      ...['run', '-d', '--name', 'short', '--storage-opt', 'size=64m', '--network', 'none', image],
      ...['sh', '-c', 'echo x > /x; sleep 1'],
    );
    await agent().end('SIGKILL');
    await eventually(() => assert.deepEqual(devices(), []));
    await begin();
    assert.match(await output('cp', 'short:/x', '-'), /x/);
    await output('rm', 'short');
    await nothingStays();
  });

  test('half an image that a crash left is swept, a whole one is not', async () => {
    await idle('lost', '--storage-opt', 'size=64m');
    await output('stop', '-t', '0', 'lost');
    const file = await imageOf('lost');
    await agent().end('SIGKILL');
    const stray = `${agent().root}/containers/${'0'.repeat(64)}`;
    mkdirSync(`${stray}/disk`, { recursive: true });
    writeFileSync(`${stray}/disk.ext4`, 'half of one');
    await begin();
    assert.equal(existsSync(stray), false);
    assert.equal(existsSync(file), true);
    await output('rm', '-f', 'lost');
    await nothingStays();
  });

  test('what an agent keeps ready ends with it, however it ends', async () => {
    const words = ['run', '--rm', '--storage-opt', 'size=64m', '--network', 'none', image, 'true'];
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await output(...words);
      await eventually(() => assert.ok(allDevices().length > 0, 'no spare was made'));
      await agent().end(signal);
      await eventually(() => assert.deepEqual(allDevices(), []));
      await begin();
    }
    assert.deepEqual(readdirSync(`${agent().root}/disk-forms`), []);
  });
});
