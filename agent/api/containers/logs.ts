/** Handler of `docker logs`: records of the container's log file, framed unless it has a terminal. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CortenError, invalid } from '../../errors.ts';
import { frame, multiplexedStream, rawStream } from '../frames.ts';
import { pathPart, Query } from '../query.ts';
import { sendChunks, untilGone } from '../stream-reply.ts';
import { parseUnixTime, rfc3339Nano } from '../timestamps.ts';
import { speaks } from '../version.ts';
import type { ContainersBackend, LogOptions, LogRecord } from './backend.ts';

export async function logs(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const query = new Query(request);
  const view = containers.inspect(pathPart(request, 'id'));
  const options = logOptions(query, untilGone(reply));
  if (view.settings.log.driver === 'none')
    throw new CortenError(
      'not-implemented',
      'configured logging driver does not support reading: this container was created with --log-driver none',
    );
  const { terminal } = view.settings;
  const encode = { details: query.flag('details'), timestamps: query.flag('timestamps'), terminal };
  await sendChunks(reply, encoded(containers.logs(view.id, options), encode), {
    contentType: !terminal && speaks(request, '1.42') ? multiplexedStream : rawStream,
    headersFirst: true,
  });
}

function logOptions(query: Query, signal: AbortSignal): LogOptions {
  const [stdout, stderr] = [query.flag('stdout'), query.flag('stderr')];
  if (!stdout && !stderr) throw invalid('Bad parameters: you must choose at least one stream');
  return {
    stdout,
    stderr,
    follow: query.flag('follow'),
    tail: readTail(query.text('tail')),
    since: parseUnixTime('since', query.text('since')),
    until: parseUnixTime('until', query.text('until')),
    signal,
  };
}

/** Number of lines. `all` and, as in dockerd, anything that is not a number mean all. */
function readTail(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

async function* encoded(
  records: AsyncIterable<LogRecord>,
  { details, timestamps, terminal }: { details: boolean; timestamps: boolean; terminal: boolean },
): AsyncGenerator<Buffer> {
  for await (const record of records) {
    // Details are labels and environment from the log options, which Corten does not support; dockerd then writes one
    // space.
    const prefix = `${timestamps ? `${rfc3339Nano(record.time, record.nanos)} ` : ''}${details ? ' ' : ''}`;
    const data = prefix === '' ? record.data : Buffer.concat([Buffer.from(prefix), record.data]);
    yield terminal ? data : frame({ stream: record.stream, data });
  }
}
