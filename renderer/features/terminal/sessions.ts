/**
 * Shells that are open. A session lives until its tab is closed: going to the logs and back must not
 * end an editor. Its screen is drawn only while its tab is on the page.
 */
import { create } from 'zustand';
import { openTerminal, type TerminalLine, type TerminalMessage } from '../../bridge/terminal.ts';
import { messageOf } from '../../stores/sentence.ts';
import { createScreen, type Screen } from './screen.ts';

export interface Session {
  id: number;
  containerId: string;
  screen: Screen;
  state: 'connecting' | 'open' | 'ended' | 'failed';
  /** Exit code of a shell that ended. */
  code?: number;
  /** Why it failed. */
  message?: string;
}

export const useSessions = create<{
  sessions: readonly Session[];
  /** By container: the tab in front. */
  front: Record<string, number>;
}>()(() => ({ sessions: [], front: {} }));

const lines = new Map<number, TerminalLine>();
const encoder = new TextEncoder();
let lastId = 0;

/** Opens a tab; its shell starts when the tab has a place, and so a size. */
export function addSession(containerId: string, keys: (event: KeyboardEvent) => boolean): Session {
  lastId += 1;
  const session: Session = {
    id: lastId,
    containerId,
    screen: createScreen(keys),
    state: 'connecting',
  };
  const { terminal } = session.screen;
  terminal.onData((text) => lines.get(session.id)?.send({ data: encoder.encode(text) }));
  terminal.onBinary((text) =>
    lines.get(session.id)?.send({ data: Uint8Array.from(text, (char) => char.charCodeAt(0)) }),
  );
  terminal.onResize(({ rows, cols }) =>
    lines.get(session.id)?.send({ resize: { rows, columns: cols } }),
  );
  useSessions.setState(({ sessions, front }) => ({
    sessions: [...sessions, session],
    front: { ...front, [containerId]: session.id },
  }));
  return session;
}

export async function connect(session: Session): Promise<void> {
  const { terminal } = session.screen;
  change(session.id, { state: 'connecting', code: undefined, message: undefined });
  const request = {
    container: session.containerId,
    rows: terminal.rows,
    columns: terminal.cols,
    term: 'xterm-256color',
  };
  try {
    const line = await openTerminal(
      request,
      (message) => receive(session, message),
      (reason) => end(session.id, { state: 'failed', message: reason }),
    );
    // The tab may have been closed, or the shell may have ended, while it was opening.
    const now = useSessions.getState().sessions.find((one) => one.id === session.id);
    if (now?.state !== 'connecting') return line.close();
    lines.set(session.id, line);
    change(session.id, { state: 'open' });
    // The place may have changed its size meanwhile.
    line.send({ resize: { rows: terminal.rows, columns: terminal.cols } });
  } catch (error) {
    change(session.id, { state: 'failed', message: messageOf(error) });
  }
}

export function bringToFront(session: Session): void {
  useSessions.setState(({ front }) => ({ front: { ...front, [session.containerId]: session.id } }));
}

export function closeSession(session: Session): void {
  lines.get(session.id)?.close();
  lines.delete(session.id);
  session.screen.dispose();
  useSessions.setState(({ sessions, front }) => {
    const rest = sessions.filter((one) => one.id !== session.id);
    const neighbour = rest.findLast((one) => one.containerId === session.containerId);
    const wasFront = front[session.containerId] === session.id;
    return {
      sessions: rest,
      front: wasFront && neighbour ? { ...front, [session.containerId]: neighbour.id } : front,
    };
  });
}

function receive(session: Session, message: TerminalMessage): void {
  if ('data' in message) {
    // The host sends no more than its window; what the screen has drawn opens it again.
    const { data } = message;
    session.screen.terminal.write(data, () => lines.get(session.id)?.send({ ack: data.length }));
  } else end(session.id, { state: 'ended', code: message.exit.code });
}

function end(id: number, how: Pick<Session, 'state' | 'code' | 'message'>): void {
  const session = useSessions.getState().sessions.find((one) => one.id === id);
  // The close that follows an exit says nothing new.
  if (!session || session.state === 'ended') return;
  lines.get(id)?.close();
  lines.delete(id);
  change(id, how);
}

function change(id: number, part: Partial<Session>): void {
  useSessions.setState(({ sessions }) => ({
    sessions: sessions.map((one) => (one.id === id ? { ...one, ...part } : one)),
  }));
}
