/** Where in a container's control group an exec goes. The guest's tests have a machine with v2. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeControl } from '../cgroup/control-file.ts';
import { OciBench } from './testdata/bench.ts';

const bench = new OciBench();
after(() => bench.close());

/** A group below the container's, in each hierarchy. */
function makeGroupBelow(id: string, name: string): void {
  for (const [, directory] of bench.cgroupPaths(id)) {
    mkdirSync(join(directory, name));
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (existsSync(join(directory, name, file)) && existsSync(join(directory, 'tasks')))
        writeControl(join(directory, name), file, readFileSync(join(directory, file), 'utf8'));
  }
}

test('--cgroup: a group that the container has made, and none above', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  bench.create(bundle);
  bench.ok('start', bundle.id);
  makeGroupBelow(bundle.id, 'own');
  const look = [bundle.id, 'cat', '/proc/self/cgroup'];
  assert.match(bench.ok('exec', '--cgroup', '/own', ...look), /:(pids)?:\/own$/m);
  const { stderr } = bench.oci('exec', '--cgroup=../..', ...look);
  assert.match(stderr, /"\.\.\/\.\." is not below the container's control group/);
  bench.ok('delete', '--force', bundle.id);
});

const hasV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');

test('a container that hands controllers down itself, as systemd does, takes an exec', {
  skip: !hasV2,
}, () => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  bench.create(bundle);
  bench.ok('start', bundle.id);
  const { pid: first } = JSON.parse(bench.ok('state', bundle.id));
  makeGroupBelow(bundle.id, 'init.scope');
  const directory = bench.cgroupPaths(bundle.id).get('') ?? '';
  writeControl(join(directory, 'init.scope'), 'cgroup.procs', first);
  writeControl(directory, 'cgroup.subtree_control', '+pids');
  const out = bench.ok('exec', bundle.id, 'cat', '/proc/self/cgroup');
  assert.equal(out, '0::/init.scope\n');
  bench.ok('delete', '--force', bundle.id);
});
