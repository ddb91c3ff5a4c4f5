/** The containers of one engine: each verb is in its own file. */
import type { ContainersBackend } from '../../api/containers/backend.ts';
import { conflict } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerFiles, ContainerRoot } from '../files/container-files.ts';
import { containerSize } from '../files/container-size.ts';
import { isolationReport } from '../isolation/isolation.ts';
import { readLogs } from '../logs/logs.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { attachContainer } from '../streams/attach.ts';
import { createContainer } from './create.ts';
import { killContainer } from './kill.ts';
import { userOf } from './launch-plan.ts';
import { layerUsage, withLayer } from './layer.ts';
import { pauseContainer, unpauseContainer } from './pause.ts';
import { pruneContainers } from './prune.ts';
import { removeContainer } from './remove.ts';
import { renameContainer } from './rename.ts';
import { restartContainer } from './restart.ts';
import { startContainer } from './start.ts';
import { stopContainer } from './stop.ts';
import { updateContainer } from './update.ts';
import { containerUsage } from './usage.ts';
import { waitForContainer } from './wait.ts';

export function createContainersBackend(
  context: EngineContext,
  files: ContainerFiles,
): ContainersBackend {
  const { containers, live } = context;
  const withRoot = async <T>(
    reference: string,
    use: (root: ContainerRoot, record: ContainerRecord) => Promise<T>,
  ): Promise<T> => {
    const record = containers.find(reference);
    const { readOnlyRootfs } = record.settings;
    return withLayer(context, record, (rootfs) =>
      use(
        { process: live.get(record.id)?.process, rootfs, mounts: record.mounts, readOnlyRootfs },
        { ...record, rootfs },
      ),
    );
  };
  const running = (reference: string) => {
    const { id } = containers.find(reference);
    const found = live.get(id);
    if (found === undefined) throw conflict(`Container ${id} is not running`);
    return found;
  };
  return {
    create: (request) => createContainer(context, request),
    inspect: (reference) => containers.find(reference),
    list: () => containers.all(),
    start: (reference) => startContainer(context, reference),
    stop: (reference, options) => stopContainer(context, reference, options),
    restart: (reference, options) => restartContainer(context, reference, options),
    kill: (reference, signal) => killContainer(context, reference, signal),
    pause: (reference) => pauseContainer(context, reference),
    unpause: (reference) => unpauseContainer(context, reference),
    rename: (reference, name) => renameContainer(context, reference, name),
    remove: (reference, options) => removeContainer(context, reference, options),
    update: (reference, change) => updateContainer(context, reference, change),
    wait: (reference, condition, signal) => waitForContainer(context, reference, condition, signal),
    top: async (reference, psArguments) =>
      files.top(running(reference).cgroup.processes(), psArguments),
    usage: async (reference) => containerUsage(context, reference),
    diskUsage: async (reference) => layerUsage(context, containers.find(reference)),
    resize: async (reference, rows, columns) => running(reference).process.resize(rows, columns),
    attach: (reference, options) => attachContainer(context, reference, options),
    logs: (reference, options) => readLogs(context, reference, options),
    size: (reference) => containerSize(context, reference),
    changes: (reference) => withRoot(reference, (root) => files.changes(root)),
    exportArchive: (reference) => withRoot(reference, (root) => files.exportArchive(root)),
    statPath: (reference, path) => withRoot(reference, (root) => files.statPath(root, path)),
    readArchive: (reference, path) => withRoot(reference, (root) => files.readArchive(root, path)),
    writeArchive: (reference, path, archive, options) =>
      withRoot(reference, (root, record) => {
        const owner = options.copyUidGid ? userOf(record) : undefined;
        return files.writeArchive({ ...root, owner }, path, archive, options);
      }),
    isolation: async (reference) => isolationReport(context, reference),
    prune: (filter) => pruneContainers(context, filter),
  };
}
