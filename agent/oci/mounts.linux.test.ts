/** Mounts of a config.json that the engine does not ask for. */
import assert from 'node:assert/strict';
import { chownSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { OciMount } from '../contract/oci-runtime.ts';
import { remap, testProcess, testSpec } from '../runtime/testdata/test-container.ts';
import { OciBench } from './testdata/bench.ts';

const bench = new OciBench();
after(() => bench.close());

const source = join(bench.root, '..', 'source');
mkdirSync(source);
writeFileSync(join(source, 'file'), '');
chownSync(join(source, 'file'), 5, 6);

const plain = testSpec(testProcess([]));
const remapped = remap(plain);
const ids = (hostID: number) => [{ containerID: 0, hostID, size: 100 }];

function run(script: string, mount: Partial<OciMount>, { linux } = plain) {
  const mounts = [...plain.mounts, { destination: '/mnt', type: 'bind', source, ...mount }];
  return bench.run(['/bin/sh', '-c', script], { linux, other: { mounts } });
}

const owner = 'stat -c %u:%g /mnt/file';

for (const options of [['rbind', 'ridmap'], ['bind', 'idmap'], ['bind']])
  test(`a bind (${options}) has the ids of its own mapping`, () => {
    const uidMappings = ids(1000);
    const gidMappings = ids(2000);
    const mapped = run(owner, { options, uidMappings, gidMappings });
    assert.equal(mapped.stdout, '1005:2006\n', mapped.stderr);
    // On the mount they are the machine's, of which the container has those from firstId on.
    const outside = remapped.linux.uidMappings![0]!.hostID;
    const inside = { uidMappings: ids(outside + 1), gidMappings: ids(outside + 2) };
    assert.equal(run(owner, { options, ...inside }, remapped).stdout, '6:8\n');
  });

test('a bind without a mapping of its own has that of the container', () => {
  assert.equal(run(owner, { options: ['bind', 'idmap'] }, remapped).stdout, '5:6\n');
});

test('tmpcopyup: a tmpfs begins with what the root has there, also one that cannot be written', () => {
  const script =
    'cat /var/data/seed; stat -c %a:%u /var/data/deep/one; readlink /var/data/link; touch /var/data/x || echo kept';
  mkdirSync(bench.inRoot('var/data/deep'), { recursive: true });
  writeFileSync(bench.inRoot('var/data/deep/one'), '', { mode: 0o640 });
  chownSync(bench.inRoot('var/data/deep/one'), 7, 7);
  symlinkSync('seed', bench.inRoot('var/data/link'));
  const of = (options: string[]) =>
    run(script, { destination: '/var/data', type: 'tmpfs', source: 'tmpfs', options });
  assert.equal(of(['tmpcopyup']).stdout, 'from the image\n640:7\nseed\n');
  assert.equal(of(['tmpcopyup', 'ro']).stdout, 'from the image\n640:7\nseed\nkept\n');
  assert.equal(existsSync(bench.inRoot('var/data/x')), false);
});

test('a new file system takes recursive options too', () => {
  const mount = { type: 'tmpfs', source: 'tmpfs', options: ['rro', 'rnosuid'] };
  const { stdout } = run("grep ' /mnt ' /proc/self/mountinfo | cut -d' ' -f6", mount);
  assert.match(stdout, /^ro,nosuid/);
});

test('copy-symlink: a link instead of what it leads to, and only where nothing else is', () => {
  const link = join(source, 'link');
  symlinkSync('../nowhere', link);
  const options = ['rbind', 'copy-symlink'];
  const of = (destination: string) =>
    run(`readlink ${destination}`, { destination, source: link, options });
  assert.equal(of('/made/for/it').stdout, '../nowhere\n');
  assert.equal(of('/made/for/it').stdout, '../nowhere\n');
  assert.match(of('/etc/passwd').stderr, /cannot mount .* on \/etc\/passwd.*EEXIST/);
  assert.match(of('/proc/stat').stderr, /cannot be a link/);
  // No link: a bind as any other.
  assert.equal(run('ls /mnt/file', { options }).stdout, '/mnt/file\n');
});

const refused: [string, Partial<OciMount>, RegExp][] = [
  ['ids of nobody', { options: ['bind', 'idmap'] }, /is ID-mapped: give its uidMappings/],
  [
    'half a mapping',
    { options: ['bind'], uidMappings: ids(1) },
    /give uidMappings and gidMappings/,
  ],
  [
    'ids of a new file system',
    { type: 'tmpfs', uidMappings: ids(1), gidMappings: ids(1) },
    /ids cannot be mapped/,
  ],
];

for (const [name, mount, message] of refused)
  test(`refused: ${name}`, () => {
    const { status, stderr } = run('true', mount);
    assert.equal(status, 1);
    assert.match(stderr, message);
  });
