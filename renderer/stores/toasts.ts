import { create } from 'zustand';
import { messageOf, type Sentence } from './sentence.ts';

export interface ToastMessage {
  id: number;
  kind: 'info' | 'error';
  title: Sentence;
  /** In the engine's own words. */
  detail?: string;
  action?: { label: Sentence; run: () => void };
}

/** Toasts that the shell has not taken over yet. */
export const useToasts = create<{ waiting: ToastMessage[] }>()(() => ({ waiting: [] }));

let lastId = 0;

export function toast(title: Sentence, action?: ToastMessage['action']): void {
  push({ kind: 'info', title, action });
}

export function toastError(title: Sentence, error: unknown): void {
  push({ kind: 'error', title, detail: messageOf(error) });
}

export function takeToasts(): ToastMessage[] {
  const { waiting } = useToasts.getState();
  if (waiting.length > 0) useToasts.setState({ waiting: [] });
  return waiting;
}

function push(message: Omit<ToastMessage, 'id'>): void {
  lastId += 1;
  const id = lastId;
  useToasts.setState(({ waiting }) => ({ waiting: [...waiting, { ...message, id }] }));
}
