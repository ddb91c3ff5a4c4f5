/** Handlers of `docker cp` and `docker export`. Archives are streamed and never held in memory. */
import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { pathPart, Query } from '../query.ts';
import type { ContainersBackend } from './backend.ts';
import { encodePathStat, pathStatHeader } from './path-stat.ts';

export async function statArchive(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<string> {
  const stat = await containers.statPath(pathPart(request, 'id'), archivePath(request));
  reply.header(pathStatHeader, encodePathStat(stat));
  return '';
}

export async function readArchive(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Readable> {
  const { stat, archive } = await containers.readArchive(
    pathPart(request, 'id'),
    archivePath(request),
  );
  reply.header(pathStatHeader, encodePathStat(stat)).type('application/x-tar');
  return archive;
}

export async function writeArchive(
  containers: ContainersBackend,
  request: FastifyRequest,
): Promise<string> {
  const query = new Query(request);
  await containers.writeArchive(pathPart(request, 'id'), archivePath(request), request.raw, {
    noOverwriteDirectoryNonDirectory: query.flag('noOverwriteDirNonDir'),
    copyUidGid: query.flag('copyUIDGID'),
  });
  return '';
}

export async function exportRoot(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Readable> {
  const archive = await containers.exportArchive(pathPart(request, 'id'));
  reply.type('application/octet-stream');
  return archive;
}

function archivePath(request: FastifyRequest): string {
  return new Query(request).required('path');
}
