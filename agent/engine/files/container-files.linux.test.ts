/** Copying, exporting and comparing, on a stopped container's overlay and a running one's root. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { until } from '../../e2e/until.ts';
import { conflict } from '../../errors.ts';
import { withFd } from '../../kernel/files.ts';
import { getXattr, setXattr } from '../../kernel/xattr.ts';
import { filterPs, top } from '../containers/top.ts';
import { readArchive, statPath, writeArchive } from './archive.ts';
import { changes } from './changes.ts';
import type { ContainerRoot } from './container-files.ts';
import { exportArchive } from './export.ts';

const plain = { noOverwriteDirectoryNonDirectory: false, copyUidGid: false };
let base: string;
let root: ContainerRoot;

before(() => {
  base = mkdtempSync(join(tmpdir(), 'corten-files-'));
});
after(() => rmSync(base, { recursive: true, force: true }));

beforeEach(() => {
  rmSync(base, { recursive: true, force: true });
  const at = (name: string) => {
    mkdirSync(join(base, name), { recursive: true });
    return join(base, name);
  };
  root = {
    process: undefined,
    rootfs: { upper: at('upper'), work: at('work'), lowers: [at('top'), at('bottom')] },
    mounts: [
      { type: 'volume', source: at('volume'), target: '/data', readOnly: false, propagation: '' },
      { type: 'bind', source: at('fixed'), target: '/fixed', readOnly: true, propagation: '' },
    ],
  };
  mkdirSync(join(base, 'bottom/etc'));
  writeFileSync(join(base, 'bottom/etc/motd'), 'hello\n', { mode: 0o640 });
  writeFileSync(join(base, 'bottom/etc/gone'), 'x');
  mkdirSync(join(base, 'top/opt/deep'), { recursive: true });
  writeFileSync(join(base, 'top/opt/deep/file'), 'deep');
  symlinkSync('/opt/deep', join(base, 'top/link'));
  symlinkSync('../../../../../../etc', join(base, 'top/escape'));
});

async function listing(archive: Readable): Promise<string[]> {
  return tar(['-tv', '--numeric-owner'], await buffer(archive))
    .split('\n')
    .map((line) => line.replace(/ +/g, ' '));
}

function tar(options: string[], input: Buffer): string {
  return execFileSync('tar', [...options, '-f', '-'], { input, encoding: 'utf8' }).trim();
}

function mark(path: string, name: string, value: string): void {
  withFd(openSync(path, 'r'), (fd) => setXattr(fd, name, Buffer.from(value)));
}

/** An archive made by GNU tar from a directory that `fill` fills. */
function archiveOf(fill: (directory: string) => void, ...options: string[]): Buffer {
  const directory = mkdtempSync(join(base, 'archive-'));
  fill(directory);
  return execFileSync('tar', ['-C', directory, '-c', ...options, '.']);
}

test('a path is described, with the place a link leads to', async () => {
  const motd = await statPath(root, '/etc/motd');
  assert.equal(motd.name, 'motd');
  assert.equal(motd.sizeBytes, 6);
  assert.equal(motd.mode & 0o7777, 0o640);
  assert.equal((await statPath(root, '/link')).linkTarget, '/opt/deep');
  assert.equal((await statPath(root, '/link/')).linkTarget, '');
  assert.equal((await statPath(root, '/')).name, '/');
  await assert.rejects(statPath(root, '/nope'), { kind: 'not-found' });
  await assert.rejects(statPath(root, '/etc/motd/'), { kind: 'invalid' });
});

test('links lead nowhere outside the container', async () => {
  assert.equal((await statPath(root, '/escape')).linkTarget, '/etc');
  await assert.rejects(statPath(root, '/escape/passwd'), { kind: 'not-found' });
  assert.equal((await statPath(root, '/escape/motd')).sizeBytes, 6);
});

