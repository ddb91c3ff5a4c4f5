import type { Command } from 'commander';
import type { Session } from './session.ts';

/** Adds one verb to the program. */
export type Verb = (program: Command, session: Session) => void;
