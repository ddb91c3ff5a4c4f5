/** A remote host where systemd really runs: the engine is its service, comes back, and goes without a trace. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Desktop, startDesktop } from '../../../devtools/desktop-tests/desktop.ts';
import type { Bundle } from './install.ts';
import {
  connected,
  engine,
  isRunning,
  makeBundle,
  personAt,
  runContainer,
} from './testdata/person.ts';

let desktop: Desktop;
let bundle: Bundle;
let clean: string;
before(async () => {
  bundle = makeBundle();
  desktop = await startDesktop();
  clean = await traces();
});
after(() => desktop?.stop());

// An emulated machine is slow to answer.
const up = (user = 'root') =>
  connected(
    personAt(desktop, bundle, {
      address: { host: '127.0.0.1', port: desktop.port, user },
      timeoutMs: 300_000,
    }),
  );
const root = (script: string) => desktop.run('root', script);

/** All that an engine may leave: files, units, control groups, devices, mounts and processes. */
const traces = () =>
  root(`
{ set +e; find / -xdev -iname '*corten*' ! -path '/code*' ! -path '/var/over/*' ! -path '/home/*'
  find /run /tmp /sys/fs/cgroup -iname '*corten*' ! -path '/run/udev/*'
  find /etc/systemd ! -type d
  systemctl list-units --all --no-legend --plain '*corten*' | grep -v virtio
  ls /sys/class/net
  grep corten /proc/mounts | grep -v -e ' /code' -e virtio
  pgrep -a 'corten|node' | grep -v kworker
  nft list tables; } 2>/dev/null | sort`);

const unit = (property: string) =>
  root(`systemctl show -p ${property} --value corten-agent.service`);

test('a unit of systemd runs the engine, with control groups of its own that limit', async () => {
  const person = await up();
  assert.equal(await unit('ActiveState'), 'active');
  assert.equal(await unit('Delegate'), 'yes');
  assert.equal(await root('systemctl is-enabled corten-agent.service'), 'enabled');
  // Its disk is an ext4 without quotas, and its kernel older than the one that most tests run on.
  assert.match(await root('cat /proc/mounts'), /^\/dev\/loop\d+ \S+\/layers ext4 /m);
  await runContainer(person, 'hog', {
    Cmd: ['sh', '-c', 'x=aaaaaaaa; while :; do x=$x$x; done'],
    HostConfig: { Memory: 48 * 1024 ** 2, MemorySwap: 48 * 1024 ** 2 },
  });
  await engine(person, '/containers/hog/wait', {});
  const { State: ended } = await engine<{ State: { OOMKilled: boolean } }>(
    person,
    '/containers/hog/json',
  );
  assert.equal(ended.OOMKilled, true);
  // What was killed in there is nothing that systemd ends the service for.
  assert.equal(await unit('ActiveState'), 'active');
  assert.equal(await unit('NRestarts'), '0');
  await runContainer(person, 'web', { HostConfig: { RestartPolicy: { Name: 'always' } } });
  await runContainer(person, 'once');
  // The unit protects the engine from the OOM killer, and not what it runs.
  assert.equal(await root('cat /proc/$(pgrep -x sleep | head -1)/oom_score_adj'), '0');
  await person.machine.stop();
});

test('an engine that dies is started again, under containers that go on', async () => {
  const before = await unit('MainPID');
  const containers = await root('pgrep -x sleep | sort');
  await root(`kill -KILL ${before}`);
  await root(
    'until [ "$(systemctl show -p NRestarts --value corten-agent.service)" = 1 ]; do sleep 0.5; done',
  );
  const person = await up();
  assert.deepEqual(person.asked, []);
  assert.equal(await isRunning(person, 'web'), true);
  assert.equal(await root('pgrep -x sleep | sort'), containers);
  await person.machine.stop();
});

test('daemon-reload and a restart by hand do no container any harm', async () => {
  const containers = await root('pgrep -x sleep | sort');
  await root('systemctl daemon-reload && systemctl restart corten-agent.service');
  const person = await up();
  assert.equal(await root('pgrep -x sleep | sort'), containers);
  assert.equal(await isRunning(person, 'once'), true);
  await person.machine.stop();
});

test('after a reboot the engine is there by itself, and with it what restarts always', async () => {
  await desktop.reboot();
  await root('until systemctl -q is-active corten-agent.service; do sleep 0.5; done');
  const person = await up();
  assert.equal(await isRunning(person, 'web'), true);
  assert.equal(await isRunning(person, 'once'), false);
  await person.machine.stop();
});

test('a user with sudo removes it with all it has; nothing is left', async () => {
  const person = await up('carol');
  const { items, runningContainers } = await person.machine.footprint();
  assert.deepEqual(
    items.map(({ path }) => path),
    ['/opt/corten', '/etc/systemd/system/corten-agent.service', '/run/corten', '/var/lib/corten'],
  );
  assert.equal(runningContainers, 1);
  await person.machine.remove({ state: true });
  await desktop.logOut('carol');
  assert.equal(await traces(), clean);
  assert.equal(await root('systemctl --failed --no-legend --plain'), '');
});
