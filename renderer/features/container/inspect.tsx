import { useText } from '../../messages/use-text.ts';
import { useInspection } from '../../stores/inspection.ts';
import { Button } from '../../ui/button.tsx';
import { Notice, Skeleton } from '../../ui/page.tsx';

/** The engine's own document, as `docker inspect` prints it. */
export function Inspect() {
  const t = useText();
  const { document, error } = useInspection();
  if (error)
    return (
      <div className="page-body">
        <Notice>{error}</Notice>
      </div>
    );
  if (!document)
    return (
      <div className="page-body">
        <Skeleton lines={8} label={t('containers.loading')} />
      </div>
    );
  const text = JSON.stringify(document, undefined, 2);
  return (
    <div className="page-body inspect">
      <Button icon="copy" onClick={() => void navigator.clipboard.writeText(text)}>
        {t('action.copy')}
      </Button>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1). */}
      <section tabIndex={0} aria-label={t('view.inspect')} className="card">
        <pre>{text}</pre>
      </section>
    </div>
  );
}
