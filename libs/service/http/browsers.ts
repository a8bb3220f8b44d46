/** What browsers are told, and what is believed of what they say. */

/**
 * The content security policy: everything comes from here, and nothing runs or looks like anything that stands in a page itself,
 * but for a style whose hash is given.
 */
export function contentRules(styleHash?: string): Record<string, string[]> {
  return {
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'", ...(styleHash === undefined ? [] : [`'${styleHash}'`])],
    'img-src': ["'self'"],
    'connect-src': ["'self'"],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
  };
}

/** The policy as a header, for a page that has one of its own. */
export const contentPolicy = (styleHash: string): string =>
  Object.entries(contentRules(styleHash))
    .map(([directive, sources]) => [directive, ...sources].join(' '))
    .join(';');

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whether a request was made to this machine by its own name, or by one that the operator lists. */
export function isOwnHost(host: string | undefined, origins: readonly string[]): boolean {
  if (host === undefined || origins.includes('*')) return true;
  const name = host.replace(/:\d*$/, '').toLowerCase();
  if (LOOPBACK_NAMES.has(name)) return true;
  return origins.some((origin) => URL.canParse(origin) && new URL(origin).host === host.toLowerCase());
}
