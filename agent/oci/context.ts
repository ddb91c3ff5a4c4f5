/** What every verb works with. */
import type { Tools } from '../runtime/detached.ts';
import type { ContainerStore } from './container-store.ts';
import type { Log } from './log.ts';

export interface Context {
  store: ContainerStore;
  log: Log;
  /** Created at first use, because most verbs start no process. */
  tools(): Promise<Tools>;
}
