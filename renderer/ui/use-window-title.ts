import { useEffect } from 'react';

/** Names the window, or the browser's tab, after the place that it shows: screen readers say it on a change. */
export function useWindowTitle(place: string | undefined): void {
  useEffect(() => {
    document.title = place === undefined ? 'Corten' : `${place} – Corten`;
  }, [place]);
}
