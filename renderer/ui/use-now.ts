import { useEffect, useState } from 'react';

/** The time, in steps: ages in a table need only slow ones, and a hidden window none at all. */
export function useNow(stepMs: number): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setNowMs(Date.now()), stepMs);
    return () => clearInterval(timer);
  }, [stepMs]);
  return nowMs;
}
