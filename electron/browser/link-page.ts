/** The page for a browser without a session: it says how to get a link that opens the app. No script. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export const openCommand = 'scripts/corten open';
export const linkExplanation = 'This link was opened in another browser or has expired.';

/** The colours are those of renderer/ui/tokens.css, whose file needs a session: a test compares them. */
const style = `
:root {
  color-scheme: light dark;
  --ground: #faf9f7;
  --surface: #ffffff;
  --sunken: #f2efec;
  --line: #e4dfda;
  --ink: #211c18;
  --ink-2: #655c54;
  --accent: #b3471d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #171412;
    --surface: #1d1a17;
    --sunken: #131110;
    --line: #332e2a;
    --ink: #ece6e1;
    --ink-2: #a9a098;
    --accent: #f08a5d;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  min-height: 100vh;
  padding: 24px;
  display: grid;
  place-content: center;
  background: var(--ground);
  color: var(--ink);
  font: 400 14px / 20px system-ui, -apple-system, "Segoe UI", "Cantarell", "Noto Sans", "DejaVu Sans", sans-serif;
}
main {
  width: min(480px, calc(100vw - 48px));
  padding: 24px;
  display: grid;
  gap: 12px;
  background: var(--surface);
  border: 1px solid var(--line);
  border-radius: 10px;
}
svg { width: 32px; height: 32px; }
h1 { font-size: 20px; font-weight: 600; line-height: 28px; }
code {
  display: block;
  padding: 8px 12px;
  background: var(--sunken);
  border: 1px solid var(--line);
  border-radius: 6px;
  font: 13px / 20px ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", "DejaVu Sans Mono", monospace;
  user-select: all;
}
.muted { color: var(--ink-2); }
a { color: var(--accent); }
a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
`;

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="3 3 26 26" aria-hidden="true"><rect x="3" y="3" width="26" height="26" rx="6" fill="#b3471d"/><path d="M9 11h14M9 16h14M9 21h9" stroke="#fff" stroke-width="2.6" stroke-linecap="round"/></svg>';

export const linkPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>A fresh link is needed – Corten</title>
<link rel="icon" type="image/svg+xml" href="data:image/svg+xml,${encodeURIComponent(icon)}">
<style>${style}</style>
</head>
<body>
<main>
${icon}
<h1>A fresh link is needed</h1>
<p>${linkExplanation}</p>
<p>Run this in a terminal to get a fresh link:</p>
<code>${openCommand}</code>
<p class="muted">Already open in this browser? <a href="/">Go to Corten</a></p>
</main>
</body>
</html>
`;

/** Allows this page's own style by its digest (CSP level 2, hash-source), and nothing else. */
export const linkPagePolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Whether the answer is shown to a person. Assets and API requests accept anything, or name other types. */
export function wantsPage(method: string | undefined, { accept }: IncomingHttpHeaders): boolean {
  return (method === 'GET' || method === 'HEAD') && (accept ?? '').includes('text/html');
}
