import type { LogOptions, LogRecord } from '../../api/containers/backend.ts';
import { CortenError } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import { readLog } from './log-lines.ts';

/** Throws at once, and not at the first read, when the container or its log does not exist. */
export function readLogs(
  context: Pick<EngineContext, 'containers' | 'live' | 'logReaders'>,
  reference: string,
  { follow, ...options }: LogOptions,
): AsyncIterable<LogRecord> {
  const { id, settings, logDirectory } = context.containers.find(reference);
  if (settings.log.driver === 'none')
    throw new CortenError(
      'not-implemented',
      'configured logging driver does not support reading: this container was created with --log-driver none, which keeps no output.',
    );
  const ended = follow ? context.live.get(id)?.process.exited : undefined;
  return context.logReaders.register(
    id,
    readLog(logDirectory, { ...options, ...(ended && { ended }) }),
    options.signal,
  );
}
