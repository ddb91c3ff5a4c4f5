/** The whole agent of an ordinary user on a Debian with systemd, as that user logs in and out. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { type Desktop, startDesktop } from '../../devtools/desktop-tests/desktop.ts';
import type { AbilityName, MachineAbilities } from '../contract/abilities.ts';
import { ask, type DockerCli, dockerCli, eventually } from './agent-process.ts';
import { limitsSuite } from './limits.suite.ts';

const image = 'corten/starter';
const run = '/run/user/1000/corten';
const scopes =
  '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/corten-*.scope';
let desktop: Desktop;
let socket: string;
let docker: DockerCli;
before(async () => {
  // scripts/agent there looks whether this checkout is built.
  execFileSync('scripts/setup', ['start']);
  desktop = await startDesktop();
});
after(() => desktop?.stop());

const ann = (script: string) => desktop.run('ann', script);
const root = (script: string) => desktop.run('root', script);

/** Starts ann's agent and waits until it is ready, or rejects with its last words. */
async function startAgent(launcher = ''): Promise<void> {
  await ann(`
cd /code
setsid ${launcher} scripts/agent >~/agent.log 2>&1 </dev/null &
until grep -q '"ready"' ~/agent.log; do kill -0 $! 2>/dev/null || { cat ~/agent.log >&2; exit 1; }; sleep 0.3; done`);
  socket = await desktop.forward('ann', `${run}/docker.sock`);
  docker = dockerCli(socket);
}

const agentPid = "$(cut -d' ' -f1 /run/user/1000/corten/agent.lock)";
const endAgent = (signal = 'TERM') =>
  ann(`pid=${agentPid}; kill -${signal} "$pid"; while [ -d "/proc/$pid" ]; do sleep 0.2; done`);

async function missing(): Promise<Map<AbilityName, string>> {
  const { body } = await ask<MachineAbilities>(socket, 'GET', '/corten/v1/machine/abilities');
  return new Map(
    body.abilities.flatMap((one) =>
      one.available ? [] : [[one.name, `${one.cause} ${one.nextStep}`] as const],
    ),
  );
}

test('an agent that cannot start says what is missing, and how to get it', async () => {
  const refused = async (breakIt: string, mendIt: string, expected: RegExp) => {
    await root(breakIt);
    try {
      await assert.rejects(startAgent(), expected);
    } finally {
      await root(mendIt);
    }
  };
  await refused(
    'cp /etc/subuid /etc/subuid.kept; : >/etc/subuid',
    'mv /etc/subuid.kept /etc/subuid',
    /\/etc\/subuid gives ann 0 ids.*usermod --add-subuids/s,
  );
  await refused(
    'chmod u-s /usr/bin/newuidmap; setcap -r /usr/bin/newuidmap 2>/dev/null || :',
    'chmod u+s /usr/bin/newuidmap',
    /newuidmap refused.*set-user-id root/s,
  );
  await refused(
    'sysctl -qw kernel.unprivileged_userns_clone=0',
    'sysctl -qw kernel.unprivileged_userns_clone=1',
    /the kernel refused a user namespace \(EPERM\).*unprivileged_userns_clone=1/s,
  );
  await refused(
    'sysctl -qw user.max_user_namespaces=0',
    'sysctl -qw user.max_user_namespaces=15000',
    /the kernel refused a user namespace \(ENOSPC\).*max_user_namespaces=15000/s,
  );
});

test('a login is enough: systemd hands it a control group; what is missing is told', async () => {
  await startAgent();
  const memberships = await ann(`cat /proc/${agentPid}/cgroup`);
  assert.match(memberships, /\/user@1000\.service\/app\.slice\/corten-\w+\.scope\/corten-init$/);
  const told = await missing();
  assert.match(told.get('limits') ?? '', /No limits of io, cpuset:.*user@\.service\.d/);
  assert.match(told.get('after-logout') ?? '', /loginctl enable-linger/);
  const unexpected = ['outside-network', 'pause'] as const;
  assert.deepEqual(
    unexpected.filter((name) => told.has(name)),
    [],
  );
});

