/** What decides about an image's content: modules, libraries, npm packages, licences, the SPDX document. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Debian, PackageFile } from '../recipe/debian.ts';
import { FileTree } from '../recipe/file-tree.ts';
import { NpmPackages } from '../recipe/npm-packages.ts';
import { Copyrights } from './copyrights.ts';
import { checkLibraries, neededLibraries } from './libraries.ts';
import { licencesIn, licenceTexts } from './licences.ts';
import { checkLicences, type Manifest, manifestText, npmRecords, sizesOf } from './manifest.ts';
import { closure, dependencies } from './modules.ts';
import { spdxDocument } from './sbom.ts';

const repository = join(import.meta.dirname, '../..');

test('a module brings what it needs', () => {
  const needs = dependencies('a.ko: b.ko c.ko\nb.ko: c.ko\nc.ko:\nd.ko:\n');
  assert.deepEqual(
    closure(needs, (path) => path === 'a.ko'),
    ['a.ko', 'b.ko', 'c.ko'],
  );
  assert.throws(() => closure(needs, () => false), /no kernel module/);
});

test('a library that is missing is named with who needs it', () => {
  const shell = readFileSync('/bin/bash');
  assert.ok(neededLibraries(shell).includes('libc.so.6'));
  const tree = new FileTree();
  tree.file('usr/bin/bash', shell);
  assert.throws(() => checkLibraries(tree), /lacks .*libc\.so\.6 \(for usr\/bin\/bash\)/);
  for (const name of neededLibraries(shell)) tree.file(`usr/lib/${name}`, '');
  checkLibraries(tree);
});

test('the agent’s libraries come along with all that they need, tools for building do not', () => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-npm-'));
  const npm = new NpmPackages(repository, directory);
  const names = npm.closure(npm.runtimeNames(), /^bare-/).map(({ name }) => name);
  for (const name of ['fastify', 'ssh2', 'asn1', 'streamx']) assert.ok(names.includes(name), name);
  assert.ok(!names.some((name) => ['typescript', 'electron', 'bare-fs'].includes(name)));
  assert.throws(() => npm.describe('not-there'), /package-lock.json has no not-there/);
  // Its package.json is older than the word that the lock file repeats.
  const { licence, sha512 } = npm.describe('ssh2');
  assert.equal(licence, 'MIT');
  assert.match(sha512 ?? '', /^[0-9a-f]{128}$/);
  rmSync(directory, { recursive: true });
});

test('licences by SPDX names, from a copyright file in form and from prose', () => {
  const text =
    'Files: *\nLicense: GPL-2+ and Expat\n\nFiles: x\nLicense: Own-Words\n Text\n\nLicense: Expat\n Text\n';
  assert.equal(licencesIn(text), 'GPL-2.0-or-later AND MIT AND LicenseRef-Debian-Own-Words');
  assert.equal(licencesIn('see /usr/share/common-licenses/GPL-2.\n'), 'GPL-2.0-only');
  assert.equal(
    licencesIn('under the GCC Runtime Library Exception; see /usr/share/common-licenses/GPL-3.'),
    'GPL-3.0-or-later WITH GCC-exception-3.1 AND GPL-3.0-only',
  );
  assert.equal(licencesIn('All rights given.'), 'NOASSERTION');
  const words = 'License: Own-Words\n Do so.\n .\n  Or not.\n\nLicense: Expat\n Text\n';
  const texts = licenceTexts(`License: Own-Words and Expat\n\n${words}`);
  assert.deepEqual([...texts], [['LicenseRef-Debian-Own-Words', 'Do so.\n\n Or not.']]);
});

test('a licence is read where the link of a package’s documentation leads; one that nobody knows fails the build', async () => {
  const file = (path: string, content: string, target = ''): PackageFile => ({
    ...{ path, content: Buffer.from(content), target, mode: 0o644, time: new Date(0) },
    type: target === '' ? 'file' : 'link',
  });
  const copyrights = new Copyrights({} as Debian);
  assert.ok(copyrights.take(file('usr/share/doc/base/copyright', 'License: Own\n Words\n')));
  assert.ok(copyrights.take(file('usr/share/doc/library', '', 'base')));
  assert.ok(!copyrights.take(file('usr/lib/library.so', '')));
  assert.equal(await copyrights.licenceOf('library'), 'LicenseRef-Debian-Own');
  assert.equal(copyrights.texts.get('LicenseRef-Debian-Own'), 'Words');
  const licence = await copyrights.licenceOf('another');
  const record = { name: 'another', version: '1', type: 'deb', licence } as const;
  assert.throws(() => checkLicences([record]), /no licence is known of another/);
});

const manifest: Manifest = {
  version: 1,
  architecture: 'amd64',
  time: 1_700_000_000,
  kernelVersion: '6.12',
  kernelArguments: [],
  files: { 'root.erofs': { bytes: 1, sha256: 'ab' } },
  packages: [
    { type: 'npm', name: '@a/b', version: '1.0.0', licence: 'MIT', sha512: 'ef' },
    { type: 'deb', name: 'libc6', version: '2.41-1', licence: 'LicenseRef-Debian-X', sha256: 'cd' },
  ],
};

test('the SPDX document names every package once and relates it to the image', () => {
  const texts = new Map([['LicenseRef-Debian-X', 'You may.']]);
  const document = spdxDocument(manifest, texts) as {
    packages: { SPDXID: string; externalRefs?: { referenceLocator: string }[] }[];
    relationships: { relatedSpdxElement: string }[];
    hasExtractedLicensingInfos: { licenseId: string; extractedText: string }[];
    creationInfo: { created: string };
  };
  const ids = document.packages.map(({ SPDXID }) => SPDXID);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^SPDXRef-[A-Za-z0-9.-]+$/);
  assert.deepEqual(
    document.relationships.map((each) => each.relatedSpdxElement).sort(),
    ids.sort(),
  );
  assert.equal(document.creationInfo.created, '2023-11-14T22:13:20Z');
  assert.deepEqual(
    document.hasExtractedLicensingInfos.map((each) => [each.licenseId, each.extractedText]),
    [['LicenseRef-Debian-X', 'You may.']],
  );
  assert.ok(JSON.stringify(document).includes('{"algorithm":"SHA512","checksumValue":"ef"}'));
  assert.match(JSON.stringify(spdxDocument(manifest, new Map())), /in the file copyright of libc6/);
  assert.ok(JSON.stringify(document).includes('pkg:npm/%40a/b@1.0.0'));
});

test('a package that lies in two places is listed once', () => {
  const twice = ['node_modules/b4a', 'node_modules/tar-stream/node_modules/b4a'].map((place) => ({
    ...{ name: 'b4a', version: '1.9.0', licence: 'Apache-2.0', sha512: undefined },
    place,
  }));
  assert.deepEqual(npmRecords(twice), [
    { type: 'npm', name: 'b4a', version: '1.9.0', licence: 'Apache-2.0' },
  ]);
});

test('a manifest does not show in which order packages were unpacked', () => {
  const packages = manifest.packages.toReversed();
  assert.equal(manifestText({ ...manifest, packages }), manifestText(manifest));
});

test('sizes for people: of each file, and of what is sent', () => {
  const sized = (bytes: number) => ({ bytes, sha256: '' });
  const files = { initrd: sized(2_900_000), 'root.erofs': sized(161_000_000) };
  assert.equal(sizesOf({ files }), 'initrd 2.9 MB, root.erofs 161.0 MB');
  const sent = { 'initrd.zst': sized(1_100_000), 'root.erofs.zst': sized(32_200_000) };
  const said = sizesOf({ files: { ...files, ...sent, 'wsl.tar.zst': sized(28_700_000) } });
  assert.match(said, /wsl\.tar\.zst 28\.7 MB; a machine is sent as 33\.3 MB$/);
});
