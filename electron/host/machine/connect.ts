/**
 * The stages `connect` and `engine` of every machine. The SSH server of a busy machine may answer
 * late, so a slow one is waited for, a silent one fails after its timeout, and both can be cancelled.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../engine-client.ts';
import { HandshakeTimeout, HostKeyMismatch } from '../ssh/connection.ts';
import type { SshEndpoint } from '../ssh/endpoint.ts';
import { createSshLink, type SshLink } from '../ssh/link.ts';
import { cancelled, StageFailure } from './machine.ts';
import { noteWhenSlow, unlessCancelled } from './stage-timeout.ts';

export interface Timeouts {
  /** For each of the backend's stages, since its last activity. */
  stageMs?: number;
  /** For a stage that has failed or was cancelled to undo what it had begun. */
  graceMs?: number;
  connectMs?: number;
  engineMs?: number;
  /** For the first SSH handshake; each further one gets twice the time. */
  handshakeMs?: number;
  slowAfterMs?: number;
}

export interface Arrival {
  timeouts?: Timeouts;
  signal: AbortSignal;
  note(text: string | undefined): void;
}

const defaultStageMs = 120_000;
const defaultHandshakeMs = 15_000;
/** A handshake that breaks off is repeated; one that times out does not count. */
const tries = 3;

/** Rejects with StageFailure. `loginAdvice` is its next step when the agent refuses the login. */
export async function connectTo(
  endpoint: SshEndpoint,
  loginAdvice: string,
  arrival: Arrival,
): Promise<SshLink> {
  const link = createSshLink(endpoint);
  const hangUp = () => link.close();
  arrival.signal.addEventListener('abort', hangUp);
  try {
    await noteWhenSlow(handshakes(link, arrival), {
      ...arrival.timeouts,
      note: arrival.note,
      text: 'The machine has not accepted the login yet. It is slow; the app is still waiting.',
    });
    return link;
  } catch (error) {
    link.close();
    if (arrival.signal.aborted) throw cancelled();
    if (error instanceof StageFailure) throw error;
    throw new StageFailure(
      `The agent refuses the login: ${(error as Error).message}`,
      loginAdvice,
      { cause: error },
    );
  } finally {
    arrival.signal.removeEventListener('abort', hangUp);
  }
}

/**
 * On a serial line, bytes of an earlier session can silence or break a new handshake
 * (docs/vm-image.md), so a second try may succeed where the first did not.
 */
async function handshakes(link: SshLink, { timeouts, signal }: Arrival): Promise<void> {
  const timeoutMs = timeouts?.connectMs ?? defaultStageMs;
  const deadline = performance.now() + timeoutMs;
  let triesLeft = tries;
  for (let ms = timeouts?.handshakeMs ?? defaultHandshakeMs; !signal.aborted; ms *= 2) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0)
      throw new StageFailure(
        `The agent accepts connections and has not answered for ${timeoutMs / 1000} s.`,
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

/** Another try would meet the same refusal or the same wrong host key. */
function isFinal(error: unknown): boolean {
  const { level } = error as { level?: string };
  return error instanceof HostKeyMismatch || level === 'client-authentication';
}

const tooBusy =
  'Start it again. If it stays so, the computer may be too busy: close other programs.';

/** Rejects with StageFailure after the timeout, or with the work's own error. */
export async function firstAnswer(
  work: () => Promise<void>,
  { timeouts, signal, note }: Arrival,
): Promise<void> {
  const timeoutMs = timeouts?.engineMs ?? defaultStageMs;
  const over = new AbortController();
  const tooLate = sleep(timeoutMs, undefined, { signal: over.signal }).then(() => {
    throw new StageFailure(
      `The engine has not answered its first request in ${timeoutMs / 1000} s.`,
      tooBusy,
    );
  });
  // This rejection is unhandled when the race below has already ended.
  tooLate.catch(() => {});
  try {
    await noteWhenSlow(Promise.race([unlessCancelled(work(), signal), tooLate]), {
      ...timeouts,
      note,
      text: 'The engine has not answered yet. It is slow; the app is still waiting.',
    });
  } finally {
    over.abort();
  }
}

export async function ping(engine: EngineClient): Promise<void> {
  const { status } = await engine.request({ method: 'GET', path: '/_ping' });
  if (status !== 200)
    throw new StageFailure(
      `The engine answered its first request with status ${status}.`,
      'Start it again; the log has the details.',
    );
}
