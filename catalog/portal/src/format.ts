import { t } from "./strings";

const { locale } = t;
const dateFormat = new Intl.DateTimeFormat(locale, {
  day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});
const monthFormat = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric", timeZone: "UTC" });
const monthName = new Intl.DateTimeFormat(locale, { month: "short", timeZone: "UTC" });
const timeFormat = new Intl.DateTimeFormat(locale, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: "UTC",
});

/** "25 Jul 2014" in UTC. */
export function formatDate(time: Date): string {
  return dateFormat.format(time);
}

/** "July 2014" in UTC. */
export function formatMonth(time: Date): string {
  return monthFormat.format(time);
}

/** Short names of the twelve months. */
export function monthNames(): readonly string[] {
  return Array.from({ length: 12 }, (_, month) => monthName.format(Date.UTC(2024, month, 1)));
}

/** "11:09:43" in UTC. */
export function formatTime(time: Date): string {
  return timeFormat.format(time);
}

/** A whole number with the marks of thousands. */
export function formatCount(value: number): string {
  return value.toLocaleString(locale);
}

/** A number with a fixed count of decimals and its unit. */
export function formatNumber(value: number, decimals: number, unit = ""): string {
  const text = value.toLocaleString(locale, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return unit === "°" ? `${text}°` : unit ? `${text} ${unit}` : text;
}

/** A longitude, "1.25° W". */
export function formatLon(value: number): string {
  return (value < 0 ? t.compass.west : t.compass.east)(formatNumber(Math.abs(value), 2, "°"));
}

/** A latitude, "45.50° N". */
export function formatLat(value: number): string {
  return (value < 0 ? t.compass.south : t.compass.north)(formatNumber(Math.abs(value), 2, "°"));
}

/** Percent with one decimal below 10, none above; a trace is not called zero. */
export function formatPercent(value: number): string {
  // A narrow space that does not break keeps the sign with its number.
  const unit = t.language.startsWith("zh") ? "%" : "\u202f%";
  if (value > 0 && value < 0.1) return `< ${formatNumber(0.1, 1)}${unit}`;
  return `${formatNumber(value, value > 0 && value < 9.95 ? 1 : 0)}${unit}`;
}

/** Bytes in kB to PB (powers of 1000, as download tools print them). */
export function formatSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  const value = bytes / 1000 ** power;
  return formatNumber(value, power === 0 || value >= 100 ? 0 : 1, units[power]);
}
