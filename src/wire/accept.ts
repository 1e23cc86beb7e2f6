/**
 * Which form of the metrics an `Accept` header asks for (RFC 9110 §12.5.1): Prometheus text only
 * when a text form is strictly preferred over JSON and over anything.
 */
export function preferredMetricsForm(accept: string | null): "json" | "prometheus" {
  const qualities = parseAccept(accept ?? "");
  const text = Math.max(
    qualities.get("text/plain") ?? 0,
    qualities.get("application/openmetrics-text") ?? 0,
  );
  const json = Math.max(qualities.get("application/json") ?? 0, qualities.get("*/*") ?? 0);
  return text > json ? "prometheus" : "json";
}

/** Media ranges looked at; more make no sense in a request for one of two forms. */
const mediaRangesMax = 32;

function parseAccept(accept: string): Map<string, number> {
  const qualities = new Map<string, number>();
  for (const range of accept.slice(0, 4_096).split(",").slice(0, mediaRangesMax)) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => /^q\s*=/.test(parameter));
    const value = quality === undefined ? 1 : Number(quality.replace(/^q\s*=\s*/, ""));
    const known = Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
    qualities.set(type, Math.max(qualities.get(type) ?? 0, known));
  }
  return qualities;
}
