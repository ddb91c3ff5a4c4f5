/** Mounts of a config.json that the engine does not ask for. */
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
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

const refused: [string, Partial<OciMount>, RegExp][] = [
  ['ids of nobody', { options: ['bind', 'idmap'] }, /is to have other ids: give its uidMappings/],
  [
    'half a mapping',
    { options: ['bind'], uidMappings: ids(1) },
    /give uidMappings and gidMappings/,
  ],
  ['ids of a new file system', { type: 'tmpfs', options: ['idmap'] }, /ids cannot be mapped/],
];

for (const [name, mount, message] of refused)
  test(`refused: ${name}`, () => {
    const { status, stderr } = run('true', mount);
    assert.equal(status, 1);
    assert.match(stderr, message);
  });
