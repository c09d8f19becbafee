import { t } from "./strings";

const { locale } = t;
const dateFormat = new Intl.DateTimeFormat(locale, {
  day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});
const timeFormat = new Intl.DateTimeFormat(locale, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: "UTC",
});

/** "25 Jul 2014" in UTC. */
export function formatDate(time: Date): string {
  return dateFormat.format(time);
}

/** "11:09:43" in UTC. */
export function formatTime(time: Date): string {
  return timeFormat.format(time);
}

/** A number with a fixed count of decimals and its unit. */
export function formatNumber(value: number, decimals: number, unit = ""): string {
  const text = value.toLocaleString(locale, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return unit === "°" ? `${text}°` : unit ? `${text} ${unit}` : text;
}

/** Percent with one decimal below 10, none above; a trace is not called zero. */
export function formatPercent(value: number): string {
  if (value > 0 && value < 0.1) return `< ${formatNumber(0.1, 1, "%")}`;
  return formatNumber(value, value > 0 && value < 9.95 ? 1 : 0, "%");
}

/** Bytes in kB, MB or GB (powers of 1000, as download tools print them). */
export function formatSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return formatNumber(value, power === 0 || value >= 100 ? 0 : 1, units[power]);
}
