import { formatBytes, parseBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { ValueField } from './device-limits.tsx';
import { noPages, type PagesDraft } from './draft-lists.ts';
import { LimitCard } from './sliders.tsx';

const bytesOf = (text: string) => parseBytes(text, 'm');

/** Huge pages, size by size: no memory limit counts them, and hardly any container needs one. */
export function PageLimits({
  pages,
  onChange,
}: {
  pages: PagesDraft[];
  onChange: (pages: PagesDraft[]) => void;
}) {
  const t = useText();
  const replace = (index: number, change: Partial<PagesDraft>) =>
    onChange(pages.map((one, at) => (at === index ? { ...one, ...change } : one)));
  return (
    <LimitCard title={t('limits.pages')}>
      {pages.map((row, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the size is what is being typed.
        <div key={index} className="pages-row">
          {(['pageBytes', 'maxBytes', 'reservedMaxBytes'] as const).map((name) => (
            <ValueField
              key={name}
              label={t(`limits.${name}`)}
              placeholder={name === 'pageBytes' ? '2 MiB' : t('limits.none')}
              value={row[name]}
              format={formatBytes}
              parse={bytesOf}
              example="2 MiB"
              onChange={(value) => replace(index, { [name]: value })}
            />
          ))}
          <IconButton
            icon="close"
            label={t('limits.removePages')}
            onClick={() => onChange(pages.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <div>
        <Button icon="plus" onClick={() => onChange([...pages, noPages])}>
          {t('limits.addPages')}
        </Button>
      </div>
    </LimitCard>
  );
}
