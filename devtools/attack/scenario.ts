/** An attack that takes an engine's part: containers, copies and images, and a place outside. */
import type { EngineClient } from '../peers/engine-client.ts';
import { TimeoutError } from '../peers/timeout.ts';
import type { Finding } from './finding.ts';
import { HostCanary } from './host-canary.ts';

export interface Scenario {
  /** With the incident that it repeats. */
  name: string;
  /** What got through, in words; undefined: nothing. */
  run(client: EngineClient, canary: HostCanary): Promise<string | undefined>;
}

/** The attack did not get as far as its point, so that nothing can be said. */
export class NotTriedError extends Error {}

export async function runScenarios(
  group: string,
  scenarios: Scenario[],
  client: EngineClient,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name, run } of scenarios) {
    const canary = new HostCanary();
    try {
      const got = await run(client, canary);
      findings.push({
        group,
        probe: name,
        outcome: got === undefined ? 'held' : 'open',
        detail: got ?? '',
      });
    } catch (error) {
      const { message: detail } = error as Error;
      // That an engine can be made to wait for ever is what some of them try.
      if (error instanceof TimeoutError)
        findings.push({ group, probe: name, outcome: 'open', detail });
      else if (error instanceof NotTriedError)
        findings.push({ group, probe: name, outcome: 'none', detail });
      else throw new Error(`"${name}"`, { cause: error });
    } finally {
      canary.remove();
    }
  }
  return findings;
}

/** The error's message where an engine refuses, which most attacks hope to hear; a timeout goes on. */
export async function refusal(attempt: Promise<unknown>): Promise<string | undefined> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    if (error instanceof TimeoutError) throw error;
    return (error as Error).message;
  }
}
