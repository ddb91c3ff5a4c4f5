/** Fetches, verifies and unpacks one layer of a pull, with docker's messages. */

import type { ConcurrencyLimit } from './concurrency-limit.ts';
import type { Descriptor } from './descriptor.ts';
import { type Report, throttled } from './progress.ts';
import { download } from './registry/download.ts';
import type { Repository } from './registry/repository.ts';
import type { StoreParts } from './store-parts.ts';

export interface LayerFetch {
  parts: StoreParts;
  repository: Repository;
  blob: Descriptor;
  diffId: string;
  limit: ConcurrencyLimit;
  report: Report;
  signal: AbortSignal;
}

export async function fetchLayer(fetch: LayerFetch): Promise<void> {
  const { parts, blob, diffId, signal } = fetch;
  const id = shortId(blob.digest);
  const report: Report = (line) => fetch.report({ id, ...line });
  if (parts.blobs.has(blob.digest) && parts.layers.isWhole(diffId)) {
    report({ status: 'Already exists' });
    return;
  }
  report({ status: 'Pulling fs layer' });
  await parts.fetches.once(blob.digest, () => fetchBlob(fetch, report));
  const extracting = throttled((line) => report(line));
  await parts.layers.unpack(diffId, parts.blobs.locate(blob.digest), signal, (bytes) =>
    extracting({ status: 'Extracting', currentBytes: bytes, totalBytes: blob.size }),
  );
  report({ status: 'Extracting', currentBytes: blob.size, totalBytes: blob.size });
  report({ status: 'Pull complete' });
}

/** Resolves when the blob is complete and verified. */
async function fetchBlob(fetch: LayerFetch, report: Report): Promise<void> {
  const { parts, repository, blob, limit, signal } = fetch;
  if (parts.blobs.has(blob.digest)) return;
  report({ status: 'Waiting' });
  const path = parts.blobs.ingestPath(blob.digest);
  const downloading = throttled(report);
  await limit(async () => {
    signal.throwIfAborted();
    await download({
      digest: blob.digest,
      sizeBytes: blob.size,
      path,
      open: (offset) => repository.blob(blob.digest, offset, signal),
      progress: (bytes) =>
        downloading({ status: 'Downloading', currentBytes: bytes, totalBytes: blob.size }),
      signal,
    });
  });
  report({ status: 'Verifying Checksum' });
  report({ status: 'Download complete' });
}

/** The twelve characters by which docker shows a layer. */
export function shortId(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}
