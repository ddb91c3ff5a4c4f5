import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type TarEntry, TarReader } from './tar-reader.ts';
import { tarOf } from './testdata/tar.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'corten-images-tar-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

interface Read {
  entry: TarEntry;
  parts: { offset: number; bytes: Buffer }[];
}

/** Reads an archive in pieces of `step` bytes. */
function read(archive: Buffer, step = archive.length): Read[] {
  const all: Read[] = [];
  const reader = new TarReader({
    entry: (entry) => all.push({ entry, parts: [] }),
    data: (bytes, offset) => all.at(-1)?.parts.push({ offset, bytes: Buffer.from(bytes) }),
    endEntry: () => {},
  });
  for (let at = 0; at < archive.length; at += step) reader.push(archive.subarray(at, at + step));
  reader.end();
  return all;
}

const textOf = ({ parts }: Read) => Buffer.concat(parts.map(({ bytes }) => bytes)).toString();

for (const format of ['gnu', 'posix', 'ustar', 'v7', 'oldgnu'])
  test(`GNU tar's ${format} archives read whole, in pieces of any size`, () => {
    const deep = format === 'v7' ? 'd' : `d/${'x'.repeat(60)}/${'y'.repeat(60)}`;
    execFileSync(
      'sh',
      [
        '-ec',
        `mkdir -p ${deep}; touch d/first; printf hello > ${deep}/f; ln -s f ${deep}/l; ln d/first d/second`,
      ],
      { cwd: directory },
    );
    const archive = execFileSync('tar', ['-c', `--format=${format}`, '--sort=name', 'd'], {
      cwd: directory,
    });
    for (const step of [archive.length, 1, 511, 513]) {
      const entries = read(archive, step);
      const names = entries.map(({ entry }) => `${entry.type} ${entry.name.replace(/\/$/, '')}`);
      assert.ok(names.includes(`file ${deep}/f`), names.join('\n'));
      assert.ok(names.includes(`symlink ${deep}/l`));
      assert.ok(names.includes('hardlink d/second'));
      assert.ok(names.includes(`directory ${deep}`));
      assert.ok(entries.some((item) => textOf(item) === 'hello'));
    }
  });

for (const format of [
  'gnu',
  'posix --sparse-version=0.0',
  'posix --sparse-version=0.1',
  'posix --sparse-version=1.0',
])
  test(`sparse files in ${format} keep their holes and length`, () => {
    const script = `truncate -s 40M s; for i in $(seq 0 29); do printf data$i | dd of=s bs=1 seek=$((i * 1048576)) conv=notrunc status=none; done; tar -cS --format=${format} s`;
    const archive = execFileSync('sh', ['-ec', script], { cwd: directory, maxBuffer: 64 << 20 });
    assert.ok(archive.length < 1 << 20, 'tar kept the holes');
    for (const step of [archive.length, 300]) {
      const [item] = read(archive, step);
      assert.equal(item?.entry.name.replace(/.*\//, ''), 's');
      assert.equal(item?.entry.sizeBytes, 40 << 20);
      const at = (offset: number) => {
        const part = item?.parts.find(
          (one) => offset >= one.offset && offset < one.offset + one.bytes.length,
        );
        return part?.bytes.subarray(offset - part.offset, offset - part.offset + 6).toString();
      };
      assert.equal(at(0)?.slice(0, 5), 'data0');
      assert.equal(at(29 << 20), 'data29');
    }
  });

test('times before 1970, fractions, large ids and attributes come through', () => {
  const xattr = 'a\0b';
  const [item] = read(
    tarOf([
      {
        name: 'f',
        pax: { mtime: '-1.5', uid: '4294967294', path: 'caf\xe9', 'SCHILY.xattr.user.x': xattr },
      },
    ]),
  );
  assert.equal(item?.entry.modifiedNanos, -1_500_000_000n);
  assert.equal(item?.entry.uid, 4294967294);
  assert.equal(item?.entry.name, 'caf\xe9');
  assert.equal(item?.entry.xattrs.get('user.x')?.toString('latin1'), xattr);
});

test('damaged and absurd archives are refused', () => {
  const good = tarOf([{ name: 'f', content: 'hello' }]);
  const wrongSum = Buffer.from(good);
  wrongSum[0] = 0x41;
  const table: [string, Buffer, RegExp][] = [
    ['checksum', wrongSum, /wrong checksum/],
    ['no tar at all', Buffer.alloc(512, 0x61), /octal|checksum/],
    ['cut in a header', good.subarray(0, 300), /ends in the middle/],
    ['cut in the data', good.subarray(0, 514), /ends in the middle/],
    [
      'endless pax header',
      tarOf([{ name: 'x', type: 'x', declaredBytes: 2 ** 40 }]),
      /extended header of/,
    ],
    ['negative size', tarOf([{ name: 'f', declaredBytes: 2 ** 62 }]), /absurd/],
    ['pax length', tarOf([{ name: 'x', type: 'x', content: '99 path=a\n' }]), /wrong length/],
    [
      'pax length without end',
      tarOf([{ name: 'x', type: 'x', content: '9'.repeat(600) }]),
      /wrong length/,
    ],
    ['NUL in a name', tarOf([{ name: 'f', pax: { path: 'a\0b' } }]), /NUL/],
    ['unknown type', tarOf([{ name: 'f', type: 'Z' }]), /unknown type/],
    [
      'sparse map beyond its file',
      tarOf([
        { name: 'f', content: 'ab', pax: { 'GNU.sparse.map': '10,2', 'GNU.sparse.size': '5' } },
      ]),
      /sparse map leaves/,
    ],
    [
      'sparse map that overlaps',
      tarOf([
        {
          name: 'f',
          content: 'abcd',
          pax: { 'GNU.sparse.map': '0,2,1,2', 'GNU.sparse.size': '9' },
        },
      ]),
      /sparse map leaves/,
    ],
    [
      'sparse map without data',
      tarOf([{ name: 'f', pax: { 'GNU.sparse.map': '0,4', 'GNU.sparse.size': '9' } }]),
      /does not fit/,
    ],
  ];
  for (const [what, archive, message] of table)
    assert.throws(() => read(archive), { kind: 'invalid', message }, what);
});
