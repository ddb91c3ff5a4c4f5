/** The containers of one engine: each verb is in its own file. */
import type { ContainersBackend } from '../../api/containers/backend.ts';
import { conflict } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerFiles, ContainerRoot } from '../files/container-files.ts';
import { containerSize } from '../files/container-size.ts';
import { isolationReport } from '../isolation/isolation.ts';
import { readLogs } from '../logs/logs.ts';
import { attachContainer } from '../streams/attach.ts';
import { createContainer } from './create.ts';
import { killContainer } from './kill.ts';
import { userOf } from './launch-plan.ts';
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
  const rootOf = (reference: string): ContainerRoot => {
    const { id, rootfs, mounts, settings } = containers.find(reference);
    const { readOnlyRootfs } = settings;
    return { process: live.get(id)?.process, rootfs, mounts, readOnlyRootfs };
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
    resize: async (reference, rows, columns) => running(reference).process.resize(rows, columns),
    attach: (reference, options) => attachContainer(context, reference, options),
    logs: (reference, options) => readLogs(context, reference, options),
    size: (reference) => containerSize(context, reference),
    changes: async (reference) => files.changes(rootOf(reference)),
    exportArchive: async (reference) => files.exportArchive(rootOf(reference)),
    statPath: async (reference, path) => files.statPath(rootOf(reference), path),
    readArchive: async (reference, path) => files.readArchive(rootOf(reference), path),
    writeArchive: async (reference, path, archive, options) => {
      const owner = options.copyUidGid ? userOf(containers.find(reference)) : undefined;
      await files.writeArchive({ ...rootOf(reference), owner }, path, archive, options);
    },
    isolation: async (reference) => isolationReport(context, reference),
    prune: (filter) => pruneContainers(context, filter),
  };
}
