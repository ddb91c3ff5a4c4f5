import { useEffect } from 'react';

export interface GlobalKeys {
  palette: () => void;
  shortcuts: () => void;
  create: () => void;
}

/** Keys that work everywhere: Ctrl/Cmd-K, and outside of fields `?` and `n`. */
export function useGlobalKeys({ palette, shortcuts, create }: GlobalKeys): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as Element;
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        // In a shell Ctrl-K cuts the line; Cmd-K is free there.
        if (event.ctrlKey && target.closest?.('.screen')) return;
        event.preventDefault();
        return palette();
      }
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.closest?.('input, textarea, .screen, [role="dialog"], [role="menu"]')) return;
      if (event.key === '?') shortcuts();
      else if (event.key === 'n') create();
      else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [palette, shortcuts, create]);
}
