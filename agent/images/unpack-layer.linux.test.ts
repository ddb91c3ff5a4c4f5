import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { withFd } from '../kernel/files.ts';
import { getXattr } from '../kernel/xattr.ts';
import { defaultLimits, type UnpackLimits } from './layer-limits.ts';
import { type RawEntry, tarOf } from './testdata/tar.ts';
import { unpackLayer } from './unpack-layer.ts';

let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'corten-images-unpack-'));
  directory = join(root, 'layer');
  mkdirSync(directory);
  mkdirSync(join(root, 'outside'));
  writeFileSync(join(root, 'outside/secret'), 'untouched');
});
afterEach(() => rmSync(root, { recursive: true }));

const digestOf = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function unpack(
  archive: Buffer,
  { diffId, blob, limits }: { diffId?: string; blob?: Buffer; limits?: Partial<UnpackLimits> } = {},
): Promise<number> {
  const blobPath = join(root, 'blob');
  writeFileSync(blobPath, blob ?? archive);
  return unpackLayer(
    {
      blobPath,
      directory,
      diffId: diffId ?? digestOf(archive),
      limits: { ...defaultLimits, ...limits },
    },
    () => {},
    () => false,
  );
}

const inLayer = (path: string) => join(directory, path);

for (const [name, compress] of [
  ['plain', (bytes: Buffer) => bytes],
  ['gzip', (bytes: Buffer) => gzipSync(bytes)],
  [
    'gzip in two members',
    (bytes: Buffer) =>
      Buffer.concat([gzipSync(bytes.subarray(0, 999)), gzipSync(bytes.subarray(999))]),
  ],
  ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
  [
    'zstd in two frames',
    (bytes: Buffer) =>
      Buffer.concat([
        zstdCompressSync(bytes.subarray(0, 999)),
        zstdCompressSync(bytes.subarray(999)),
      ]),
  ],
] as const)
  test(`a root archive of GNU tar unpacks as tar would: ${name}`, async () => {
    const script = `
      mkdir -p usr/bin dev var/cache; ln -s usr/bin bin; printf tool > usr/bin/tool; chmod 4755 usr/bin/tool
      ln usr/bin/tool usr/bin/same; ln -s /usr/bin/tool var/absolute; chown -h 7:8 var/absolute
      printf mine > var/owned; chown 1000:1001 var/owned; chmod 6640 var/owned; chmod 1777 var/cache
      mknod -m 666 dev/null c 1 3; mkfifo -m 600 var/pipe; printf e > "$(printf 'var/caf\\351')"
      truncate -s 8M var/sparse; printf end >> var/sparse
      touch -d '2001-02-03 04:05:06.789 UTC' usr/bin/tool usr; touch -hd '1969-12-01 UTC' var/absolute`;
    const source = join(root, 'source');
    mkdirSync(source);
    execFileSync('sh', ['-ec', script], { cwd: source });
    const archive = execFileSync('tar', ['-cS', '--format=posix', '--sort=name', '.'], {
      cwd: source,
      maxBuffer: 64 << 20,
    });
    const sizeBytes = await unpack(archive, { blob: compress(archive) });
    assert.equal(sizeBytes, 4 + 4 + 1 + 8 * 2 ** 20 + 3);
    const listing = (at: string) =>
      execFileSync('sh', ['-c', "LC_ALL=C find . -printf '%p %y %m %U:%G %n %T@ %l\\n' | sort"], {
        cwd: at,
        encoding: 'latin1',
      });
    assert.equal(listing(directory), listing(source));
    assert.equal(statSync(inLayer('dev/null')).rdev, statSync('/dev/null').rdev);
    assert.ok(statSync(inLayer('var/sparse')).blocks < 100);
    assert.equal(readFileSync(inLayer('usr/bin/same'), 'utf8'), 'tool');
  });

