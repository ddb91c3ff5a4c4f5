import { useEffect, useRef, useState } from 'react';
import type { ContainerRow } from '../../stores/container-row.ts';
import { useContainers } from '../../stores/containers.ts';
import { messageOf } from '../../stores/sentence.ts';
import { followInto, type LogSource } from './follow.ts';
import { LogBuffer } from './log-buffer.ts';
import { useVisible } from './use-visible.ts';

const capacityLines = 1_000_000;

/**
 * The container's log, growing while this view is mounted and the window is visible. `version`
 * changes at most once a frame, however fast lines come.
 */
export function useLog(row: ContainerRow, terminal: boolean | undefined) {
  const [buffer] = useState(() => new LogBuffer(capacityLines));
  const [version, setVersion] = useState(0);
  const [ready, setReady] = useState(false);
  const [error, setError] = useState<string>();
  const source = useRef<LogSource>(undefined);
  const visible = useVisible();

  useEffect(() => {
    if (terminal === undefined || !visible) return;
    const isRunning = () => useContainers.getState().rows.get(row.id)?.status === 'running';
    source.current ??= { id: row.id, terminal, isRunning, lastTime: '', linesAtLastTime: 0 };
    const controller = new AbortController();
    let frame = 0;
    const tell = (failure?: unknown) => {
      setReady(true);
      setError(failure === undefined ? undefined : messageOf(failure));
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        setVersion((before) => before + 1);
      });
    };
    void followInto(buffer, source.current, capacityLines, tell, controller.signal);
    // A log with no line yet sends nothing: it is not loading for ever.
    const timeout = setTimeout(() => setReady(true), 400);
    return () => {
      clearTimeout(timeout);
      cancelAnimationFrame(frame);
      controller.abort();
    };
  }, [buffer, row.id, terminal, visible]);

  const clear = () => {
    buffer.clear();
    setVersion((before) => before + 1);
  };
  return { buffer, version, ready, error, clear };
}
