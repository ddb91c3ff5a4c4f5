/** What the warnings of a container are read from. */
import type { ContainerRecord } from '../state/container-record.ts';
import type { AskedIsolation } from './asked.ts';
import type { IsolationView } from './view.ts';

export interface Judged {
  view: IsolationView;
  record: ContainerRecord;
  asked: AskedIsolation;
  /** The engine's own API socket, where its volumes lie, and whether containers have users of their own. */
  engine: { socket: string; volumes: string; remapsUsers: boolean };
}
