/** What `inspect`, `ps` and `stats` show. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerState } from '../../contract/container.ts';
import { dockerdInspectKeys } from '../testdata/dockerd-keys.ts';
import { emptyUsage, settingsOf, viewOf } from '../testdata/views.ts';
import { inspectDocument } from './inspect.ts';
import { goFileMode } from './path-stat.ts';
import { emptyStats, statsDocument } from './stats.ts';
import { humanDuration, statusText } from './status-text.ts';
import { summaryDocument } from './summary.ts';

const noImage = () => undefined;

test('inspect names no log file: ours is not the JSON that its readers expect', () => {
  assert.equal(inspectDocument(viewOf({}), noImage).LogPath, '');
});

test('inspect has every field that dockerd 26.1.5 has', () => {
  const endpoint = {
    networkId: 'n1',
    networkName: 'bridge',
    endpointId: 'e1',
    ipv4Address: '172.17.0.2',
    prefixLength: 16,
    gateway: '172.17.0.1',
    macAddress: '02:42:ac:11:00:02',
    aliases: [],
  };
  const document = inspectDocument(viewOf({ networks: [endpoint] }), noImage);
  const keys = new Set(keysOf(document));
  assert.deepEqual(
    dockerdInspectKeys.filter((key) => !keys.has(key)),
    [],
  );
});

test('inspect: image defaults show through, the container wins', () => {
  const view = viewOf({ settings: settingsOf({ labels: { tier: 'mine' }, args: ['10'] }) });
  const { Config } = inspectDocument(view, () => ({
    Labels: { tier: 'image', other: 'x' },
    Entrypoint: ['sleep'],
    ExposedPorts: { '80/tcp': {} },
    StopSignal: 'SIGQUIT',
  }));
  assert.deepEqual(Config?.Labels, { tier: 'mine', other: 'x' });
  assert.deepEqual([Config?.Entrypoint, Config?.Cmd], [['sleep'], ['10']]);
  assert.deepEqual(Config?.ExposedPorts, { '80/tcp': {} });
  assert.equal(Config?.StopSignal, 'SIGQUIT');
});

test('inspect: limits are those of now, not those of the create request', () => {
  const view = viewOf({
    settings: settingsOf({
      limits: { cpu: { quotaMicros: 50_000, periodMicros: 100_000 }, memory: { maxBytes: 7e6 } },
    }),
    origin: { config: {}, hostConfig: { Memory: 64e6, NanoCpus: 1e9 }, networkingConfig: {} },
  });
  const { HostConfig } = inspectDocument(view, noImage);
  assert.deepEqual([HostConfig?.Memory, HostConfig?.NanoCpus, HostConfig?.CpuQuota], [7e6, 5e8, 0]);
});

test('inspect: a user namespace of its own is named, whoever asked for it', () => {
  const modeOf = (user: 'auto' | 'host', UsernsMode?: string) => {
    const { namespaces } = settingsOf({});
    const view = viewOf({
      settings: settingsOf({ namespaces: { ...namespaces, user } }),
      origin: { config: {}, hostConfig: { UsernsMode }, networkingConfig: {} },
    });
    return inspectDocument(view, noImage).HostConfig?.UsernsMode;
  };
  assert.deepEqual([modeOf('auto'), modeOf('host', 'host'), modeOf('host')], ['auto', 'host', '']);
});

test('inspect: published ports only while the container is up', () => {
  const ports = [
    { containerPort: 80, protocol: 'tcp' as const, hostAddress: '0.0.0.0', hostPort: 8080 },
    { containerPort: 81, protocol: 'tcp' as const },
  ];
  const running = viewOf({ ports });
  assert.deepEqual(inspectDocument(running, noImage).NetworkSettings?.Ports, {
    '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }],
    '81/tcp': null,
  });
  const exited = viewOf({ ports, state: { ...running.state, status: 'exited' } });
  assert.deepEqual(inspectDocument(exited, noImage).NetworkSettings?.Ports, {});
});

test('inspect: health appears only with a health check', () => {
  const view = viewOf();
  assert.equal('Health' in (inspectDocument(view, noImage).State ?? {}), false);
  view.state.health = { status: 'healthy', failingStreak: 0, log: [] };
  assert.equal(inspectDocument(view, noImage).State?.Health?.Status, 'healthy');
});

test('ps: the words of every state', () => {
  const now = new Date('2026-01-02T03:06:06Z');
  const state = (changes: Partial<ContainerState>): string =>
    statusText(
      { ...viewOf().state, finishedAt: new Date('2026-01-02T03:06:03Z'), ...changes },
      now,
    );
  assert.equal(state({}), 'Up 2 minutes');
  assert.equal(
    state({ health: { status: 'starting', failingStreak: 0, log: [] } }),
    'Up 2 minutes (health: starting)',
  );
  assert.equal(state({ status: 'paused' }), 'Up 2 minutes (Paused)');
  assert.equal(state({ status: 'exited', exitCode: 137 }), 'Exited (137) 3 seconds ago');
  assert.equal(state({ status: 'restarting', exitCode: 1 }), 'Restarting (1) 3 seconds ago');
  assert.equal(state({ status: 'created' }), 'Created');
  assert.equal(state({ status: 'removing' }), 'Removal In Progress');
  assert.equal(state({ status: 'dead' }), 'Dead');
});

test('ps: durations in the words of go-units', () => {
  const words: [seconds: number, text: string][] = [
    [0.4, 'Less than a second'],
    [1.9, '1 second'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [150, '2 minutes'],
    [3600, 'About an hour'],
    [3 * 3600, '3 hours'],
    [47 * 3600, '47 hours'],
    [72 * 3600, '3 days'],
    [15 * 86400, '2 weeks'],
    [70 * 86400, '2 months'],
    [800 * 86400, '2 years'],
  ];
  for (const [seconds, text] of words) assert.equal(humanDuration(seconds), text);
});

test('ps: the command line quotes only arguments with a space', () => {
  const view = viewOf({ process: { ...viewOf().process, path: 'sh', args: ['-c', 'echo hi'] } });
  assert.equal(summaryDocument(view, noImage, new Date()).Command, "sh -c 'echo hi'");
});

test('stats: two samples, and memory.stat as the kernel has it', () => {
  const first = emptyUsage();
  const second = emptyUsage({ systemCpuNanos: 3e9 });
  const document = statsDocument({ id: 'i', name: 'web' }, second, first);
  assert.deepEqual((document.memory_stats as { stats: unknown }).stats, { inactive_file: 500_000 });
  assert.equal((document.precpu_stats as Record<string, unknown>).system_cpu_usage, 2e9);
  assert.equal((document.cpu_stats as Record<string, unknown>).system_cpu_usage, 3e9);
  assert.equal(document.name, '/web');
  assert.deepEqual((document.blkio_stats as Record<string, unknown>).io_service_bytes_recursive, [
    { major: 8, minor: 0, op: 'read', value: 5 },
    { major: 8, minor: 0, op: 'write', value: 6 },
  ]);
  assert.equal(emptyStats({ id: 'i', name: 'web' }).read, '0001-01-01T00:00:00Z');
});

test('file modes in the bits of Go', () => {
  assert.equal(goFileMode(0o100644), 0o644);
  assert.equal(goFileMode(0o040755), 2147484141);
  assert.equal(goFileMode(0o041777), 2147484159 + 1048576);
  assert.equal(goFileMode(0o120777), 134218239);
  assert.equal(goFileMode(0o020666), 2 ** 26 + 2 ** 21 + 0o666);
  assert.equal(goFileMode(0o104755), 2 ** 23 + 0o755);
});

/** `Config`, `Config.Env`, …; what is inside free-form maps (labels, networks) is left out. */
function keysOf(document: unknown, path = ''): string[] {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return [];
  return Object.entries(document).flatMap(([key, value]) => {
    const name = path === '' ? key : `${path}.${key.replace(/^(none|bridge)$/, '*')}`;
    return [name, ...keysOf(value, name)];
  });
}