test('whiteouts become what overlayfs understands', async () => {
  await unpack(
    tarOf([
      { name: 'a/', type: '5' },
      { name: 'a/.wh.gone' },
      { name: 'b/', type: '5' },
      { name: 'b/.wh..wh..opq' },
      { name: 'b/kept', content: 'x' },
      { name: 'c/.wh.new' },
      { name: 'c/new/', type: '5' },
      { name: 'c/new/file', content: 'y' },
      { name: 'stays', content: 'z' },
      { name: '.wh.stays' },
      { name: '.wh..wh.plnk/1.2', content: 'aufs' },
    ]),
  );
  const gone = lstatSync(inLayer('a/gone'));
  assert.ok(gone.isCharacterDevice() && gone.rdev === 0);
  const opaque = (path: string) =>
    withFd(openSync(inLayer(path), 'r'), (fd) =>
      getXattr(fd, 'trusted.overlay.opaque')?.toString(),
    );
  assert.equal(opaque('a'), undefined);
  assert.equal(opaque('b'), 'y');
  assert.equal(opaque('c/new'), 'y');
  assert.deepEqual(readdirSync(inLayer('b')), ['kept']);
  assert.equal(readFileSync(inLayer('stays'), 'utf8'), 'z');
  assert.deepEqual(readdirSync(directory).sort(), ['a', 'b', 'c', 'stays']);
});

test('file capabilities are kept, and set after the owner that would clear them', async () => {
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  await unpack(
    tarOf([
      {
        name: 'ping',
        content: 'x',
        mode: 0o755,
        uid: 5,
        pax: {
          'SCHILY.xattr.security.capability': capability.toString('latin1'),
          'SCHILY.xattr.security.selinux': 'ignored',
        },
      },
    ]),
  );
  withFd(openSync(inLayer('ping'), 'r'), (fd) =>
    assert.deepEqual(getXattr(fd, 'security.capability'), capability),
  );
});

test('odd but honest archives unpack as they do in Docker', async () => {
  await unpack(
    tarOf(
      [
        { name: '/ko-app/tool', content: 'absolute names lie below the root' },
        { name: 'twice', content: 'first' },
        { name: 'twice', content: 'second' },
        { name: 'lib', type: '2', linkName: 'usr/lib' },
        { name: 'usr/lib/', type: '5' },
        { name: 'lib/through', content: 'a link inside' },
        { name: 'run/', type: '5' },
        { name: 'var/run', type: '2', linkName: '/run' },
        { name: 'var/run/pid', content: 'an absolute link inside' },
        { name: 'dir/old', content: 'x' },
        { name: 'dir', content: 'now a file' },
        { name: 'elsewhere', type: '2', linkName: '../../../../etc/passwd' },
        { name: './a/../b/./c', content: 'normal' },
      ],
      { closed: false },
    ),
  );
  const text = (path: string) => readFileSync(inLayer(path), 'utf8');
  assert.match(text('ko-app/tool'), /^absolute/);
  assert.equal(text('twice'), 'second');
  assert.equal(text('usr/lib/through'), 'a link inside');
  assert.equal(text('run/pid'), 'an absolute link inside');
  assert.equal(text('dir'), 'now a file');
  assert.equal(readlinkSync(inLayer('elsewhere')), '../../../../etc/passwd');
  assert.equal(text('b/c'), 'normal');
});

