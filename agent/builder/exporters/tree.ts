/** `type=tar` and `type=local`: the files of a result on the client's side; of several platforms each in a directory of its own. */
import { closeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CortenError } from '../../errors.ts';
import { archiveEnd } from '../../images/tar-entry.ts';
import { archiveTree } from '../../images/tree-archive.ts';
import { platformResults } from '../result.ts';
import { openTree } from '../snapshots/open-tree.ts';
import { type Snapshot, type SnapshotStore, scratch } from '../snapshots/snapshot.ts';
import type { Exporter, ExportRequest } from './exporter.ts';
import { epochOf, flag, nanosOf } from './options.ts';
import { exporting } from './progress.ts';

export interface TreeExporterParts {
  snapshots: Pick<SnapshotStore, 'hold'>;
  /** Where small things may lie for the time of an export. */
  temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }>;
}

/** A file tree, and below which name it is exported. */
interface Tree {
  /** Empty: the output's root. */
  directory: string;
  snapshot: Snapshot;
}

export function tarExporter({ snapshots }: TreeExporterParts): Exporter {
  return (request) =>
    exporting(request.job, 'exporting to client tarball', async (progress) => {
      const { job, index, attributes, result } = request;
      const trees = await treesOf(request);
      const releases = trees.map(({ snapshot }) => snapshots.hold(snapshot));
      const epoch = epochOf(attributes, result);
      try {
        await progress.during('sending tarball', async () => {
          const target = await job.client.saveFile(index, {});
          const archive = Readable.from(archiveOf(trees, epoch), { objectMode: false });
          await pipeline(archive, target, { signal: job.signal });
        });
        return {};
      } finally {
        for (const release of releases) release();
      }
    });
}

export function localExporter({ snapshots, temporaryDirectory }: TreeExporterParts): Exporter {
  return (request) =>
    exporting(request.job, 'exporting to client directory', async (progress) => {
      const { job, index, attributes } = request;
      if (attributes.mode === 'delete')
        throw new CortenError('not-implemented', 'mode=delete of a local output is not supported');
      for (const { directory, snapshot } of await treesOf(request)) {
        const release = snapshots.hold(snapshot);
        const root = openTree(snapshot);
        const temporary = await temporaryDirectory();
        try {
          await progress.during(`copying files ${directory}`.trim(), () =>
            job.client.saveDirectory(
              index,
              root === undefined ? temporary.path : `/proc/self/fd/${root}`,
              {},
              directory,
            ),
          );
        } finally {
          if (root !== undefined) closeSync(root);
          release();
          await temporary.remove();
        }
      }
      return {};
    });
}

async function treesOf({ result, attributes }: ExportRequest): Promise<Tree[]> {
  const isSplit = flag(attributes, 'platform-split') ?? result.refs.size > 0;
  const trees: Tree[] = [];
  for (const { key, ref } of platformResults(result))
    trees.push({
      directory: isSplit ? key.replaceAll('/', '_') : '',
      snapshot: (await ref?.snapshot()) ?? scratch,
    });
  return trees;
}

function* archiveOf(trees: readonly Tree[], epoch: Date | undefined): Generator<Buffer> {
  const latestNanos = epoch && nanosOf(epoch);
  for (const { directory, snapshot } of trees) {
    const root = openTree(snapshot);
    if (root === undefined) continue;
    try {
      yield* archiveTree(root, '.', {
        name: Buffer.from(directory),
        stayOnMount: false,
        ids: undefined,
        // A snapshot of one layer is the layer itself, with its marks.
        asLayer: { isWhole: true },
        isPart: true,
        ...(latestNanos !== undefined && { latestNanos }),
      });
    } finally {
      closeSync(root);
    }
  }
  yield archiveEnd;
}
