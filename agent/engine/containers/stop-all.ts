/** The machine goes down: every container ends as `docker stop` ends it. */
import type { EngineContext } from '../context.ts';
import { endProcess } from './end-process.ts';
import { stopParameters } from './stop.ts';

/** A container may want to be waited for without end; a machine that was turned off does not wait. */
const mostPatienceMs = 20_000;

/**
 * Nobody asked for their end, so it is not written down as anybody's wish: those whose policy says so
 * start with the machine again.
 */
export async function stopAll(context: EngineContext): Promise<void> {
  context.restarts.close();
  const running = context.containers.all().filter(({ id }) => context.live.get(id) !== undefined);
  await Promise.all(
    running.map(async (record) => {
      const { signal, timeoutMs } = stopParameters(record, {});
      const patienceMs = timeoutMs < 0 ? mostPatienceMs : Math.min(timeoutMs, mostPatienceMs);
      await endProcess(context, record.id, { signal, timeoutMs: patienceMs }).catch((error) =>
        context.report(`stop ${record.name}`, error),
      );
    }),
  );
}