test('a tree comes out as an archive that tar reads', async () => {
  const deep = 'd'.repeat(120);
  mkdirSync(join(base, `upper/opt/${deep}`), { recursive: true });
  writeFileSync(join(base, `upper/opt/${deep}/ünï`), Buffer.alloc(700_000, 7));
  linkSync(join(base, `upper/opt/${deep}/ünï`), join(base, `upper/opt/${deep}/ünï-2`));
  mark(join(base, `upper/opt/${deep}/ünï`), 'user.note', 'kept');
  const { stat, archive } = await readArchive(root, '/opt');
  assert.equal(stat.name, 'opt');
  const whole = await buffer(archive);
  const out = mkdtempSync(join(base, 'out-'));
  execFileSync('tar', ['-C', out, '-x', '--xattrs', '-f', '-'], { input: whole });
  assert.equal(readFileSync(join(out, 'opt/deep/file'), 'utf8'), 'deep');
  assert.equal(readFileSync(join(out, `opt/${deep}/ünï`)).length, 700_000);
  assert.equal(lstatSync(join(out, `opt/${deep}/ünï-2`)).nlink, 2);
  withFd(openSync(join(out, `opt/${deep}/ünï`), 'r'), (fd) =>
    assert.equal(getXattr(fd, 'user.note')?.toString(), 'kept'),
  );
});

test('devices and FIFOs come out as entries, and nothing opens them', async () => {
  // To open the FIFO would wait, and the device, which has no driver, would be ENXIO.
  execFileSync('mkdir', [join(base, 'upper/odd')]);
  execFileSync('mkfifo', [join(base, 'upper/odd/fifo')]);
  execFileSync('mknod', [join(base, 'upper/odd/device'), 'c', '254', '254']);
  const { archive } = await readArchive(root, '/odd');
  const listing = execFileSync('tar', ['-tv'], { input: await buffer(archive), encoding: 'utf8' });
  assert.match(listing, /^c.* 254,254 .* odd\/device$/m);
  assert.match(listing, /^p.* odd\/fifo$/m);
});

test('names inside begin with the last component, as clients rely on', async () => {
  const names = async (path: string) =>
    tar(['-tP'], await buffer((await readArchive(root, path)).archive)).split('\n');
  assert.deepEqual(await names('/link'), ['link']);
  assert.deepEqual(await names('/link/'), ['link/', 'link/file']);
  assert.deepEqual(await names('/opt/deep/.'), ['./', './file']);
  assert.ok((await names('/')).includes('/etc/motd'));
});

test('an archive is written in, also compressed, with owners, modes and links', async () => {
  const archive = archiveOf(
    (directory) => {
      mkdirSync(join(directory, 'new/dir'), { recursive: true });
      writeFileSync(join(directory, 'new/dir/run'), 'run', { mode: 0o755 });
      linkSync(join(directory, 'new/dir/run'), join(directory, 'new/same'));
      symlinkSync('dir/run', join(directory, 'new/soft'));
    },
    '--owner=12',
    '--group=34',
  );
  await writeArchive(root, '/etc', Readable.from([gzipSync(archive)]), plain);
  const run = lstatSync(join(base, 'upper/etc/new/dir/run'));
  assert.deepEqual([run.uid, run.gid, run.mode & 0o7777, run.nlink], [12, 34, 0o755, 2]);
  assert.equal(lstatSync(join(base, 'upper/etc/new/soft')).isSymbolicLink(), true);
  assert.equal(readFileSync(join(base, 'bottom/etc/motd'), 'utf8'), 'hello\n');
  const owned = { ...root, owner: { uid: 1000, gid: 1001 } };
  await writeArchive(owned, '/etc', Readable.from([archive]), { ...plain, copyUidGid: true });
  assert.equal(lstatSync(join(base, 'upper/etc/new/dir/run')).uid, 1000);
});

