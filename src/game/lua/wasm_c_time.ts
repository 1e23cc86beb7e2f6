/**
 * The parts of C's <time.h> that the C library of Lua's WebAssembly asks its host for. A `struct tm`
 * is eleven 32-bit integers: sec min hour mday mon year wday yday isdst gmtoff zone.
 */

/** Fills `tm` from seconds since 1970, in UTC or in the local zone. */
export function writeTime(tm: Int32Array, seconds: bigint, zone: "utc" | "local"): void {
  const date = new Date(Number(seconds) * 1000);
  const shifted = zone === "utc" ? date : asUtc(date);
  tm[field.second] = shifted.getUTCSeconds();
  tm[field.minute] = shifted.getUTCMinutes();
  tm[field.hour] = shifted.getUTCHours();
  tm[field.day] = shifted.getUTCDate();
  tm[field.month] = shifted.getUTCMonth();
  tm[field.year] = shifted.getUTCFullYear() - 1900;
  tm[field.weekday] = shifted.getUTCDay();
  tm[field.yearday] = yearday(shifted);
  tm[field.daylight] = zone === "local" && isDaylight(date) ? 1 : 0;
  tm[field.offset] = zone === "utc" ? 0 : -60 * date.getTimezoneOffset();
}

/** mktime(3): normalises `tm` in the local zone and returns its seconds since 1970, or −1. */
export function readLocalTime(tm: Int32Array): bigint {
  const at = (index: number) => tm[index] ?? 0;
  const date = new Date(
    at(field.year) + 1900,
    at(field.month),
    at(field.day),
    at(field.hour),
    at(field.minute),
    at(field.second),
  );
  if (Number.isNaN(date.getTime())) return -1n;
  const seconds = BigInt(Math.floor(date.getTime() / 1000));
  writeTime(tm, seconds, "local");
  return seconds;
}

/** strftime(3) in the C locale, for every conversion that Lua's os.date lets through. */
export function formatTime(format: string, tm: Int32Array): string {
  return format.replace(/%[EO]?([A-Za-z%])/g, (_, conversion) => convert(conversion, tm));
}

const field = {
  second: 0,
  minute: 1,
  hour: 2,
  day: 3,
  month: 4,
  year: 5,
  weekday: 6,
  yearday: 7,
  daylight: 8,
  offset: 9,
};
const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const dayMs = 86_400_000;

function convert(conversion: string, tm: Int32Array): string {
  const at = (index: number) => tm[index] ?? 0;
  const year = at(field.year) + 1900;
  const hour12 = at(field.hour) % 12 || 12;
  const nested = (format: string) => formatTime(format, tm);
  switch (conversion) {
    case "a":
      return (weekdays[at(field.weekday)] ?? "?").slice(0, 3);
    case "A":
      return weekdays[at(field.weekday)] ?? "?";
    case "b":
    case "h":
      return (months[at(field.month)] ?? "?").slice(0, 3);
    case "B":
      return months[at(field.month)] ?? "?";
    case "c":
      return nested("%a %b %e %H:%M:%S %Y");
    case "C":
      return padded(Math.floor(year / 100), 2);
    case "d":
      return padded(at(field.day), 2);
    case "D":
    case "x":
      return nested("%m/%d/%y");
    case "e":
      return String(at(field.day)).padStart(2, " ");
    case "F":
      return nested("%Y-%m-%d");
    case "g":
      return padded(isoWeek(tm).year % 100, 2);
    case "G":
      return String(isoWeek(tm).year);
    case "H":
      return padded(at(field.hour), 2);
    case "I":
      return padded(hour12, 2);
    case "j":
      return padded(at(field.yearday) + 1, 3);
    case "m":
      return padded(at(field.month) + 1, 2);
    case "M":
      return padded(at(field.minute), 2);
    case "n":
      return "\n";
    case "p":
      return at(field.hour) < 12 ? "AM" : "PM";
    case "r":
      return nested("%I:%M:%S %p");
    case "R":
      return nested("%H:%M");
    case "S":
      return padded(at(field.second), 2);
    case "t":
      return "\t";
    case "T":
    case "X":
      return nested("%H:%M:%S");
    case "u":
      return String(at(field.weekday) || 7);
    case "U":
      return padded(Math.floor((at(field.yearday) + 7 - at(field.weekday)) / 7), 2);
    case "V":
      return padded(isoWeek(tm).week, 2);
    case "w":
      return String(at(field.weekday));
    case "W":
      return padded(Math.floor((at(field.yearday) + 7 - (at(field.weekday) + 6) % 7) / 7), 2);
    case "y":
      return padded(((year % 100) + 100) % 100, 2);
    case "Y":
      return String(year);
    case "z":
      return offset(at(field.offset));
    case "Z":
      return at(field.offset) === 0 ? "UTC" : offset(at(field.offset));
    case "%":
      return "%";
    default:
      return "";
  }
}

function padded(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

function offset(seconds: number): string {
  const minutes = Math.abs(Math.trunc(seconds / 60));
  return `${seconds < 0 ? "-" : "+"}${padded(Math.floor(minutes / 60), 2)}${
    padded(minutes % 60, 2)
  }`;
}

/** ISO 8601: week 1 is the one with the year's first Thursday. */
function isoWeek(tm: Int32Array): { year: number; week: number } {
  const thursday = new Date(0);
  thursday.setUTCFullYear((tm[field.year] ?? 0) + 1900, tm[field.month] ?? 0, tm[field.day] ?? 0);
  thursday.setUTCDate(thursday.getUTCDate() + 3 - (thursday.getUTCDay() + 6) % 7);
  return { year: thursday.getUTCFullYear(), week: Math.floor(yearday(thursday) / 7) + 1 };
}

function yearday(date: Date): number {
  const start = new Date(0);
  start.setUTCFullYear(date.getUTCFullYear(), 0, 1);
  return Math.floor((date.getTime() - start.getTime()) / dayMs);
}

/** The same wall clock reading, in UTC. */
function asUtc(date: Date): Date {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
}

function isDaylight(date: Date): boolean {
  const winter = new Date(date.getFullYear(), 0, 1).getTimezoneOffset();
  const summer = new Date(date.getFullYear(), 6, 1).getTimezoneOffset();
  return winter !== summer && date.getTimezoneOffset() === Math.min(winter, summer);
}
