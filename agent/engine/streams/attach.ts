/**
 * Attaches a client to a container: output comes from the log that the shim writes, input goes to
 * stdin. A client that attaches before the start sees everything from the start on.
 */
import type { Attachment, AttachOptions, OutputChunk } from '../../api/containers/backend.ts';
import { conflict } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import { followOutput } from '../logs/log-follow.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { inputRelay } from './process-input.ts';

export async function attachContainer(
  context: Pick<EngineContext, 'containers' | 'live' | 'events' | 'logReaders'>,
  reference: string,
  options: AttachOptions,
): Promise<Attachment> {
  const record = context.containers.find(reference);
  refuseUnattachable(record);
  const { id, settings } = record;
  const running = context.live.get(id);
  const process = running === undefined ? context.live.next(id) : Promise.resolve(running);
  const detached = new AbortController();
  emitContainerEvent(context.events, record, 'attach');
  return {
    terminal: settings.terminal,
    stdin:
      options.stdin && settings.openStdin
        ? inputRelay(
            process.then((live) => live?.input),
            { endsInput: settings.stdinOnce },
          )
        : undefined,
    output: wanted(
      options,
      context.logReaders.register(
        id,
        followOutput(record.logDirectory, {
          from: options.logs ? 'start' : 'end',
          signal: detached.signal,
          ...(options.stream && { ended: process.then((live) => live?.process.exited) }),
        }),
        detached.signal,
      ),
    ),
    close: () => detached.abort(),
  };
}

function refuseUnattachable({ id, state }: ContainerRecord): void {
  if (state.status === 'paused')
    throw conflict(`Container ${id} is paused, unpause the container before attach.`);
  if (state.status === 'restarting')
    throw conflict(`Container ${id} is restarting, wait until the container is running`);
}

async function* wanted(
  { stdout, stderr }: AttachOptions,
  source: AsyncIterable<OutputChunk>,
): AsyncIterable<OutputChunk> {
  for await (const chunk of source) if (chunk.stream === 'stdout' ? stdout : stderr) yield chunk;
}
