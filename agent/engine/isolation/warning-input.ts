/** What the warnings of a container are read from. */
import type { ContainerRecord } from '../state/container-record.ts';
import type { RequestedIsolation } from './requested.ts';
import type { IsolationView } from './view.ts';

export interface WarningInput {
  view: IsolationView;
  record: ContainerRecord;
  asked: RequestedIsolation;
  /** The engine's own API socket, where its volumes lie, and whether containers have users of their own. */
  engine: { socket: string; volumes: string; remapsUsers: boolean };
}
