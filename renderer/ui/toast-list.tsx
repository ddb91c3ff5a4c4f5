import { Toast } from '@base-ui/react/toast';
import { Button, IconButton } from './button.tsx';
import { Icon } from './icon.tsx';
import './toast.css';

/** The toasts of the provider around it. Base UI announces them to screen readers. */
export function ToastList({ label, closeLabel }: { label: string; closeLabel: string }) {
  const { toasts } = Toast.useToastManager();
  return (
    <Toast.Portal>
      <Toast.Viewport className="toast-viewport" aria-label={label}>
        {toasts.map((toast) => (
          <Toast.Root key={toast.id} toast={toast} className="toast" swipeDirection="right">
            {toast.type === 'error' ? (
              <span className="toast-mark">
                <Icon name="warning" />
              </span>
            ) : null}
            <div className="toast-words">
              <Toast.Title className="toast-title" render={<p />} />
              <Toast.Description className="toast-detail" />
            </div>
            {toast.actionProps ? <Toast.Action render={<Button />} /> : null}
            <Toast.Close render={<IconButton icon="close" label={closeLabel} />} />
          </Toast.Root>
        ))}
      </Toast.Viewport>
    </Toast.Portal>
  );
}
