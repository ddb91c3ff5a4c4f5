/** Disk limits of containers and volumes: who fills one is stopped, nobody else notices, nothing stays. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { assertNear, diskBench, image, mib, touch } from './disk-bench.ts';

const { directory, agent, docker, output, inside, corten, ...bench } = diskBench();
const { begin, idle, fill, available, limit, nothingStays } = bench;
before(() => begin());
after(() => bench.discard());
beforeEach(() => bench.note());

test('one fills its disk, its neighbour and the machine do not notice', async () => {
  const free = () => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  };
  await idle('filler', '--storage-opt', 'size=64m');
  await idle('neighbour', '--storage-opt', 'size=64m');
  await idle('unlimited');
  assertNear(await available('filler'), 64 * mib, mib, 'available at first');
  const before = free();
  assertNear(await fill('filler', '/full'), 64 * mib, 2 * mib, 'written');
  for (const name of ['neighbour', 'unlimited']) {
    const { code, stderr } = await inside(name, 'dd if=/dev/zero of=/mine bs=1M count=20 && sync');
    assert.equal(code, 0, stderr);
  }
  // Others write on this machine meanwhile; a disk without a limit would have been filled whole.
  assert.ok(free() > before - 1024 * mib, `the machine lost ${before - free()} bytes`);
  const { body } = await corten('GET', 'containers/filler/disk');
  assert.equal(body.maxBytes, 64 * mib);
  assertNear(body.usedBytes, 64 * mib, mib, 'used');
  await output('rm', '-f', 'filler', 'neighbour', 'unlimited');
  await nothingStays();
});

test('one uses up its inodes, its neighbour does not notice', async () => {
  await idle('filler', '--storage-opt', 'size=64m', '--storage-opt', 'inodes=400');
  await idle('neighbour', '--storage-opt', 'size=64m', '--storage-opt', 'inodes=400');
  const { code, stderr } = await inside('filler', touch(5000));
  assert.notEqual(code, 0);
  assert.match(stderr, /No space left on device/);
  assert.ok((await available('filler')) > 50 * mib, 'there is space, but nothing to name it by');
  assert.equal((await inside('neighbour', touch(200))).code, 0);
  const { body } = await corten('GET', 'containers/filler/disk');
  assert.equal(body.usedInodes, body.maxInodes);
  assert.ok(body.maxInodes >= 400 && body.maxInodes <= 512, String(body.maxInodes));
  await output('rm', '-f', 'filler', 'neighbour');
  await nothingStays();
});

test('a limit is lowered, raised and taken away while the container runs', async () => {
  await idle('live', '--storage-opt', 'size=64m');
  await fill('live', '/full');
  const raised = await limit('live', { maxBytes: 100 * mib });
  assert.deepEqual(raised.body.limits.disk, { maxBytes: 100 * mib });
  assertNear(await available('live'), 36 * mib, 2 * mib, 'after raising');
  await inside('live', 'rm /full');
  await limit('live', { maxBytes: 16 * mib });
  assertNear(await fill('live', '/full'), 16 * mib, 2 * mib, 'written after lowering');
  const cleared = await limit('live', { maxBytes: null });
  assert.deepEqual(cleared.body.limits.disk, { maxBytes: null });
  const machine = statfsSync(agent().root);
  const most = Math.min(machine.blocks * machine.bsize * 0.9, 120 * 1024 * mib);
  assert.ok((await available('live')) > most, `${await available('live')} after clearing`);
  assert.equal((await limit('live', { maxBytes: 1 })).status, 400);
  assert.equal((await limit('live', { size: 1 })).status, 400);
  await output('rm', '-f', 'live');
  await nothingStays();
});

test('a limit outlives a stop, and is set while stopped', async () => {
  await idle('sleeper', '--storage-opt', 'size=64m');
  await inside('sleeper', 'echo kept > /kept');
  await output('stop', '-t', '0', 'sleeper');
  const { body: plan } = await corten('GET', 'containers/sleeper/isolation');
  assert.equal(plan.source, 'plan');
  const { body } = await corten('GET', 'containers/sleeper/disk');
  assert.ok(body.usedBytes > 0 && body.usedBytes < mib, String(body.usedBytes));
  assert.equal((await limit('sleeper', { maxBytes: 32 * mib })).status, 200);
  await output('start', 'sleeper');
  assertNear(await available('sleeper'), 32 * mib, mib, 'available after the start');
  assert.equal((await inside('sleeper', 'cat /kept')).stdout, 'kept\n');
  await output('restart', '-t', '0', 'sleeper');
  assert.equal((await inside('sleeper', 'cat /kept')).stdout, 'kept\n');
  await output('rm', '-f', 'sleeper');
  await nothingStays();
});

test('diff, cp, export and sizes reach the layer, running or not', async () => {
  await idle('files', '--storage-opt', 'size=64m');
  await inside('files', 'echo here > /root/here; rm /etc/group; head -c 300000 /dev/zero > /big');
  for (const state of ['running', 'stopped']) {
    if (state === 'stopped') await output('stop', '-t', '0', 'files');
    const changed = (await output('diff', 'files')).split('\n');
    for (const line of ['A /big', 'D /etc/group', 'A /root/here'])
      assert.ok(changed.includes(line), `${state}: ${line} is not in ${changed.join(', ')}`);
    assert.match(await output('cp', 'files:/root/here', '-'), /here/);
    await docker().withInput(await tarOf('word', state), 'cp', '-', 'files:/root');
    assert.match(await output('cp', 'files:/root/word', '-'), new RegExp(state));
    assert.match(await output('ps', '-a', '-s', '--format', '{{.Size}}'), /^30\dkB/);
    const { stdout } = await docker()('export', 'files');
    assert.ok(stdout.includes('root/here'), `${state}: export`);
  }
  await output('start', 'files');
  assert.equal((await inside('files', 'cat /root/word')).stdout, 'stopped');
  await output('rm', '-f', 'files');
  await nothingStays();
});

/** A tar archive with one small file. */
async function tarOf(name: string, text: string): Promise<string> {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0ustar\0' + '00', 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const content = Buffer.alloc(512);
  content.write(text);
  return Buffer.concat([header, content, Buffer.alloc(1024)]).toString('latin1');
}

