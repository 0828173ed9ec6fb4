// Comparisons as a table from which the aims can be read off.

/** What is aimed at: of the ratio ours to bare, or how far ours may be above, in its unit. */
export type Aim = { atLeast: number } | { atMost: number } | { above: number };

export type Row = { what: string; unit: string; ours: number; bare: number; ratio: number; aim?: string; met?: boolean };

export function row(what: string, unit: string, ours: number, bare: number, aim?: Aim): Row {
  const ratio = ours / bare;
  const made = { what, unit, ours, bare, ratio };
  if (aim === undefined) return made;
  if ("atLeast" in aim) return { ...made, aim: `ratio ≥ ${aim.atLeast}`, met: ratio >= aim.atLeast };
  if ("atMost" in aim) return { ...made, aim: `ratio ≤ ${aim.atMost}`, met: ratio <= aim.atMost };
  return { ...made, aim: `+${aim.above} ${unit}`, met: ours - bare <= aim.above };
}

export function show(rows: Row[]): string {
  const cells = rows.map(({ what, unit, ours, bare, ratio, aim = "", met }) => [
    what,
    `${figure(ours)} ${unit}`,
    `${figure(bare)} ${unit}`,
    ratio.toFixed(2),
    aim,
    met === undefined ? "" : met ? "met" : "MISSED",
  ]);
  const table = [["what", "ours", "bare", "ratio", "aim", ""], ...cells];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  const pad = (cell: string, column: number) =>
    column >= 1 && column <= 3 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
  return table.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

function figure(value: number): string {
  return value.toFixed(value < 10 ? 3 : 0);
}
