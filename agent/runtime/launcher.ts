/**
 * The launcher's thread. Namespaces belong to threads, so containers are made here one after the
 * other while the rest of the agent stays in the host's. Only synchronous calls run between
 * entering and leaving a container's namespaces, because libuv's thread pool stays in the host's.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { CortenError } from '../errors.ts';
import { NamespaceFlag, ownFilesystemState, setns, unshare } from '../kernel/namespaces.ts';
import { raiseThreadPriority } from '../kernel/priority.ts';
import { keepHostNamespaces, ReturnError } from './host-namespaces.ts';
import { awaitLatch } from './latch.ts';
import type {
  Failure,
  LauncherReply,
  LauncherRequest,
  LauncherSettings,
  Made,
} from './launcher-client.ts';
import { type Prepared, type PrepareHooks, prepare } from './prepare.ts';
import { SandboxPool } from './sandbox-pool.ts';

function serve(port: MessagePort, settings: LauncherSettings): void {
  ownFilesystemState();
  if (settings.nice !== 0) raiseThreadPriority(settings.nice);
  if (settings.networkFd !== undefined) {
    // Unlike the host's own namespaces, these can be re-entered without root.
    unshare(NamespaceFlag.uts | NamespaceFlag.ipc);
    setns(settings.networkFd, NamespaceFlag.network, "the agent's own network");
    keepHostNamespaces(settings.procFd);
  }
  // Without root there is no pool: the kernel would refuse what it makes.
  const pool = settings.networkFd === undefined ? new SandboxPool(settings.procFd) : undefined;
  pool?.makeSoon();
  port.on('message', (message: LauncherRequest | 'close') => {
    if (message === 'close') {
      pool?.close();
      port.close();
      return;
    }
    const { id, request, sources, groups } = message;
    const awaitSources = () => awaitLatch(sources, 'the files');
    const awaitGroups = () => awaitLatch(groups, 'the control groups');
    const takeNetwork: PrepareHooks['takeNetwork'] = (spec, planned) =>
      pool?.network.take(spec, planned);
    const giveMounts: PrepareHooks['giveMounts'] = (planned, paths) =>
      pool?.mounts.give(planned, paths);
    const reply = (made: Made) => port.postMessage({ id, ...made } satisfies LauncherReply);
    let isHandedOver = false;
    const handOver = (value: Prepared, last: () => void) => {
      isHandedOver = true;
      reply({ value });
      const left = answer(last);
      reply('failure' in left ? left : { isReady: true });
    };
    const hooks = { awaitSources, awaitGroups, takeNetwork, giveMounts, handOver };
    const made = answer(() => prepare(request, settings, hooks));
    if (!isHandedOver) reply(made);
    pool?.makeSoon();
  });
}

/** Errors lose their class between threads, so their kind and message are sent as data. */
function answer<T>(work: () => T): { value: T } | Failure {
  try {
    return { value: work() };
  } catch (error) {
    // A thread that could not return to the host's namespaces must end.
    if (error instanceof ReturnError) throw error;
    const kind = error instanceof CortenError ? error.kind : 'internal';
    return { failure: { kind, message: String(error instanceof Error ? error.message : error) } };
  }
}

if (parentPort !== null) serve(parentPort, workerData as LauncherSettings);
