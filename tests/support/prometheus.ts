// Reads a page in Prometheus' text format 0.0.4, and throws at whatever is not in it.

export interface Metric {
  help: string;
  type: string;
  samples: { labels: Record<string, string>; value: number }[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = "[a-zA-Z_][a-zA-Z0-9_]*";
const TYPES = ["counter", "gauge", "histogram", "summary", "untyped"];

export function parse(page: string): Map<string, Metric> {
  const metrics = new Map<string, Metric>();
  const seen = new Set<string>();
  if (!page.endsWith("\n")) throw new Error("does not end in a line feed");
  let current: string | undefined;
  const closed = new Set<string>();
  for (const line of page.slice(0, -1).split("\n")) {
    const head = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`, "s").exec(line);
    if (head !== null) {
      const [, kind, name, rest] = head as unknown as [string, string, string, string];
      if (name !== current) {
        if (closed.has(name)) throw new Error(`the lines of ${name} are not together`);
        if (current !== undefined) closed.add(current);
        current = name;
      }
      const metric = metrics.get(name) ?? { help: "", type: "", samples: [] };
      if (metric.samples.length > 0) throw new Error(`${kind} of ${name} after its samples`);
      if (kind === "HELP") {
        if (metric.help !== "") throw new Error(`two HELP of ${name}`);
        if (/\\(?![\\n])/.test(rest)) throw new Error(`a wrong escape: ${line}`);
        metric.help = rest;
      } else {
        if (metric.type !== "" || !TYPES.includes(rest)) throw new Error(`a wrong TYPE: ${line}`);
        metric.type = rest;
      }
      metrics.set(name, metric);
      continue;
    }
    const sample = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`, "s").exec(line);
    if (sample === null) throw new Error(`no sample: ${JSON.stringify(line)}`);
    const [, name, inside, value] = sample as unknown as [string, string, string | undefined, string];
    const metric = metrics.get(name);
    if (name !== current || metric === undefined) throw new Error(`${name} is not below its own head`);
    const number = value === "NaN" ? NaN : /^[+-]?(Inf|\d+(\.\d+)?(e[+-]?\d+)?)$/i.test(value) ? Number(value.replace(/Inf/i, "Infinity")) : undefined;
    if (number === undefined) throw new Error(`no number: ${line}`);
    const labels = parseLabels(inside ?? "");
    const key = name + JSON.stringify(Object.entries(labels).sort());
    if (seen.has(key)) throw new Error(`twice: ${line}`);
    seen.add(key);
    metric.samples.push({ labels, value: number });
  }
  for (const [name, { help, type }] of metrics) if (help === "" || type === "") throw new Error(`${name} lacks HELP or TYPE`);
  return metrics;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const one = new RegExp(`(${LABEL})="((?:[^"\\\\\\n]|\\\\["\\\\n])*)"(,|$)`, "y");
  while (one.lastIndex < text.length) {
    const at = one.lastIndex;
    const found = one.exec(text);
    if (found === null) throw new Error(`no label at ${at}: ${text}`);
    const [, name, value] = found as unknown as [string, string, string];
    if (name in labels) throw new Error(`label ${name} twice`);
    labels[name] = value.replace(/\\(["\\n])/g, (_, char: string) => (char === "n" ? "\n" : char));
  }
  return labels;
}
