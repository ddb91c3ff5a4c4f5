/** Handlers of the volume routes. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Volume } from '../../contract/docker.ts';
import { invalid, notFound } from '../../errors.ts';
import { type Filters, labelsMatch, readFilters } from '../filters.ts';
import { readJson } from '../json-body.ts';
import { pathPart, Query } from '../query.ts';
import type { Wire } from '../wire.ts';
import type { VolumesBackend, VolumeView } from './backend.ts';

export async function list(volumes: VolumesBackend, request: FastifyRequest): Promise<object> {
  const filters = readFilters(request, ['dangling', 'driver', 'label', 'label!', 'name']);
  const shown = volumes.list().filter((view) => isShown(view, filters));
  return { Volumes: shown.map((view) => volumeDocument(view)), Warnings: null };
}

export async function inspect(volumes: VolumesBackend, request: FastifyRequest): Promise<object> {
  return volumeDocument(volumes.inspect(pathPart(request, 'name')));
}

export async function create(
  volumes: VolumesBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object> {
  const body = await readJson(request);
  const driver = body.filled('Driver') ?? 'local';
  if (driver !== 'local')
    throw notFound(
      `error looking up volume plugin ${driver}: plugin "${driver}" not found; use the driver "local"`,
    );
  if (body.has('ClusterVolumeSpec')) throw invalid('cluster volumes are not supported');
  const name = body.filled('Name');
  if (name !== undefined && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
    throw invalid(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  const view = await volumes.create({
    name,
    driver,
    driverOptions: body.textMap('DriverOpts'),
    labels: body.textMap('Labels'),
  });
  reply.code(201);
  return volumeDocument(view);
}

export async function remove(
  volumes: VolumesBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  await volumes.remove(pathPart(request, 'name'), { force: new Query(request).flag('force') });
  reply.code(204).send();
}

/** Without `all`, named volumes stay (since API 1.42). */
export async function prune(volumes: VolumesBackend, request: FastifyRequest): Promise<object> {
  const filters = readFilters(request, ['all', 'label', 'label!']);
  const { deleted, reclaimedBytes } = await volumes.prune({
    all: filters.flag('all') ?? false,
    labels: filters.labels(),
  });
  return {
    VolumesDeleted: deleted.length === 0 ? null : deleted,
    SpaceReclaimed: reclaimedBytes,
  };
}

/** Docker's document of a volume; with `bytes` the one of system/df. */
export function volumeDocument(view: VolumeView, bytes?: number): Wire<Volume> {
  return {
    CreatedAt: `${view.createdAt.toISOString().slice(0, 19)}Z`,
    Driver: view.driver,
    Labels: orNull(view.labels),
    Mountpoint: view.mountpoint,
    Name: view.name,
    Options: orNull(view.options),
    Scope: 'local',
    ...(bytes === undefined ? {} : { UsageData: { RefCount: view.users.length, Size: bytes } }),
  };
}

function isShown(view: VolumeView, filters: Filters): boolean {
  const dangling = filters.flag('dangling');
  return (
    (dangling === undefined || dangling === (view.users.length === 0)) &&
    filters.some('driver', (driver) => view.driver === driver) &&
    filters.some('name', (name) => view.name.includes(name)) &&
    labelsMatch(view.labels, filters.labels())
  );
}

function orNull(map: Record<string, string>): Record<string, string> | null {
  return Object.keys(map).length === 0 ? null : map;
}
