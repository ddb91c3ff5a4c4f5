/**
 * The stages `connect` and `engine`, for every machine: its SSH server listens, and perhaps has much
 * else to do. A slow one is waited for; one that stays silent is given up, and anybody may call it off.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine-client.ts';
import { HandshakeTimeout, HostKeyMismatch } from '../ssh/connection.ts';
import type { SshEndpoint } from '../ssh/endpoint.ts';
import { createSshLink, type SshLink } from '../ssh/link.ts';
import { calledOff, StageFailure } from './machine.ts';
import { tellingSlowness, unlessCalledOff } from './stage-timeout.ts';

export interface Patience {
  /** For each of the backend's stages, between two signs of life. */
  stageMs?: number;
  /** For a stage to undo what it had begun, once it is over. */
  graceMs?: number;
  connectMs?: number;
  engineMs?: number;
  /** For the first handshake; each further one gets twice as long as the one before. */
  handshakeMs?: number;
  slowAfterMs?: number;
}

export interface Arrival {
  patience?: Patience;
  signal: AbortSignal;
  note(text: string | undefined): void;
}

const defaultStageMs = 120_000;
const defaultHandshakeMs = 15_000;
/** Of handshakes that break off. */
const tries = 3;

/** Rejects with StageFailure. `loginAdvice`: what to do when the agent refuses the login. */
export async function connectTo(
  endpoint: SshEndpoint,
  loginAdvice: string,
  arrival: Arrival,
): Promise<SshLink> {
  const link = createSshLink(endpoint);
  const hangUp = () => link.close();
  arrival.signal.addEventListener('abort', hangUp);
  try {
    await tellingSlowness(handshakes(link, arrival), {
      ...arrival.patience,
      note: arrival.note,
      text: 'The machine has not let the app in yet. It is slow, and waited for.',
    });
    return link;
  } catch (error) {
    link.close();
    if (arrival.signal.aborted) throw calledOff();
    if (error instanceof StageFailure) throw error;
    throw new StageFailure(
      `The agent does not let the app in: ${(error as Error).message}`,
      loginAdvice,
      { cause: error },
    );
  } finally {
    arrival.signal.removeEventListener('abort', hangUp);
  }
}

/**
 * What an earlier session left under way can silence a new one on a serial line, or break it
 * (docs/vm-image.md), so that a second line may be answered where the first was not.
 */
async function handshakes(link: SshLink, { patience, signal }: Arrival): Promise<void> {
  const patienceMs = patience?.connectMs ?? defaultStageMs;
  const deadline = performance.now() + patienceMs;
  let triesLeft = tries;
  for (let ms = patience?.handshakeMs ?? defaultHandshakeMs; !signal.aborted; ms *= 2) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0)
      throw new StageFailure(
        `The agent accepts connections and has said nothing for ${patienceMs / 1000} s.`,
        tooBusy,
      );
    try {
      return await link.connect(Math.min(ms, leftMs));
    } catch (error) {
      if (error instanceof HandshakeTimeout) continue;
      if (isFinal(error) || --triesLeft === 0) throw error;
    }
  }
}

/** Who answered does not mean us, or is another. */
function isFinal(error: unknown): boolean {
  const { level } = error as { level?: string };
  return error instanceof HostKeyMismatch || level === 'client-authentication';
}

const tooBusy =
  'Start it again. If it stays so, the computer may be too busy: close other programs.';

/** Rejects with StageFailure, or with what the work rejects with. */
export async function firstAnswer(
  work: () => Promise<void>,
  { patience, signal, note }: Arrival,
): Promise<void> {
  const patienceMs = patience?.engineMs ?? defaultStageMs;
  const over = new AbortController();
  const tooLate = sleep(patienceMs, undefined, { signal: over.signal }).then(() => {
    throw new StageFailure(
      `The engine has not answered its first question in ${patienceMs / 1000} s.`,
      tooBusy,
    );
  });
  // When it is too late for this one, the race below is over.
  tooLate.catch(() => {});
  try {
    await tellingSlowness(Promise.race([unlessCalledOff(work(), signal), tooLate]), {
      ...patience,
      note,
      text: 'The engine has not answered yet. It is slow, and waited for.',
    });
  } finally {
    over.abort();
  }
}

export async function ping(engine: EngineClient): Promise<void> {
  const { status } = await engine.request({ method: 'GET', path: '/_ping' });
  if (status !== 200)
    throw new StageFailure(
      `The engine answered its first question with status ${status}.`,
      'Start it again; the log has the details.',
    );
}
