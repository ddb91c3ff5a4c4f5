/**
 * The launcher's thread. Namespaces belong to threads, so containers are made here, one after the
 * other, while the rest of the agent stays in the host's. Only synchronous calls run between
 * entering a container's namespaces and coming back: libuv's pool lives in the host's.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { CortenError } from '../errors.ts';
import { NamespaceFlag, ownFilesystemState, setns, unshare } from '../kernel/namespaces.ts';
import { favourThread } from '../kernel/priority.ts';
import { keepWayHome, StrandedError } from './come-home.ts';
import { passGate } from './gate.ts';
import type {
  Failure,
  LauncherReply,
  LauncherRequest,
  LauncherSettings,
  Made,
} from './launcher-client.ts';
import { type Ahead, type Prepared, prepare } from './prepare.ts';
import { SpareParts } from './spare-parts.ts';

function serve(port: MessagePort, settings: LauncherSettings): void {
  ownFilesystemState();
  if (settings.nice !== 0) favourThread(settings.nice);
  if (settings.networkFd !== undefined) {
    // A home that can be come back to, unlike the machine's own namespaces.
    unshare(NamespaceFlag.uts | NamespaceFlag.ipc);
    setns(settings.networkFd, NamespaceFlag.network, "the agent's own network");
    keepWayHome(settings.procFd);
  }
  // Without root nothing is made ahead: it is not tried there.
  const spare = settings.networkFd === undefined ? new SpareParts(settings.procFd) : undefined;
  spare?.makeSoon();
  port.on('message', (message: LauncherRequest | 'close') => {
    if (message === 'close') {
      spare?.close();
      port.close();
      return;
    }
    const { id, request, sources, groups } = message;
    const awaitSources = () => passGate(sources, 'the files');
    const awaitGroups = () => passGate(groups, 'the control groups');
    const takeNetwork: Ahead['takeNetwork'] = (spec, planned) => spare?.network.take(spec, planned);
    const giveMounts: Ahead['giveMounts'] = (planned, paths) => spare?.mounts.give(planned, paths);
    const reply = (made: Made) => port.postMessage({ id, ...made } satisfies LauncherReply);
    let isHandedOver = false;
    const handOver = (value: Prepared, last: () => void) => {
      isHandedOver = true;
      reply({ value });
      const left = answer(last);
      reply('failure' in left ? left : { isReady: true });
    };
    const ahead = { awaitSources, awaitGroups, takeNetwork, giveMounts, handOver };
    const made = answer(() => prepare(request, settings, ahead));
    if (!isHandedOver) reply(made);
    spare?.makeSoon();
  });
}

/** Errors lose their class on the way between threads, so what matters of them goes as data. */
function answer<T>(work: () => T): { value: T } | Failure {
  try {
    return { value: work() };
  } catch (error) {
    // A thread that could not come home must not make another container: this ends it.
    if (error instanceof StrandedError) throw error;
    const kind = error instanceof CortenError ? error.kind : 'internal';
    return { failure: { kind, message: String(error instanceof Error ? error.message : error) } };
  }
}

if (parentPort !== null) serve(parentPort, workerData as LauncherSettings);