test('kill -9 of the agent: the limit holds on, the next agent can change it, and nothing is lost', async () => {
  await idle('steady', '--storage-opt', 'size=64m');
  await output('volume', 'create', '-o', 'size=32m', 'kept');
  await idle('user', '-v', 'kept:/data');
  await inside('steady', 'echo before > /before');
  await inside('user', 'echo volume > /data/file');
  await agent().end('SIGKILL');
  await begin();
  assert.match(await output('diff', 'steady'), /A \/before/);
  await limit('steady', { maxBytes: 32 * mib });
  assertNear(await fill('steady', '/full'), 32 * mib, 2 * mib, 'written under the next agent');
  await agent().end('SIGKILL');
  await begin();
  await output('rm', '-f', 'steady');
  assert.equal((await inside('user', 'cat /data/file')).stdout, 'volume\n');
  await agent().end('SIGTERM');
  await begin();
  await output('rm', '-f', 'user');
  const mountpoint = await output('volume', 'inspect', '-f', '{{.Mountpoint}}', 'kept');
  assert.equal(readFileSync(join(mountpoint, 'file'), 'utf8'), 'volume\n');
  await output('volume', 'rm', 'kept');
  await nothingStays();
});

test('a volume has a limit of its own, shared by all who use it', async () => {
  await output('volume', 'create', '-o', 'size=32m', 'shared');
  await idle('one', '-v', 'shared:/data');
  await idle('two', '-v', 'shared:/data');
  assertNear(await fill('one', '/data/full'), 32 * mib, 2 * mib, 'written');
  const more = await inside('two', 'dd if=/dev/zero of=/data/more bs=1M count=1');
  assert.match(more.stderr, /No space left on device/);
  assert.equal((await inside('two', 'echo own > /own && cat /own')).stdout, 'own\n');
  const { body } = await corten('GET', 'volumes/shared/disk');
  assertNear(body.usedBytes, 32 * mib, mib, 'used');
  const raised = await corten('POST', 'volumes/shared/limits', { disk: { maxBytes: 64 * mib } });
  assert.deepEqual(raised.body, { limits: { disk: { maxBytes: 64 * mib } }, warnings: [] });
  assertNear(await available('two', '/data'), 32 * mib, 2 * mib, 'after raising');
  assert.deepEqual((await corten('GET', 'volumes/shared/limits')).body, raised.body.limits);
  assert.equal((await corten('POST', 'volumes/shared/limits', { pids: 3 })).status, 400);
  await output('rm', '-f', 'one', 'two');
  await output('volume', 'rm', 'shared');
  const refused = await docker()('volume', 'create', '-o', 'size=tiny', 'bad');
  assert.match(refused.stderr, /invalid size: 'tiny'/);
  await nothingStays();
});

test('starts that fail and containers that end leave nothing', async () => {
  const failed = await docker()(
    ...['run', '--rm', '--storage-opt', 'size=64m', '--network', 'none', image, '/no/such/program'],
  );
  assert.equal(failed.code, 127);
  const refused = await docker()('create', '--storage-opt', 'size=64m', '--name', 'x', 'no-image');
  assert.notEqual(refused.code, 0);
  const words = ['run', '--rm', '--storage-opt', 'size=64m', '--network', 'none', image];
  await Promise.all(Array.from({ length: 6 }, () => output(...words, 'sh', '-c', 'echo x > /x')));
  await nothingStays();
});

test('what a crash left half made is swept by the next agent', async () => {
  await idle('lost', '--storage-opt', 'size=64m');
  await inside('lost', 'echo kept > /kept');
  const id = await output('inspect', '-f', '{{.Id}}', 'lost');
  await output('stop', '-t', '0', 'lost');
  await agent().end('SIGKILL');
  const stray = `${agent().root}/containers/${'0'.repeat(64)}`;
  mkdirSync(`${stray}/disk`, { recursive: true });
  await begin();
  assert.equal(existsSync(stray), false);
  await output('start', 'lost');
  assert.equal((await inside('lost', 'cat /kept')).stdout, 'kept\n');
  await output('rm', '-f', 'lost');
  assert.equal(existsSync(`${agent().root}/containers/${id}`), false);
  await nothingStays();
});

test('with a user namespace the limit holds, and files belong to root inside', async () => {
  await idle('mapped', '--storage-opt', 'size=64m', '--security-opt', 'userns=auto');
  assertNear(await fill('mapped', '/full'), 64 * mib, 2 * mib, 'written');
  assert.equal((await inside('mapped', 'stat -c %u /full')).stdout, '0\n');
  await output('rm', '-f', 'mapped');
  await nothingStays();
});

test('a default is given to all who ask for none, and can be declined', async () => {
  await agent().end();
  await begin(['--default-disk', '48m']);
  await idle('plain');
  await idle('declined', '--storage-opt', 'size=0');
  assertNear(await available('plain'), 48 * mib, mib, 'by default');
  assert.ok((await available('declined')) > 1024 * mib);
  const { stderr } = await docker()('run', '--storage-opt', 'color=red', image, 'true');
  assert.match(stderr, /Unknown storage option color/);
  await output('rm', '-f', 'plain', 'declined');
  await nothingStays();
});