test('an archive follows links inside the container only', async () => {
  const archive = archiveOf((directory) => {
    mkdirSync(join(directory, 'sub'));
    writeFileSync(join(directory, 'sub/planted'), 'x');
  });
  await writeArchive(root, '/escape', Readable.from([archive]), plain);
  assert.equal(existsSync(join(base, 'upper/etc/sub/planted')), true);
  assert.equal(existsSync('/etc/sub/planted'), false);
});

test('hostile archives change nothing outside', async () => {
  const climbing = archiveOf(
    (directory) => writeFileSync(join(directory, 'x'), 'x'),
    '--transform=s,^./x,../../../../corten-climbed,',
  );
  await assert.rejects(writeArchive(root, '/etc', Readable.from([climbing]), plain));
  assert.equal(existsSync(join(base, '../corten-climbed')), false);
  const outside = join(base, 'outside');
  mkdirSync(outside);
  const through = Buffer.concat([
    archiveOf((directory) => symlinkSync(outside, join(directory, 'way'))).subarray(0, 1024),
    archiveOf(
      (directory) => {
        mkdirSync(join(directory, 'way'));
        writeFileSync(join(directory, 'way/planted'), 'x');
      },
      '--exclude=./way',
      '--no-recursion',
    ),
  ]);
  await writeArchive(root, '/etc', Readable.from([through]), plain).catch(() => undefined);
  assert.equal(existsSync(join(outside, 'planted')), false);
  await assert.rejects(writeArchive(root, '/etc', Readable.from([Buffer.alloc(700, 65)]), plain));
});

test('a directory and a file do not replace each other when that is asked', async () => {
  const strict = { ...plain, noOverwriteDirectoryNonDirectory: true };
  const file = archiveOf((directory) => writeFileSync(join(directory, 'deep'), 'file'));
  await assert.rejects(
    writeArchive(root, '/opt', Readable.from([file]), strict),
    /cannot overwrite/,
  );
  await writeArchive(root, '/opt', Readable.from([file]), plain);
  assert.equal(readFileSync(join(base, 'upper/opt/deep'), 'utf8'), 'file');
  await assert.rejects(
    writeArchive(root, '/etc/motd', Readable.from([file]), plain),
    /not a directory/,
  );
  await assert.rejects(writeArchive(root, '/nope', Readable.from([file]), plain), {
    kind: 'not-found',
  });
});

test('volumes of a stopped container are seen; what is read-only stays so', async () => {
  writeFileSync(join(base, 'volume/kept'), 'kept');
  assert.equal((await statPath(root, '/data/kept')).sizeBytes, 4);
  assert.equal((await statPath(root, '/data')).name, 'data');
  const archive = archiveOf((directory) => writeFileSync(join(directory, 'in'), 'in'));
  await writeArchive(root, '/data', Readable.from([archive]), plain);
  assert.equal(readFileSync(join(base, 'volume/in'), 'utf8'), 'in');
  await assert.rejects(writeArchive(root, '/fixed', Readable.from([archive]), plain), {
    kind: 'forbidden',
  });
  const fixed = { ...root, readOnlyRootfs: true };
  await assert.rejects(writeArchive(fixed, '/etc', Readable.from([archive]), plain), {
    kind: 'forbidden',
  });
});

