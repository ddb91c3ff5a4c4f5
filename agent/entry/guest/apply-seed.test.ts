import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seedDisk } from '../../contract/machine-seed.ts';
import { applySeed } from './apply-seed.ts';
import { dataDiskMounted, findDisk, findPort } from './devices.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-seed-'));
after(() => rmSync(directory, { recursive: true }));
const at = (path: string) => join(directory, path);
const places = { hostname: at('hostname'), etc: at('etc'), zones: at('zones') };
for (const path of ['etc', 'zones/Europe']) mkdirSync(at(path), { recursive: true });
writeFileSync(at('zones/Europe/Berlin'), 'TZif');

function apply(change: object): readonly string[] {
  const seed = {
    version: 1 as const,
    hostname: 'one',
    hostKey: 'PRIVATE',
    authorizedKeys: ['first', 'second'],
    ...change,
  };
  writeFileSync(at('disk'), seedDisk(seed));
  const zone = process.env.TZ;
  try {
    return applySeed(at('disk'), at('root'), places);
  } finally {
    // The process of the tests keeps its own hours.
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
}

test('name, keys, hours and arguments lie where they are looked for', () => {
  const rest = apply({ timeZone: 'Europe/Berlin', agentArguments: ['--machine'] });
  assert.deepEqual(rest, ['--machine']);
  assert.equal(readFileSync(at('hostname'), 'utf8'), 'one');
  assert.match(readFileSync(at('etc/hosts'), 'utf8'), /^127\.0\.1\.1 one$/m);
  assert.equal(readFileSync(at('root/ssh/host_ed25519'), 'utf8'), 'PRIVATE');
  assert.equal(statSync(at('root/ssh/host_ed25519')).mode & 0o777, 0o600);
  assert.equal(readFileSync(at('root/ssh/authorized_keys'), 'utf8'), 'first\nsecond\n');
  assert.equal(readlinkSync(at('etc/localtime')), at('zones/Europe/Berlin'));
});

test('at the next start new keys take the place of the old', () => {
  apply({ hostKey: 'NEW', authorizedKeys: ['third'] });
  assert.equal(readFileSync(at('root/ssh/host_ed25519'), 'utf8'), 'NEW');
  assert.equal(readFileSync(at('root/ssh/authorized_keys'), 'utf8'), 'third\n');
});

test('a time zone that is no name leads nowhere', () => {
  apply({ timeZone: 'Europe/Berlin' });
  apply({ timeZone: '../../etc/passwd' });
  assert.equal(readlinkSync(at('etc/localtime')), at('zones/Europe/Berlin'));
});

test('disks and ports are found by name, and it is no error to have none', () => {
  for (const [path, text] of [
    ['block/vda/serial', 'corten-root'],
    ['block/vdb/serial', 'corten-seed'],
    ['block/loop0/size', '0'],
    ['ports/vport1p1/name', 'ssh.0\n'],
  ] as const) {
    mkdirSync(at(join(path, '..')), { recursive: true });
    writeFileSync(at(path), text);
  }
  assert.equal(findDisk('corten-seed', at('block')), '/dev/vdb');
  assert.equal(findDisk('corten-other', at('block')), undefined);
  assert.equal(findPort('ssh.0', at('ports')), '/dev/vport1p1');
  assert.equal(findPort('ssh.0', at('not-there')), undefined);
});

test('the agent waits for its data disk', async () => {
  let isMounted = false;
  const mounted = dataDiskMounted(at('mounted')).then(() => {
    assert.ok(isMounted, 'it did not wait');
  });
  await sleep(50);
  isMounted = true;
  writeFileSync(at('mounted'), '');
  await mounted;
});
