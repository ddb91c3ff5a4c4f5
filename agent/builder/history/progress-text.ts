/** A build's progress as it is kept: JSON, compressed, without what nobody reads again. */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { ProgressBatch } from '../builds.ts';

/** A build that prints more keeps the end of what it printed. */
const keptLogBytes = 2 * 1024 ** 2;

export function packProgress(progress: ProgressBatch): Buffer {
  const logs = [];
  let bytes = 0;
  for (const log of progress.logs.toReversed()) {
    bytes += log.data.length;
    if (bytes > keptLogBytes) break;
    logs.unshift({ ...log, data: Buffer.from(log.data).toString('base64') });
  }
  // Of each vertex and each part of it the last state says all.
  const vertexes = [...new Map(progress.vertexes.map((each) => [each.digest, each])).values()];
  const statuses = [
    ...new Map(progress.statuses.map((each) => [`${each.vertex} ${each.id}`, each])).values(),
  ];
  const warnings = progress.warnings.map(({ info, ...warning }) => ({
    ...warning,
    ...(info && { info: { ...info, data: Buffer.from(info.data).toString('base64') } }),
  }));
  const text = JSON.stringify({ vertexes, statuses, logs, warnings }, (_, value) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  return zstdCompressSync(text);
}

export function unpackProgress(bytes: Uint8Array): ProgressBatch {
  const batch = JSON.parse(zstdDecompressSync(bytes).toString()) as ProgressBatch;
  return {
    vertexes: batch.vertexes.map(dated),
    statuses: batch.statuses.map(dated),
    logs: batch.logs.map((log) => ({
      ...log,
      data: Buffer.from(String(log.data), 'base64'),
      timestamp: new Date(log.timestamp),
    })),
    warnings: batch.warnings.map(({ info, ...warning }) => ({
      ...warning,
      ...(info && { info: { ...info, data: Buffer.from(String(info.data), 'base64') } }),
    })),
  };
}

function dated<T extends { started?: Date; completed?: Date }>(each: T): T {
  const { started, completed } = each;
  return {
    ...each,
    ...(started && { started: new Date(started) }),
    ...(completed && { completed: new Date(completed) }),
  };
}
