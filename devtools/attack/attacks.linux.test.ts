/**
 * The attacks of scripts/attack on Corten alone, compared with the reviewed lists in testdata. docs/attack.md has the
 * comparison with dockerd.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  discardAgent,
  makeAgentDirectory,
  startAgent,
} from '../../agent/e2e/agent-process.ts';
import { connectEngine, type EngineClient } from '../peers/engine-client.ts';
import { callIntentions, isAsMeant, parseCalls } from './calls.ts';
import { copies } from './copies.ts';
import type { Finding } from './finding.ts';
import { incidents } from './incidents.ts';
import { races } from './races.ts';
import { runScenarios } from './scenario.ts';
import { settings } from './settings.ts';
import { attackTerminal, attackTopic, runCalls, topics } from './topics.ts';

let agent: AgentProcess;
let client: EngineClient;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  client = connectEngine(agent.socket);
});
after(async () => {
  client.close();
  await discardAgent(agent);
});

const mayBeOpen = readFileSync(join(import.meta.dirname, 'testdata/open.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('*'));

function matches(name: string, [start = '', ...rest]: string[]): boolean {
  if (rest.length === 0) return name === start;
  return name.startsWith(start) && name.endsWith(rest.join('*'));
}

function openBeyondReview(findings: Finding[]): Finding[] {
  return findings
    .filter(({ outcome }) => outcome === 'open')
    .filter(({ group, probe }) => {
      const name = `${group} ${probe.replace(/^(user|exec): /, '')}`;
      return !mayBeOpen.some((pattern) => matches(name, pattern));
    });
}

for (const topic of topics)
  test(`attacks: nothing of "${topic}" is open but what was reviewed`, async () => {
    const findings = await attackTopic(client, topic);
    assert.ok(findings.length > 20, `${findings.length} probes`);
    assert.deepEqual(openBeyondReview(findings), []);
  });

test('attacks: with a user namespace nothing more is open', async () => {
  const remapping = await startAgent(makeAgentDirectory(), ['--userns-remap']);
  const clientOfIt = connectEngine(remapping.socket);
  try {
    for (const topic of topics)
      assert.deepEqual(openBeyondReview(await attackTopic(clientOfIt, topic)), [], topic);
  } finally {
    clientOfIt.close();
    await discardAgent(remapping);
  }
});

test('attacks: nothing of a terminal is open but what was reviewed', async () => {
  const findings = await attackTerminal(client);
  assert.equal(findings.length, 5);
  assert.deepEqual(openBeyondReview(findings), []);
});

const known = process.arch === 'x64';
test('attacks: each system call is let through or not as it was meant', {
  skip: known ? false : 'the reviewed list is of x64',
}, async () => {
  const { filtered, unfiltered } = await runCalls(client);
  const intentions = callIntentions();
  const bare = new Map(
    parseCalls(unfiltered)
      .filter(({ way }) => way === 'native')
      .map(({ number, answer }) => [number, answer]),
  );
  const wrong = parseCalls(filtered)
    .filter(({ way }) => way === 'native')
    .filter(
      ({ number, answer }) =>
        !isAsMeant(answer, intentions.get(number) ?? 'refused', bare.get(number)),
    );
  assert.deepEqual(wrong, []);
  const reachedOtherwise = parseCalls(filtered)
    .filter(({ way, answer }) => way !== 'native' && answer === 'reached')
    .map(({ way, number }) => `${way} ${number}`);
  assert.deepEqual(reachedOtherwise, []);
  // The probe itself works: without a filter it reaches the kernel.
  const reached = parseCalls(unfiltered).filter(({ answer }) => answer === 'reached').length;
  assert.ok(reached > 300, `${reached} calls reached without a filter`);
});

for (const scenario of [...incidents, ...settings, ...copies, ...races])
  test(`attacks: ${scenario.name}`, async () => {
    const [finding] = await runScenarios('attacks', [scenario], client);
    assert.ok(finding);
    assert.equal(finding.outcome, 'held', finding.detail);
  });
