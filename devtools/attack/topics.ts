/** Runs the probe program in a default container: as its first process, in an exec, and as another user. */
import { patienceMs } from '../../agent/e2e/patience.ts';
import type { EngineClient } from '../peers/engine-client.ts';
import { callFindings } from './calls.ts';
import { type Finding, parseLine } from './finding.ts';
import { probeInside, withContainer } from './target-container.ts';

/** The topics of devtools/attack/probes/main.c; each is a group of attacks. */
export const topics = [
  'files',
  'devices',
  'sockets',
  'mounts',
  'namespaces',
  'kernel',
  'processes',
  'cgroups',
] as const;

/** Attacks of these topics need no capability, so they are repeated as another user. */
const userTopics = ['files', 'sockets', 'namespaces', 'kernel', 'processes', 'cgroups'];
const execTopics = ['processes', 'mounts', 'kernel'];

export async function attackTopic(client: EngineClient, topic: string): Promise<Finding[]> {
  const findings = await runProbes(client, topic);
  if (userTopics.includes(topic))
    findings.push(...(await runProbes(client, topic, 'user: ', { User: '1000:1000' })));
  if (execTopics.includes(topic)) findings.push(...(await execProbes(client, topic)));
  return findings;
}

async function runProbes(
  client: EngineClient,
  topic: string,
  prefix = '',
  settings: object = {},
): Promise<Finding[]> {
  const output = await withContainer(
    client,
    { Cmd: [probeInside, topic], ...settings },
    (container) => container.run(),
  );
  return parse(topic, prefix, output);
}

async function execProbes(client: EngineClient, topic: string): Promise<Finding[]> {
  return withContainer(client, { Cmd: ['sleep', '1000'] }, async (container) => {
    await container.start();
    return parse(topic, 'exec: ', await container.exec([probeInside, topic]));
  });
}

export async function attackTerminal(client: EngineClient): Promise<Finding[]> {
  const settings = { Cmd: [probeInside, 'terminal'], Tty: true, OpenStdin: true };
  return withContainer(client, settings, async (container) => {
    await container.start();
    await container.wait();
    return parse('terminal', '', await container.screen());
  });
}

export async function attackCalls(client: EngineClient): Promise<Finding[]> {
  const { filtered, unfiltered } = await runCalls(client);
  return callFindings(filtered, unfiltered);
}

/** Tries all system calls, and again without a seccomp filter to see the kernel's own answers. */
export async function runCalls(client: EngineClient) {
  // It runs about 1,900 processes in sequence, and some of them wait until they are killed.
  const run = (settings: object) =>
    withContainer(client, { Cmd: [probeInside, 'calls'], ...settings }, (container) =>
      container.run(5 * patienceMs),
    );
  return {
    filtered: await run({}),
    unfiltered: await run({ HostConfig: { SecurityOpt: ['seccomp=unconfined'] } }),
  };
}

function parse(topic: string, prefix: string, output: string): Finding[] {
  const lines = output.split('\n').filter((line) => line !== '');
  if (lines.length === 0) throw new Error(`the probes of "${topic}" wrote nothing`);
  return lines.map((line) => parseLine(topic, prefix, line));
}
