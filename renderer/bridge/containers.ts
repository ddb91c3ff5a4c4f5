import type {
  ContainerCreateRequest,
  ContainerInspectResponse,
  ContainerSummary,
} from '../../agent/contract/docker.ts';
import type { IsolationReport } from '../../agent/contract/isolation.ts';
import type { Limits } from '../../agent/contract/limits.ts';
import { getJson, postJson, query, remove } from './engine.ts';

export type { ContainerCreateRequest, ContainerInspectResponse, ContainerSummary };

/** All containers, or those of the given ids. */
export function listContainers(ids?: readonly string[]): Promise<ContainerSummary[]> {
  const filters = ids ? JSON.stringify({ id: ids }) : undefined;
  return getJson(`/containers/json${query({ all: true, filters })}`);
}

export function inspectContainer(id: string): Promise<ContainerInspectResponse> {
  return getJson(`/containers/${encodeURIComponent(id)}/json`);
}

export function createContainer(
  name: string | undefined,
  body: ContainerCreateRequest,
): Promise<{ Id: string; Warnings: string[] | null }> {
  return postJson(`/containers/create${query({ name })}`, body);
}

export type ContainerCommand = 'start' | 'stop' | 'restart' | 'kill' | 'pause' | 'unpause';

export function commandContainer(id: string, command: ContainerCommand): Promise<void> {
  return postJson(`/containers/${id}/${command}`);
}

export function renameContainer(id: string, name: string): Promise<void> {
  return postJson(`/containers/${id}/rename${query({ name })}`);
}

/** Removes the container and its anonymous volumes. */
export function removeContainer(id: string, force: boolean): Promise<void> {
  return remove(`/containers/${id}${query({ force, v: true })}`);
}

export function getLimits(id: string): Promise<Limits> {
  return getJson(`/corten/v1/containers/${id}/limits`);
}

/** Changes limits of a container, running or not: absent stays, `null` clears. A dry run only asks. */
export function setLimits(
  id: string,
  change: Limits,
  dryRun?: true,
): Promise<{ limits: Limits; warnings: string[] }> {
  return postJson(`/corten/v1/containers/${id}/limits${query({ dryRun })}`, change);
}

/** What its own files hold; null is what nothing counts or limits. */
export interface DiskUsage {
  usedBytes: number | null;
  maxBytes: number | null;
  usedInodes: number | null;
  maxInodes: number | null;
  inodesAreFixed: boolean;
}

export function getDiskUsage(id: string): Promise<DiskUsage> {
  return getJson(`/corten/v1/containers/${id}/disk`);
}

/** What the container is kept from and by what. */
export function getIsolation(id: string): Promise<IsolationReport> {
  return getJson(`/corten/v1/containers/${id}/isolation`);
}