test('a running container is reached through its init, mounts and all', async () => {
  const ready = join(base, 'ready');
  const line = `mount -t tmpfs none ${base}/top/opt && echo in > ${base}/top/opt/mounted && touch ${ready} && mount --bind ${base}/top ${base}/top && exec chroot ${base}/top /sleep`;
  execFileSync('cp', ['/usr/bin/busybox', join(base, 'top/sleep')]);
  chmodSync(join(base, 'top/sleep'), 0o755);
  const child = spawn(
    'unshare',
    [
      '-m',
      'sh',
      '-c',
      line.replace('mount --bind', 'mount --rbind').replace('/sleep', '/sleep 1000'),
    ],
    { stdio: 'ignore' },
  );
  try {
    const inside = { ...root, process: { pid: child.pid ?? 0, signal: () => {} } };
    const seen = async () =>
      (await statPath(inside, '/opt/mounted').catch(() => undefined))?.sizeBytes;
    await until(async () => (await seen()) !== undefined);
    assert.equal(await seen(), 3);
    const archive = archiveOf((directory) => writeFileSync(join(directory, 'in'), 'in'));
    await writeArchive(inside, '/opt', Readable.from([archive]), plain);
    assert.equal((await statPath(inside, '/opt/in')).sizeBytes, 2);
    const names = (await listing(await exportArchive(inside))).join('\n');
    assert.match(names, /\.\/sleep/);
    assert.doesNotMatch(names, /mounted/, 'what is mounted is not exported');
  } finally {
    child.kill('SIGKILL');
  }
});

test('a process that merely got the number of one that ended shows no files', async () => {
  const gone = {
    pid: process.pid,
    signal: () => {
      throw conflict('the process is not running any more');
    },
  };
  const after = { ...root, process: gone };
  await assert.rejects(statPath(after, '/etc/passwd'), { kind: 'not-found' });
  await assert.rejects(readArchive(after, '/etc/passwd'), { kind: 'not-found' });
});

test('an export that nobody reads gives its descriptors back', async () => {
  const count = () =>
    execFileSync('ls', [`/proc/${process.pid}/fd`], { encoding: 'utf8' }).split('\n').length;
  const start = count();
  for (let round = 0; round < 40; round++) {
    const archive = await exportArchive(root);
    archive.destroy();
    await new Promise((resolve) => archive.once('close', resolve));
  }
  // Pipes of the programs that earlier tests ran may close meanwhile; forty leaks would show.
  assert.ok(count() < start + 20, `${count()} descriptors, ${start} before`);
});

test('changes are what differs from the image', async () => {
  await writeArchive(
    root,
    '/',
    Readable.from([
      archiveOf((directory) => {
        mkdirSync(join(directory, 'fresh'));
        writeFileSync(join(directory, 'fresh/file'), '');
      }),
    ]),
    plain,
  );
  mkdirSync(join(base, 'upper/etc'), { recursive: true });
  writeFileSync(join(base, 'upper/etc/motd'), 'changed');
  writeFileSync(join(base, 'upper/etc/hosts'), '');
  execFileSync('mknod', [join(base, 'upper/etc/gone'), 'c', '0', '0']);
  mkdirSync(join(base, 'upper/data'));
  const found = (await changes(root)).map(({ path, kind }) => `${kind} ${path}`);
  assert.deepEqual(found.sort(), [
    'added /fresh',
    'added /fresh/file',
    'deleted /etc/gone',
    'modified /etc',
    'modified /etc/motd',
  ]);
});

test('a directory that was replaced lost what the image had in it', async () => {
  mkdirSync(join(base, 'upper/opt/deep'), { recursive: true });
  mark(join(base, 'upper/opt/deep'), 'trusted.overlay.opaque', 'y');
  const found = (await changes(root)).map(({ path, kind }) => `${kind} ${path}`);
  assert.ok(found.includes('deleted /opt/deep/file'), found.join());
});

test('top lists the processes given, in the columns of ps', async () => {
  const usual = await top([process.pid, 999_999_999], '');
  assert.deepEqual(usual.titles, ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD']);
  assert.equal(usual.processes.length, 1);
  assert.equal(usual.processes[0]?.[0], 'root');
  assert.equal(usual.processes[0]?.[2], String(process.ppid));
  assert.match(usual.processes[0]?.[7] ?? '', /node/);
  const chosen = filterPs('  PID COMMAND\n    1 init\n   42 sh -c  x y\n', [42]);
  assert.deepEqual(chosen, { titles: ['PID', 'COMMAND'], processes: [['42', 'sh -c x y']] });
  assert.throws(() => filterPs('COMMAND\ninit\n', [1]), /PID/);
});
