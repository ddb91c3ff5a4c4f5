import { Toast } from '@base-ui/react/toast';
import { useEffect } from 'react';
import { useText } from '../messages/use-text.ts';
import { atSwitch } from '../stores/per-machine.ts';
import { type ToastMessage, takeToasts, useToasts } from '../stores/toasts.ts';
import { ToastList } from '../ui/toast-list.tsx';

const manager = Toast.createToastManager();
/** Those that offer to undo what was done at the machine that is looked at. */
const undoable = new Set<string>();

atSwitch(() => {
  for (const id of undoable) manager.close(id);
  undoable.clear();
});

/** Shows what the stores have to say. */
export function Toasts() {
  const t = useText();
  const waiting = useToasts((state) => state.waiting);
  useEffect(() => {
    if (waiting.length > 0) for (const message of takeToasts()) show(message, t);
  }, [waiting, t]);
  return (
    <Toast.Provider toastManager={manager} timeout={6000} limit={4}>
      <ToastList label={t('shell.toasts')} closeLabel={t('action.dismiss')} />
    </Toast.Provider>
  );
}

function show({ kind, title, detail, action }: ToastMessage, t: ReturnType<typeof useText>): void {
  const id: string = manager.add({
    type: kind,
    title: t(title.id, title.values),
    description: detail,
    // What went wrong stays until it is read (WCAG 2.2.1).
    timeout: kind === 'error' ? 0 : undefined,
    priority: kind === 'error' ? 'high' : 'low',
    onClose: () => void undoable.delete(id),
    actionProps: action && {
      children: t(action.label.id, action.label.values),
      onClick: () => {
        action.run();
        manager.close(id);
      },
    },
  });
  if (action) undoable.add(id);
}