const out = '../../outside';
const hostile: [string, RawEntry[], RegExp, Partial<UnpackLimits>?][] = [
  ['a name above the root', [{ name: '../outside/new', content: 'x' }], /leaves the layer/],
  ['a name above the root, later', [{ name: 'a/../../outside/new' }], /leaves the layer/],
  [
    'a pax name above the root',
    [{ name: 'f', pax: { path: '../outside/new' } }],
    /leaves the layer/,
  ],
  [
    'through a relative link out',
    [{ name: 'l', type: '2', linkName: '../outside' }, { name: 'l/new' }],
    /link out of the layer/,
  ],
  [
    'through an absolute link out',
    [{ name: 'l', type: '2', linkName: '/tmp' }, { name: 'l/corten-new' }],
    /link out of the layer/,
  ],
  [
    'through links in a row',
    [
      { name: 'd/a', type: '2', linkName: out },
      { name: 'b', type: '2', linkName: 'd/a' },
      { name: 'b/new' },
    ],
    /link out of the layer/,
  ],
  [
    'a directory through a link out',
    [
      { name: 'l', type: '2', linkName: '../outside' },
      { name: 'l/new/', type: '5' },
    ],
    /link out of the layer/,
  ],
  [
    'a link through a link out',
    [
      { name: 'l', type: '2', linkName: '../outside' },
      { name: 'l/new', type: '2', linkName: 'x' },
    ],
    /link out of the layer/,
  ],
  [
    'a whiteout through a link out',
    [{ name: 'l', type: '2', linkName: '../outside' }, { name: 'l/.wh.secret' }],
    /link out of the layer/,
  ],
  [
    'opaque through a link out',
    [{ name: 'l', type: '2', linkName: '../outside' }, { name: 'l/.wh..wh..opq' }],
    /link out of the layer/,
  ],
  [
    'links in a circle',
    [{ name: 'l', type: '2', linkName: 'l' }, { name: 'l/new' }],
    /loop of links/,
  ],
  [
    'a dangling link as a parent',
    [{ name: 'l', type: '2', linkName: 'nothing' }, { name: 'l/new' }],
    /to a file that the layer does not contain/,
  ],
  [
    'a hard link above the root',
    [{ name: 'h', type: '1', linkName: '../outside/secret' }],
    /leaves the layer/,
  ],
  [
    'a hard link through a link out',
    [
      { name: 'l', type: '2', linkName: '../outside' },
      { name: 'h', type: '1', linkName: 'l/secret' },
    ],
    /link out of the layer/,
  ],
  [
    'an absolute hard link',
    [{ name: 'h', type: '1', linkName: '/etc/passwd' }],
    /does not contain/,
  ],
  [
    'a hard link to a directory',
    [
      { name: 'd/', type: '5' },
      { name: 'h', type: '1', linkName: 'd' },
    ],
    /does not contain/,
  ],
  ['a disk', [{ name: 'sda', type: '4', major: 8, minor: 0 }], /block device 8:0/],
  ['memory', [{ name: 'mem', type: '3', major: 1, minor: 1 }], /character device 1:1/],
  ['fuse', [{ name: 'fuse', type: '3', major: 10, minor: 229 }], /character device 10:229/],
  ['a smuggled whiteout', [{ name: 'w', type: '3', major: 0, minor: 0 }], /character device 0:0/],
  [
    'an overlay redirect',
    [{ name: 'd/', type: '5', pax: { 'SCHILY.xattr.trusted.overlay.redirect': '/etc' } }],
    /belongs to overlayfs/,
  ],
  ['a whiteout of everything', [{ name: 'a/.wh..' }], /whiteout names nothing/],
  ['a whiteout of the parent', [{ name: 'a/.wh...' }], /whiteout names nothing/],
  ['through a whiteout', [{ name: '.wh.a/b' }], /through a whiteout/],
  ['a file as a parent', [{ name: 'f', content: 'x' }, { name: 'f/g' }], /through a file/],
  ['the root as a file', [{ name: './', type: '2', linkName: '/etc' }], /root is not a directory/],
  ['a declared size of 8 PiB', [{ name: 'f', declaredBytes: 2 ** 53 - 1 }], /limit|no space left/],
  [
    'a declared size above the disk',
    [{ name: 'f', declaredBytes: 2 ** 47 }],
    /limit|no space left/,
  ],
  [
    'more than the limit',
    [{ name: 'f', declaredBytes: 70_000 }],
    /passes the limit/,
    { maxBytes: 60_000 },
  ],
  [
    'many files above the limit',
    Array.from({ length: 90 }, (_, index) => ({ name: `f${index}`, content: Buffer.alloc(600) })),
    /more than the limit/,
    { maxBytes: 60_000 },
  ],
  [
    'too many entries',
    Array.from({ length: 11 }, (_, index) => ({ name: `f${index}` })),
    /more than 10 entries/,
    { maxEntries: 10 },
  ],
  ['too deep', [{ name: 'f', pax: { path: 'd/'.repeat(300) } }], /nested more than/],
  [
    'a path too long',
    [{ name: 'f', pax: { path: 'd'.repeat(5000) } }],
    /longer than the kernel takes/,
  ],
  ['a name too long', [{ name: 'f', pax: { path: 'd'.repeat(300) } }], /ENAMETOOLONG/],
];

