/**
 * `meter.ts SECONDS ADDRESS SOCKET`: asks a neighbour (HTTP at ADDRESS) and an engine (at its SOCKET)
 * in turn for SECONDS, or until SIGTERM, and prints how long each answer took, as a `Reading`. A program of its own,
 * since it has to stand in the engine's network namespace.
 */
import { Agent, get, type RequestOptions } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Reading {
  /** Milliseconds of each request; one without an answer counts as `patienceMs`. */
  neighbourMs: number[];
  apiMs: number[];
  /** How many had no answer. */
  neighbourFailures: number;
  apiFailures: number;
}

export const patienceMs = 2000;
const neighbourPauseMs = 10;
const apiPauseMs = 20;
/** The meter's own code has to be compiled before it counts. */
const warmUps = 20;

if (import.meta.main) {
  let isStopped = false;
  process.once('SIGTERM', () => {
    isStopped = true;
  });
  const [seconds = '', address = '', socketPath = ''] = process.argv.slice(2);
  const neighbour = { host: address, port: 80, path: '/index.html', agent: false };
  const agent = new Agent({ keepAlive: true });
  const api = { socketPath, path: '/v1.41/containers/json', headers: { host: 'engine' }, agent };
  for (let count = 0; count < warmUps; count++) await Promise.all([ask(neighbour), ask(api)]);
  const end = Date.now() + Number(seconds) * 1000;
  const hasEnded = () => isStopped || Date.now() >= end;
  const [neighbourMs, apiMs] = await Promise.all([
    repeat(neighbour, neighbourPauseMs, hasEnded),
    repeat(api, apiPauseMs, hasEnded),
  ]);
  const failures = (times: number[]) => times.filter((time) => time === patienceMs).length;
  const reading: Reading = {
    neighbourMs,
    apiMs,
    neighbourFailures: failures(neighbourMs),
    apiFailures: failures(apiMs),
  };
  process.stdout.write(JSON.stringify(reading), () => process.exit(0));
}

async function repeat(
  options: RequestOptions,
  pauseMs: number,
  hasEnded: () => boolean,
): Promise<number[]> {
  const times: number[] = [];
  while (!hasEnded()) {
    const begin = process.hrtime.bigint();
    const answered = await ask(options);
    times.push(answered ? Number(process.hrtime.bigint() - begin) / 1e6 : patienceMs);
    await sleep(pauseMs);
  }
  return times;
}

function ask(options: RequestOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = get({ ...options, signal: AbortSignal.timeout(patienceMs) }, (response) => {
      response.resume();
      response.on('error', () => resolve(false));
      response.on('end', () => resolve(response.complete && response.statusCode === 200));
    });
    outgoing.on('error', () => resolve(false));
  });
}