test('a limit that was handed down holds, and one that was not is refused', async () => {
  const inMemory = ['--network', 'none', '-m', '64m', '--memory-swap', '64m'];
  const eat = 'dd if=/dev/zero of=/dev/shm/all bs=1M count=60; x=a; while :; do x=$x$x; done';
  const hog = await docker('run', '--name', 'hog', ...inMemory, image, 'sh', '-c', eat);
  assert.equal(hog.code, 137, hog.stderr);
  assert.equal(await docker.output('inspect', '-f', '{{.State.OOMKilled}}', 'hog'), 'true');
  const pinned = await docker('run', '--rm', '--cpuset-cpus', '0', image, 'true');
  assert.match(pinned.stderr, /no cpuset controller.*Delegate=/);
  await docker.output('rm', 'hog');
});

test('a container reaches the machine’s network by pasta', async () => {
  await root(
    'ip address add 192.0.2.1/32 dev lo; mkdir -p /tmp/page; echo found >/tmp/page/index.html',
  );
  await root('systemd-run --quiet --unit=page busybox httpd -f -p 192.0.2.1:8080 -h /tmp/page');
  const get = ['run', '--rm', image, 'wget', '-qO-', 'http://192.0.2.1:8080/index.html'];
  await eventually(async () => assert.equal(await docker.output(...get), 'found'));
});

test('an agent that was killed is followed by one in the same group, from another login', async () => {
  // Without polkit, as here, a user may not do it alone.
  await root('loginctl enable-linger ann');
  await docker.output(
    'run',
    '-d',
    '--name',
    'kept',
    '-m',
    '64m',
    '--network',
    'none',
    image,
    'sleep',
    '9999',
  );
  await endAgent('KILL');
  await desktop.logOut('ann');
  await startAgent();
  assert.equal((await missing()).has('after-logout'), false);
  assert.equal(await docker.output('exec', 'kept', 'echo', 'adopted'), 'adopted');
  await docker.output('update', '-m', '96m', '--memory-swap', '96m', 'kept');
  const id = await docker.output('inspect', '-f', '{{.Id}}', 'kept');
  assert.equal(await ann(`cat ${scopes}/corten-*/${id}/memory.max`), String(96 * 1024 ** 2));
  assert.equal(await ann(`ls -d ${scopes} | wc -l`), '1');
  assert.match(await docker.output('top', 'kept'), /sleep 9999/);
});

test('without lingering a logout ends all of it, as was told', async () => {
  await root('loginctl disable-linger ann');
  await desktop.logOut('ann');
  await root(
    'until [ "$(systemctl is-active user@1000.service || :)" = inactive ]; do sleep 0.5; done',
  );
  assert.equal(await root('pgrep -u ann -a || :'), '');
});

test('without a login of its own there is no group: limits are refused with the reason', async () => {
  // As `su` in another's login: no session of systemd's.
  await root(`
rm -rf /home/ann/.local/share/corten
setsid setpriv --reuid ann --regid ann --clear-groups env HOME=/home/ann XDG_RUNTIME_DIR= \\
  /code/scripts/agent --run /home/ann/run >/home/ann/su.log 2>&1 </dev/null &
until grep -q '"ready"' /home/ann/su.log; do kill -0 $!; sleep 0.3; done`);
  const told = await root('head -1 /home/ann/su.log');
  assert.match(told, /was not handed over to you: your systemd was asked for one and refused/);
  assert.match(told, /log in at the machine or by ssh/);
  await root(`kill "$(cut -d' ' -f1 /home/ann/run/agent.lock)"`);
});

test('what is told about missing controllers brings them, after a restart of the machine', async () => {
  await startAgent();
  const told = (await missing()).get('limits') ?? '';
  const [, command = ''] = /As root, run: (.*); then restart the machine\./.exec(told) ?? [];
  await endAgent();
  await eventually(async () => assert.equal(await ann(`ls -d ${scopes} 2>/dev/null || :`), ''));
  await root(command);
  await desktop.reboot();
  await startAgent();
  assert.equal((await missing()).has('limits'), false);
});

limitsSuite(async () => ({
  socket,
  device: '/dev/vda',
  discard: async () => void (await endAgent()),
}));

test('scripts/start serves the app to ann, with the engine that runs', async () => {
  const ready = await ann(`
cd /code
setsid scripts/start --no-open >~/start.log 2>&1 </dev/null &
until grep -q '^ready ' ~/start.log; do kill -0 $! 2>/dev/null || { cat ~/start.log >&2; exit 1; }; sleep 0.3; done
url=$(sed -n 's/^ready //p' ~/start.log)
curl -sS -o /dev/null -w '%{http_code}' "$url"
kill $!`);
  assert.match(ready, /^[23]\d\d$/);
});
