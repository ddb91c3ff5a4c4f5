/** Handlers that change a container, from create to remove. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { invalid } from '../../errors.ts';
import { readFilters } from '../filters.ts';
import { readJson } from '../json-body.ts';
import { pathPart, Query } from '../query.ts';
import { openReply, untilGone } from '../stream-reply.ts';
import type { ContainersBackend, WaitCondition, WaitResult } from './backend.ts';
import { readLimitsUpdate } from './create-limits.ts';
import { readCreateRequest, readName, readRestartPolicy, readSignal } from './create-request.ts';

export async function create(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object> {
  const query = new Query(request);
  const { warnings, ...wanted } = readCreateRequest(
    await readJson(request),
    { name: query.text('name'), platform: query.text('platform') },
    containers,
  );
  const created = await containers.create(wanted);
  reply.code(201);
  return { Id: created.id, Warnings: [...warnings, ...created.warnings] };
}

export async function start(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const detachKeys = new Query(request).text('detachKeys');
  await containers.start(pathPart(request, 'id'), { detachKeys });
  noContent(reply);
}

export async function stop(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  await containers.stop(pathPart(request, 'id'), stopOptions(request));
  noContent(reply);
}

export async function restart(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  await containers.restart(pathPart(request, 'id'), stopOptions(request));
  noContent(reply);
}

export async function kill(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const signal = new Query(request).text('signal');
  await containers.kill(
    pathPart(request, 'id'),
    signal === undefined ? undefined : readSignal(signal),
  );
  noContent(reply);
}

export async function pause(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  await containers.pause(pathPart(request, 'id'));
  noContent(reply);
}

export async function unpause(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  await containers.unpause(pathPart(request, 'id'));
  noContent(reply);
}

export async function rename(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const name = new Query(request).text('name');
  if (name === undefined) throw invalid('Neither old nor new names may be empty');
  await containers.rename(pathPart(request, 'id'), readName(name));
  noContent(reply);
}

export async function remove(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const query = new Query(request);
  if (query.flag('link')) throw invalid('links are not supported, so there is none to remove');
  await containers.remove(pathPart(request, 'id'), {
    force: query.flag('force'),
    volumes: query.flag('v'),
  });
  noContent(reply);
}

export async function update(
  containers: ContainersBackend,
  request: FastifyRequest,
): Promise<object> {
  const body = await readJson(request);
  const { limits, warnings } = readLimitsUpdate(body);
  const keepsPolicy = body.object('RestartPolicy')?.filled('Name') === undefined;
  const updated = await containers.update(pathPart(request, 'id'), {
    limits,
    restart: keepsPolicy ? undefined : readRestartPolicy(body),
  });
  return { Warnings: [...warnings, ...updated.warnings] };
}

export async function resize(
  containers: ContainersBackend,
  request: FastifyRequest,
): Promise<string> {
  const { rows, columns } = terminalSize(request);
  await containers.resize(pathPart(request, 'id'), rows, columns);
  return '';
}

export function terminalSize(request: FastifyRequest): { rows: number; columns: number } {
  const query = new Query(request);
  const side = (name: string) => {
    const value = query.integer(name) ?? 0;
    if (value < 0 || value > 65535)
      throw invalid(`bad parameter: "${name}" must be between 0 and 65535`);
    return value;
  };
  return { rows: side('h'), columns: side('w') };
}

/**
 * Sends the headers at once and the body when the container ends: `docker run` sends its start only after it has the
 * headers.
 */
export async function wait(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const condition = new Query(request).text('condition') ?? 'not-running';
  if (!isWaitCondition(condition)) throw invalid(`invalid condition: "${condition}"`);
  const reference = pathPart(request, 'id');
  const gone = untilGone(reply);
  const result = containers.wait(reference, condition, gone);
  // A wait for an unknown container fails at once and then gets an ordinary error reply.
  await Promise.race([result, nextTurn()]);
  openReply(reply, 'application/json');
  try {
    reply.raw.end(`${JSON.stringify(waitDocument(await result))}\n`);
  } catch (error) {
    // The client is gone, so nobody needs the reply.
    if (gone.aborted) return;
    reply.raw.end(JSON.stringify(waitDocument({ exitCode: 125, error: (error as Error).message })));
  }
}

function waitDocument({ exitCode, error }: WaitResult): object {
  return error === undefined || error === ''
    ? { StatusCode: exitCode }
    : { StatusCode: exitCode, Error: { Message: error } };
}

function isWaitCondition(condition: string): condition is WaitCondition {
  return ['not-running', 'next-exit', 'removed'].includes(condition);
}

export async function prune(
  containers: ContainersBackend,
  request: FastifyRequest,
): Promise<object> {
  const filters = readFilters(request, ['label', 'label!', 'until']);
  const { deleted, reclaimedBytes } = await containers.prune({
    until: filters.until(new Date()),
    labels: filters.labels(),
  });
  return {
    ContainersDeleted: deleted.length === 0 ? null : deleted,
    SpaceReclaimed: reclaimedBytes,
  };
}

function stopOptions(request: FastifyRequest): { signal?: string; timeoutSeconds?: number } {
  const query = new Query(request);
  const signal = query.text('signal');
  return {
    signal: signal === undefined ? undefined : readSignal(signal),
    timeoutSeconds: query.integer('t'),
  };
}

export function noContent(reply: FastifyReply): void {
  reply.code(204).send();
}
