/** Requests to a guest's agent that every kind of virtual machine makes (agent/api/machine). */
import type { MachineFigures } from '../../contract/machine.ts';
import type { EngineClient } from '../engine-client.ts';
import type { EngineReach } from '../machine/machine.ts';

/** Empty for a machine that is stopped, paused or starting; figures of the process are known all the same. */
export async function guestFigures(
  reach: EngineReach,
): Promise<Pick<MachineFigures, 'guestMemoryBytes'>> {
  try {
    const client = reach.background();
    const answer = await client?.request({ method: 'GET', path: '/corten/v1/machine/figures' });
    if (answer?.status !== 200) return {};
    const text = Buffer.from(answer.body).toString('utf8');
    const { memoryUsedBytes } = JSON.parse(text) as { memoryUsedBytes: number };
    return { guestMemoryBytes: memoryUsedBytes };
  } catch {
    // The machine stopped during the request.
    return {};
  }
}

export function trimGuest(engine: EngineClient): Promise<void> {
  return post(engine, '/corten/v1/machine/trim');
}

/** Grows the guest's file system after its disk has grown. */
export function growGuest(engine: EngineClient): Promise<void> {
  return post(engine, '/corten/v1/machine/grow');
}

async function post(engine: EngineClient, path: string): Promise<void> {
  const { status, body } = await engine.request({ method: 'POST', path });
  if (status < 400) return;
  const { message } = JSON.parse(Buffer.from(body).toString('utf8')) as { message: string };
  throw new Error(`The machine refused: ${message}`);
}
