import type { en } from './en.ts';

/** Makes every message id that react-intl sees one of our keys (react-intl, "Typing message IDs"). */
declare global {
  namespace FormatjsIntl {
    interface Message {
      ids: keyof typeof en;
    }
  }
}
