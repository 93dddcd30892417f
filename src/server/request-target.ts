/** What a request asks for: the text after its method, which callers may write as they please. */

/**
 * The address a request asks for; undefined when it has none that can be answered: `//…` (a slash too many), `*`, or an
 * absolute address that is malformed or not of the web. Never throws.
 */
export function requestUrl(target: string | undefined, publicUrl: string): URL | undefined {
  if (target === undefined) return undefined;
  if (!target.startsWith('/')) {
    const absolute = URL.parse(target);
    return absolute !== null && /^https?:$/.test(absolute.protocol) ? absolute : undefined;
  }
  // Resolved against the base, these would name another host: "//download/<token>" has the path "/<token>".
  if (/^\/[/\\]/.test(target)) return undefined;
  return URL.parse(target, publicUrl) ?? undefined;
}

/** The path as the log may have it: without the query (variables) and without tokens, which may stand in malformed ones. */
export function loggedPath(url: URL | undefined): string {
  if (url === undefined) return '(malformed)';
  return /^\/+download\//i.test(url.pathname) ? '/download/:token' : url.pathname.slice(0, 200);
}
