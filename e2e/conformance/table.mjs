// One table of what every server did, line by line, and its sums.

/** How much of a line's name, and of what a server did, there is room for. */
const nameWidth = 76;
const cellWidth = 36;

export function format(groups, servers, judged) {
  const rows = [];
  for (const [g, { name, lines }] of groups.entries()) {
    rows.push([name.toUpperCase(), "wanted", ...servers.map((server) => server.name)], "rule");
    for (const [l, line] of lines.entries()) {
      rows.push([cut(line.name, nameWidth), line.want, ...judged.map((verdicts) => cell(verdicts[g][l]))]);
    }
    rows.push("rule", ["right", "", ...judged.map((verdicts) => score(verdicts[g]))], []);
  }
  return align(rows);
}

function cell({ got, right }) {
  if (right === undefined) return "not judged";
  return right ? "✓" : `✗ ${cut(got, cellWidth)}`;
}

function score(verdicts) {
  const right = verdicts.filter((verdict) => verdict.right).length;
  const open = verdicts.filter((verdict) => verdict.right === undefined).length;
  return `${right} of ${verdicts.length}${open > 0 ? `, ${open} not judged` : ""}`;
}

function cut(text, width) {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

function align(rows) {
  const widths = [];
  for (const row of rows) {
    if (row === "rule") continue;
    for (const [c, text] of row.entries()) widths[c] = Math.max(widths[c] ?? 0, text.length);
  }
  const whole = widths.reduce((sum, width) => sum + width + 2, -2);
  const texts = rows.map((row) =>
    row === "rule"
      ? "─".repeat(whole)
      : row
          .map((text, c) => text.padEnd(widths[c]))
          .join("  ")
          .trimEnd(),
  );
  return texts.join("\n");
}
