/** Stops every container like `docker stop` when the machine shuts down. */
import type { EngineContext } from '../context.ts';
import { endProcess } from './end-process.ts';
import { stopParameters } from './stop.ts';

/** A shutdown does not wait longer than this for a container, even if it has no stop timeout. */
const mostPatienceMs = 20_000;

/**
 * Does not mark the containers as stopped by hand, so that restart policies start them at the next
 * boot.
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
