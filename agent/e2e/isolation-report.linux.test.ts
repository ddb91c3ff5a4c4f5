/** The isolation report against the truth: what the same container says from inside, and the kernel. */
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { IsolationReport } from '../contract/isolation.ts';
import type { MachineProcesses } from '../contract/processes.ts';
import {
  type AgentProcess,
  ask,
  type DockerCli,
  discardAgent,
  dockerCli,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

const image = 'corten/starter';
const limits = ['-m', '64m', '--cpus', '0.5', '--pids-limit', '50'];
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  docker = dockerCli(agent.socket);
});
after(() => discardAgent(agent));

async function get<T>(path: string, socketPath = agent.socket): Promise<T> {
  const { status, body } = await ask<T>(socketPath, 'GET', `/corten/v1${path}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

const report = (name: string) => get<IsolationReport>(`/containers/${name}/isolation`);
const warningsOf = ({ warnings }: IsolationReport) => warnings.map(({ id }) => id);

/** Runs until it is removed; more words are its command. */
async function run(name: string, options: string[], ...command: string[]): Promise<void> {
  const words = command.length > 0 ? command : ['sleep', '1000'];
  await docker.output('run', '-d', '--name', name, ...options, image, ...words);
}

async function inside(name: string, line: string): Promise<string> {
  return docker.output('exec', name, 'sh', '-c', line);
}

function held(of: IsolationReport, set: 'effective' | 'permitted' | 'bounding'): string {
  const order = of.capabilities.map(({ name }) => name);
  const mask = of.capabilities
    .filter(({ sets }) => sets.includes(set))
    .reduce((sum, { name }) => sum | (1n << BigInt(order.indexOf(name))), 0n);
  return mask.toString(16).padStart(16, '0');
}

test('a limited container: namespaces, credentials, limits and mounts are what is true inside', async () => {
  await run('plain', [...limits, '--ulimit', 'nofile=100:200', '--tmpfs', '/scratch']);
  const facts = await report('plain');
  assert.deepEqual([facts.source, facts.warnings], ['kernel', []]);

  for (const { type, insideId, hostId, scope } of facts.namespaces) {
    const file = { mount: 'mnt', network: 'net' }[type as string] ?? type;
    const link = await inside('plain', `readlink /proc/1/ns/${file}`);
    assert.match(link, new RegExp(`\\[${insideId}\\]$`), type);
    assert.match(readlinkSync(`/proc/self/ns/${file}`), new RegExp(`\\[${hostId}\\]$`), type);
    assert.equal(scope, ['user', 'time'].includes(type) ? 'host' : 'own', type);
  }

  const status = await inside('plain', 'cat /proc/1/status');
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1];
  assert.equal(held(facts, 'bounding'), field('CapBnd'));
  assert.equal(held(facts, 'effective'), field('CapEff'));
  assert.equal(held(facts, 'permitted'), field('CapPrm'));
  assert.deepEqual(
    facts.privileges.slice(0, 2).map(({ value, asked }) => [value, asked]),
    [
      ['on', 'on'],
      ['filter, default profile', 'default'],
    ],
  );
  assert.equal(facts.identity.uid, 0);
  assert.deepEqual(facts.identity.groups.map(String), field('Groups')?.trim().split(' '));

  const listed = (await inside('plain', 'cat /proc/1/mountinfo')).split('\n').map((line) => {
    const words = line.split(' ');
    return `${words[4]} ${words[5]?.split(',').includes('ro')}`;
  });
  assert.deepEqual(
    facts.mounts.filter(({ origin }) => origin === 'inside'),
    [],
  );
  assert.equal(facts.mounts.length, listed.length);
  for (const { target, readOnly } of facts.mounts.filter(({ type }) => type !== 'cgroup'))
    assert.ok(listed.includes(`${target} ${readOnly}`), `${target} ${readOnly}`);
  const scratch = facts.mounts.find(({ target }) => target === '/scratch');
  assert.deepEqual(
    [scratch?.origin, scratch?.noExec, scratch?.noSuid, scratch?.noDev],
    ['tmpfs', true, true, true],
  );

  const files = facts.resourceLimits.find(({ name }) => name === 'Max open files');
  assert.deepEqual([files?.soft, files?.hard, files?.asked], ['100', '200', true]);
});

test('limits are the kernel’s own files, in the group where the process is', async () => {
  const { controlGroup } = await report('plain');
  const values = new Map(
    controlGroup.controllers.flatMap(({ directory, values }) =>
      values.map(({ file, value }) => [file, { directory, value }] as const),
    ),
  );
  assert.ok(values.size > 5, 'no control files were found');
  for (const [file, { directory, value }] of values)
    assert.equal(readFileSync(`${directory}/${file}`, 'utf8').trimEnd(), value, file);
  const memory = values.get('memory.limit_in_bytes') ?? values.get('memory.max');
  assert.equal(memory?.value, String(64 * 1024 * 1024));
  const pid = await docker.output('inspect', '-f', '{{.State.Pid}}', 'plain');
  const membership = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  for (const { controller, membership: place } of controlGroup.controllers)
    if (controller !== 'cgroup') assert.ok(membership.includes(`:${place}\n`), controller);
});

test('limits of the disk and of the network are what the kernel holds it to, running or not', async () => {
  await docker.output(
    ...['run', '-d', '--name', 'held', '--storage-opt', 'size=32m', image, 'sleep', '1000'],
  );
  const network = { egressBytesPerSecond: 1_000_000, ingressBytesPerSecond: null };
  const limits = await ask(agent.socket, 'POST', '/corten/v1/containers/held/limits', { network });
  assert.equal(limits.status, 200);
  const told = async () =>
    (await report('held')).otherLimits.map(({ id, subject, values }) => [
      id,
      subject,
      Object.fromEntries(values.map(({ what, value }) => [what, value])),
    ]);
  const [disk, bridge] = await told();
  assert.equal(disk?.[0], 'other-limit.disk.limited');
  assert.partialDeepStrictEqual(disk?.[2], { maxBytes: 32 * 1024 * 1024 });
  assert.deepEqual(bridge, ['other-limit.network.limited', 'bridge', network]);
  await docker.output('stop', '-t', '0', 'held');
  assert.deepEqual((await told())[1], ['other-limit.network.limited', 'bridge', network]);
  await docker.output('rm', '-f', 'held');
});

test('what is hidden inside is what is called hidden', async () => {
  const { kernelPaths } = await report('plain');
  assert.ok(kernelPaths.some(({ state }) => state === 'masked'));
  assert.ok(kernelPaths.every(({ state, asked }) => state === asked || state === 'absent'));
  for (const { path, state } of kernelPaths) {
    const [found, device, entries] = (
      await inside(
        'plain',
        `[ -e ${path} ] && echo there || echo gone; stat -c %t:%T ${path} 2>/dev/null || echo -; ls -A ${path} 2>/dev/null | wc -l`,
      )
    ).split('\n');
    if (state === 'absent') assert.equal(found, 'gone', path);
    else assert.equal(found, 'there', path);
    if (state === 'masked') assert.ok(device === '1:3' || entries === '0', path);
  }
});

test('what is weaker is told with what it is about, and stopped containers with what would be', async () => {
  const own = agent.socket;
  await run('weak', [
    ...['--network', 'host', '--pid', 'host', '--cap-add', 'SYS_TIME', '-u', '1000:1000'],
    ...['-v', '/etc:/machine', '-v', '/usr:/programs:ro', '-v', `${own}:/var/run/docker.sock`],
  ]);
  const weak = await report('weak');
  const about = weak.warnings.map(({ id, subject }) => [id, subject]);
  for (const expected of [
    ['warning.host-network', 'network'],
    ['warning.host-pid', 'pid'],
    ['warning.capability', 'CAP_SYS_TIME'],
    ['warning.system-bind', '/machine'],
    ['warning.engine-socket', '/var/run/docker.sock'],
    // Of memory each leaves something to the others (docs/decisions/0019).
    ['warning.no-limits', 'CPU'],
  ])
    assert.ok(
      about.some(([id, subject]) => id === expected[0] && subject === expected[1]),
      `${expected}`,
    );
  assert.equal(about.length, 6);
  assert.deepEqual(
    weak.namespaces.filter(({ scope }) => scope === 'host').map(({ type }) => type),
    ['pid', 'network', 'user', 'time'],
  );
  assert.deepEqual(
    [weak.identity.uid, weak.identity.gid, weak.identity.id],
    [1000, 1000, 'identity.user'],
  );
  // Bounding only: another user than root holds nothing until a program gives it.
  const time = weak.capabilities.find(({ name }) => name === 'CAP_SYS_TIME');
  assert.deepEqual([time?.sets, time?.id], [['bounding'], 'capability.CAP_SYS_TIME.possible']);
  // The image has /var/run as a link: the mount is where that leads.
  const socket = weak.mounts.find(({ source }) => source === own);
  assert.deepEqual([socket?.origin, socket?.target], ['bind', '/run/docker.sock']);

  await docker.output('stop', '-t', '0', 'weak');
  const planned = await report('weak');
  assert.equal(planned.source, 'plan');
  assert.deepEqual(warningsOf(planned).toSorted(), warningsOf(weak).toSorted());
  assert.deepEqual(
    planned.capabilities.map(({ id }) => id),
    weak.capabilities.map(({ id }) => id),
  );
  assert.deepEqual(planned.controlGroup.controllers, []);
  assert.ok(planned.namespaces.every(({ insideId }) => insideId === undefined));
});

test('containers in one namespace are told of each other', async () => {
  await run('joined', ['--network', 'container:plain']);
  const network = (of: IsolationReport) => of.namespaces.find(({ type }) => type === 'network');
  const [one, other] = [network(await report('plain')), network(await report('joined'))];
  assert.deepEqual([one?.scope, other?.scope], ['shared', 'shared']);
  assert.equal(one?.insideId, other?.insideId);
  assert.deepEqual(
    one?.sharedWith.map(({ name }) => name),
    ['joined'],
  );
  assert.deepEqual(
    other?.sharedWith.map(({ name }) => name),
    ['plain'],
  );
});

test('privileged shows everything open, in one warning', async () => {
  await run('all', [...limits, '--privileged']);
  const all = await report('all');
  assert.deepEqual(warningsOf(all), ['warning.privileged']);
  assert.ok(all.devices.some(({ id }) => id === 'device.all'));
  assert.ok(all.kernelPaths.every(({ state }) => ['open', 'absent'].includes(state)));
  assert.deepEqual(
    all.privileges.slice(0, 2).map(({ value }) => value),
    ['off', 'none'],
  );
});

test('names of processes break no line and pose as nothing', async () => {
  // The kernel keeps 15 bytes: these pose as other fields, other lines, other processes.
  const names = [') R 1 1 (x', 'two\\nlines', 'CapBnd:\\t0', '((((', '\\033[31mred', '\\377\\376'];
  const loops = names
    .map((name) => `sh -c 'printf "${name}" > /proc/self/comm; sleep 1000; :' &`)
    .join(' ');
  await run('liar', limits, 'sh', '-c', `printf ') Z 0\\nUid:\\t7' > /proc/1/comm; ${loops} wait`);
  const shown = [') R 1 1 (x', 'two\nlines', 'CapBnd:\t0', '((((', '\u001b[31mred', '\ufffd\ufffd'];
  const liar = await docker.output('inspect', '-f', '{{.Id}} {{.State.Pid}}', 'liar');
  const [id, pid] = liar.split(' ');
  await eventually(async () => {
    const { groups } = await get<MachineProcesses>('/machine/processes');
    const group = groups.find(({ container }) => container?.id === id);
    assert.deepEqual(
      group?.processes.map(({ name }) => name).toSorted(),
      [...shown, ...names.map(() => 'sleep'), ') Z 0\nUid:\t7'].toSorted(),
    );
    // Whoever has the name, every process is where it belongs, under the parent that it has.
    const init = group?.processes.find((one) => one.pid === Number(pid));
    const shells = group?.processes.filter(({ name }) => shown.includes(name)) ?? [];
    assert.ok(shells.every(({ parentPid }) => parentPid === init?.pid));
    const machines = groups.find(({ container }) => container === undefined)?.processes ?? [];
    const shim = machines.find((one) => one.pid === init?.parentPid);
    assert.equal(shim?.servesContainer, id);
  });
  const facts = await report('liar');
  assert.deepEqual([facts.identity.uid, facts.warnings], [0, []]);
});

test('mounts with odd names are one mount each; masks that go are noticed', async () => {
  const places = [
    '/a b',
    '/t\\tb',
    '/two\\nlines',
    '/a - proc proc rw',
    '/back\\\\slash',
    '/#\\033[1m',
  ];
  const make = places
    .map((place) => `d="$(printf '${place}')"; mkdir -p "$d" && mount -t tmpfs 'o d d' "$d"`)
    .join(' && ');
  await run('mounter', [...limits, '--cap-add', 'SYS_ADMIN'], 'sh', '-c', `${make} && sleep 1000`);
  const made = places.map((place) => JSON.parse(`"${place.replaceAll('\\033', '\\u001b')}"`));
  await eventually(async () => {
    const facts = await report('mounter');
    assert.deepEqual(
      facts.mounts
        .filter(({ origin }) => origin === 'inside')
        .map(({ target, source, type }) => [target, source, type]),
      made.map((place) => [place, 'o d d', 'tmpfs']),
    );
    assert.deepEqual(warningsOf(facts), ['warning.capability']);
  });
  // A second procfs over the first one hides the masks, though they are all still in the list.
  await inside('mounter', 'mount -t proc proc /proc');
  const uncovered = await report('mounter');
  const [drift] = uncovered.warnings;
  assert.equal(drift?.id, 'warning.more-than-asked');
  assert.match(drift?.subject ?? '', /\/proc\/timer_list|\/proc\/interrupts|\/proc\/keys/);
  assert.match(drift?.subject ?? '', /\/proc\/sys\b/);
});

test('thousands of mounts are bounded, and counted', async () => {
  // Each bind of the whole doubles them, so that 2048 take eleven programs.
  const many =
    'mkdir /m && mount -t tmpfs t /m && for i in 1 2 3 4 5 6 7 8 9 10 11; do mkdir /m/$i && mount -o rbind /m /m/$i; done; sleep 1000';
  await run('many', [...limits, '--cap-add', 'SYS_ADMIN'], 'sh', '-c', many);
  await eventually(async () => {
    const { mounts, unlistedMounts } = await report('many');
    assert.equal(mounts.length, 1000);
    assert.ok(unlistedMounts > 500);
  });
});

test('a container that has just ended, and one that never was', async () => {
  await docker.output('rm', '-f', 'joined');
  await run('brief', [], 'true');
  await docker.output('wait', 'brief');
  assert.equal((await report('brief')).source, 'plan');
  await assert.rejects(report('nobody'), /No such container/);
});

test('every process that we see is in the picture once', async () => {
  const { groups, cpus, memoryBytes, usedMemoryBytes } =
    await get<MachineProcesses>('/machine/processes');
  const pids = groups.flatMap(({ processes }) => processes.map(({ pid }) => pid));
  assert.equal(new Set(pids).size, pids.length);
  assert.ok(pids.includes(agent.pid));
  assert.ok(cpus >= 1 && usedMemoryBytes > 0 && usedMemoryBytes < memoryBytes);
  const plain = groups.find(({ container }) => container?.name === 'plain');
  assert.equal(plain?.container?.limits.pids, 50);
  assert.ok((plain?.memoryBytes ?? 0) > 0 && (plain?.cpuNanos ?? 0) > 0);
});

test('where containers have users of their own: who root is outside, running or not', async () => {
  const remapped = await startAgent(makeAgentDirectory(), ['--userns-remap']);
  try {
    const cli = dockerCli(remapped.socket);
    const reportOf = (name: string) =>
      get<IsolationReport>(`/containers/${name}/isolation`, remapped.socket);
    const userOf = ({ namespaces, identity }: IsolationReport) => [
      namespaces.find(({ type }) => type === 'user')?.scope,
      ...[identity.id, identity.uid, identity.hostUid],
    ];
    await cli.output('run', '-d', '--name', 'box', ...limits, image, 'sleep', '1000');
    const pid = await cli.output('inspect', '-f', '{{.State.Pid}}', 'box');
    const [, inside, outside, count] =
      /^\s*(\d+)\s+(\d+)\s+(\d+)/.exec(readFileSync(`/proc/${pid}/uid_map`, 'utf8')) ?? [];
    const box = await reportOf('box');
    assert.deepEqual(userOf(box), ['own', 'identity.mapped-root', 0, Number(outside)]);
    assert.deepEqual(box.identity.uidMap[0], {
      ...{ inside: Number(inside), outside: Number(outside), count: Number(count) },
    });
    assert.deepEqual(warningsOf(box), []);
    assert.deepEqual(
      box.mounts.filter(({ origin }) => origin === 'inside').map(({ target }) => target),
      [],
    );
    await cli.output('stop', '-t', '0', 'box');
    assert.deepEqual(userOf(await reportOf('box')), userOf(box));

    await cli.output(
      'run',
      '-d',
      '--name',
      'root',
      '--userns=host',
      ...limits,
      image,
      'sleep',
      '1000',
    );
    const root = await reportOf('root');
    assert.deepEqual(userOf(root), ['host', 'identity.root', 0, 0]);
    assert.deepEqual(warningsOf(root), ['warning.host-user']);
  } finally {
    await discardAgent(remapped);
  }
});
