/** An attack that uses the engine's API, with a directory of the host that it tries to reach. */
import type { EngineClient } from '../peers/engine-client.ts';
import { TimeoutError } from '../peers/timeout.ts';
import type { Finding } from './finding.ts';
import { HostCanary } from './host-canary.ts';

export interface Scenario {
  /** Includes the CVE number of the incident that it repeats. */
  name: string;
  /** Resolves to what it reached, in words. `undefined`: nothing. */
  run(client: EngineClient, canary: HostCanary): Promise<string | undefined>;
}

/** The attack failed before its decisive step, so it has no result. */
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
      // To make the engine wait for ever is the aim of some attacks.
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

/** Resolves to the message of the engine's refusal, or undefined without one. Rejects with a TimeoutError. */
export async function refusal(attempt: Promise<unknown>): Promise<string | undefined> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    if (error instanceof TimeoutError) throw error;
    return (error as Error).message;
  }
}
