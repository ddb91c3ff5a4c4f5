/** Handler of events: a stream of JSON documents, one per line. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Filters, labelsMatch, readFilters } from '../filters.ts';
import { Query } from '../query.ts';
import { sendChunks, untilGone } from '../stream-reply.ts';
import { parseUnixTime, unixSeconds } from '../timestamps.ts';
import type { EngineEvent, SystemBackend } from './backend.ts';

const filterNames = [
  ...['config', 'container', 'daemon', 'event', 'image', 'label', 'network', 'node', 'plugin'],
  ...['scope', 'secret', 'service', 'type', 'volume'],
];

export async function events(
  system: SystemBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const query = new Query(request);
  const filters = readFilters(request, filterNames);
  const until = parseUnixTime('until', query.text('until'));
  const options = {
    // Unlike in logs, zero is a valid time here and means all stored events.
    since: query.text('since') === '0' ? new Date(0) : parseUnixTime('since', query.text('since')),
    until,
    signal: AbortSignal.any([untilGone(reply), atTime(until)]),
  };
  await sendChunks(reply, eventLines(system.events(options), filters, options.signal), {
    contentType: 'application/json',
    headersFirst: true,
  });
}

async function* eventLines(
  source: AsyncIterable<EngineEvent>,
  filters: Filters,
  signal: AbortSignal,
): AsyncGenerator<string> {
  try {
    for await (const event of source) {
      if (isWanted(event, filters)) yield eventLine(event);
    }
  } catch (error) {
    // A source may throw the reason of the abort, which is no error.
    if (!signal.aborted) throw error;
  }
}

/** Timers are limited to 2^31 ms, which is 24 days and longer than any connection. */
const longestTimerMs = 2 ** 31 - 1;

/** Returns a signal that aborts at a future time; the source handles a past one. */
function atTime(time: Date | undefined): AbortSignal {
  const waitMs = time === undefined ? 0 : time.getTime() - Date.now();
  return waitMs > 0
    ? AbortSignal.timeout(Math.min(waitMs, longestTimerMs))
    : new AbortController().signal;
}

export function eventLine(event: EngineEvent): string {
  const seconds = unixSeconds(event.time);
  const document = {
    ...legacyFields(event),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.id, Attributes: event.attributes },
    scope: 'local',
    time: seconds,
  };
  // timeNano has 19 digits, more than a JavaScript number holds, so it is inserted as text.
  const nanos = `${seconds}${String(event.nanos).padStart(9, '0')}`;
  return `${JSON.stringify(document).slice(0, -1)},"timeNano":${nanos}}\n`;
}

/** Fields from before API 1.22, which many tools still read. */
function legacyFields(event: EngineEvent): Record<string, string> {
  if (event.type === 'container')
    return { status: event.action, id: event.id, from: event.attributes.image ?? '' };
  return event.type === 'image' ? { status: event.action, id: event.id } : {};
}

/** Applies filters as moby does (daemon/events/filter.go). A filter on a name of one kind excludes other kinds. */
function isWanted(event: EngineEvent, filters: Filters): boolean {
  const nameIs = (kind: string) =>
    filters.some(
      kind,
      (value) =>
        event.type === kind &&
        (event.id === value ||
          event.attributes.name === value ||
          (kind === 'container' && /^[0-9a-f]{12,}$/.test(value) && event.id.startsWith(value))),
    );
  return (
    filters.some('event', (action) => actionIs(event.action, action)) &&
    filters.some('type', (type) => event.type === type) &&
    filters.some('scope', (scope) => scope === 'local') &&
    filters.some('image', (image) => isOfImage(event, image)) &&
    ['container', 'daemon', 'network', 'volume'].every(nameIs) &&
    ['config', 'node', 'plugin', 'secret', 'service'].every((kind) => !filters.has(kind)) &&
    labelsMatch(event.attributes, filters.labels())
  );
}

/** `exec_start` matches every `exec_start: command`, and `health_status` every status. */
function actionIs(action: string, wanted: string): boolean {
  return action === wanted || action.startsWith(`${wanted}:`);
}

/** Matches events of an image and of its containers; a name without a tag matches any tag. */
function isOfImage(event: EngineEvent, wanted: string): boolean {
  const names =
    event.type === 'image'
      ? [event.id, event.attributes.name]
      : event.type === 'container'
        ? [event.attributes.image]
        : [];
  return names.some(
    (name) => name !== undefined && (name === wanted || name.replace(/:[^:/]+$/, '') === wanted),
  );
}
