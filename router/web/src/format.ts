// Numbers and times for people.

const kPrefixes: [number, string][] = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]];

// At most five significant digits; large values with a prefix (12345 -> 12.345k).
export function formatValue(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-3) return value.toExponential(2);
  for (const [scale, prefix] of kPrefixes) {
    if (size >= scale && size < 1e18) return trim(value / scale) + (prefix === "k" ? "k" : prefix);
  }
  return size >= 1e18 ? value.toExponential(3) : trim(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(5)));
}

export function formatCount(count: number | null): string {
  if (count === null) return "–";
  return count < 10000 ? String(count) : formatValue(Number(count.toPrecision(3)));
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    ++unit;
  }
  return `${Number(bytes.toPrecision(3))} ${units[unit]}`;
}

export function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
      `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
