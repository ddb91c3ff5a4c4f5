/** How the map of the userspace is looked at; stays while the window is open. */
import { create } from 'zustand';

export interface UserspaceView {
  arrangement: 'shared' | 'boxed';
  measure: 'cpus' | 'memoryBytes';
  form: 'picture' | 'table';
}

export const useUserspaceView = create<UserspaceView>()(() => ({
  arrangement: 'shared',
  measure: 'memoryBytes',
  form: 'picture',
}));

/** It begins with all processes together, and shows once by itself what boxes them. */
let introduced = false;
const introductionMs = 1600;

export function chooseView(change: Partial<UserspaceView>): void {
  introduced = true;
  useUserspaceView.setState(change);
}

/** Call it when the picture is first seen; `still`: at once, for who wants nothing to move. */
export function introduce(still: boolean): () => void {
  if (introduced) return () => {};
  const timer = setTimeout(() => chooseView({ arrangement: 'boxed' }), still ? 0 : introductionMs);
  return () => clearTimeout(timer);
}
