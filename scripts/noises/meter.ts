/**
 * `meter.ts SECONDS ADDRESS SOCKET`: asks a neighbour (HTTP at ADDRESS) and an engine (at its SOCKET)
 * in turn for SECONDS, or until SIGTERM, and prints how long each answer took, as a `Reading`. A program of its own,
 * since it has to stand in the engine's network namespace.
 */
import { execFileSync } from 'node:child_process';
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
/** Room for all that it allocates, so that it collects no garbage while it measures, and none in threads beside. */
export const meterHeap = ['--single-threaded-gc', '--min-semi-space-size=64'];

if (import.meta.main) {
  comeBeforeAll();
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

/**
 * At real-time priority: what it tells is how long they take, and not how long it waits itself. This thread
 * alone: those of V8 would take the neighbour's processor at that priority, which when it is quiet has another.
 */
function comeBeforeAll(): void {
  execFileSync('chrt', ['--fifo', '--pid', '1', `${process.pid}`]);
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