for (const [what, entries, message, limits] of hostile)
  test(`refused: ${what}`, async () => {
    const tmpBefore = readdirSync('/tmp').filter((name) => name === 'corten-new');
    await assert.rejects(unpack(tarOf(entries), { limits }), { message });
    assert.deepEqual(readdirSync(join(root, 'outside')), ['secret']);
    assert.equal(readFileSync(join(root, 'outside/secret'), 'utf8'), 'untouched');
    assert.equal(statSync(join(root, 'outside/secret')).nlink, 1);
    assert.deepEqual(readdirSync(root).sort(), ['blob', 'layer', 'outside']);
    assert.deepEqual(
      readdirSync('/tmp').filter((name) => name === 'corten-new'),
      tmpBefore,
    );
  });

test('a bomb of zeros stops at the limit, not when the disk is full', async () => {
  const archive = tarOf([{ name: 'zeros', content: Buffer.alloc(64 << 20) }]);
  const limits = { maxBytes: 1 << 20 };
  await assert.rejects(unpack(archive, { blob: gzipSync(archive), limits }), {
    kind: 'invalid',
    message: /limit/,
  });
  const trailing = Buffer.concat([tarOf([]), Buffer.alloc(64 << 20)]);
  await assert.rejects(unpack(trailing, { blob: gzipSync(trailing), limits }), {
    message: /limit/,
  });
});

test('content that is not what the image says is refused', async () => {
  const archive = tarOf([{ name: 'f', content: 'x' }]);
  await assert.rejects(unpack(archive, { diffId: `sha256:${'0'.repeat(64)}` }), {
    kind: 'invalid',
    message: /the layer's content is sha256:.*, but its image says sha256:000/,
  });
});

test('blobs that are damaged or of another kind are refused', async () => {
  const archive = tarOf([{ name: 'f', content: randomBytes(100_000) }]);
  const cut = gzipSync(archive).subarray(0, 200);
  await assert.rejects(unpack(archive, { blob: cut }), { kind: 'invalid', message: /damaged/ });
  const broken = zstdCompressSync(archive);
  broken.fill(0xff, 8, 40);
  await assert.rejects(unpack(archive, { blob: broken }), { kind: 'invalid', message: /damaged/ });
  await assert.rejects(unpack(archive, { blob: Buffer.from('BZh91AY&SY') }), { message: /bzip2/ });
});

test('no descriptor stays open, whether it works or not', async () => {
  const open = () => readdirSync('/proc/self/fd').length;
  await unpack(tarOf([{ name: 'warm/up', content: 'x' }]));
  const before = open();
  await unpack(
    tarOf([
      { name: 'a/b/c/d', content: 'x' },
      { name: 'e/f', content: 'y' },
    ]),
  );
  await assert.rejects(unpack(tarOf([{ name: 'a/b', content: 'x' }, { name: 'a/b/c' }])));
  await assert.rejects(unpack(tarOf([{ name: 'cut', declaredBytes: 9999 }], { closed: false })));
  assert.equal(open(), before);
});
