/** What is set on a Limits page but not applied, by container. */
import { createEdits } from '../../stores/edits.ts';
import type { Draft } from './draft.ts';

export type Edits = Partial<Draft>;

export const { useEdits, edit, drop: dropEdits, settle: settleEdits } = createEdits<Draft>();
