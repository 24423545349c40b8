/**
 * Makes one table of the flights from New York in 2013 for `espalier train`: a row a flight, the target `air_time` in
 * minutes, columns that are known before departure only, and `split` (train, validation or test) by date.
 *
 *   node examples/flights/prepare.mjs [FILE.csv]     default: in the user's cache, made once
 *
 * Held out (test) is every seventh day of the year; validation days are cut from the others. Weekdays are no column:
 * every seventh day of a year is the same weekday.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import Papa from 'papaparse';
import { cacheFolder, temporaryBeside } from '../../install/cache.mjs';
import { provideFlights } from '../../scripts/lib/flights.mjs';

export const TARGET = 'air_time';
export const SPLIT = 'split';

// Of the seven ways to hold out every seventh day, the one from January 3rd on.
const HELD_OUT = { every: 7, from: 3 };
const VALIDATION = { every: 12, from: 5 };
const DEGREES = Math.PI / 180;
const HARMONICS = 3;

function readTable(folder, name) {
  const { data } = Papa.parse(readFileSync(join(folder, name), 'utf8'), {
    header: true,
    skipEmptyLines: true,
  });
  return data;
}

function number(text) {
  return text === undefined || text === '' || text === 'NA' ? NaN : Number(text);
}

/** Day of the year from 1. */
export function dayOfYear(month, day) {
  return Math.round((Date.UTC(2013, month - 1, day) - Date.UTC(2013, 0, 1)) / 86_400_000) + 1;
}

/** Which part a day belongs to. */
export function splitOf(dayNumber) {
  if (dayNumber % HELD_OUT.every === HELD_OUT.from) return 'test';
  return dayNumber % VALIDATION.every === VALIDATION.from ? 'validation' : 'train';
}

/** The initial bearing from one airport to another, in radians clockwise from north. */
export function bearing(from, to) {
  const [a, b] = [from.lat * DEGREES, to.lat * DEGREES];
  const turn = (to.lon - from.lon) * DEGREES;
  return Math.atan2(
    Math.sin(turn) * Math.cos(b),
    Math.cos(a) * Math.sin(b) - Math.sin(a) * Math.cos(b) * Math.cos(turn),
  );
}

// San Juan, St. Thomas, Aguadilla and Ponce are in the flights and not among the airports.
const MORE_AIRPORTS = {
  SJU: { lat: 18.4394, lon: -66.0018 },
  STT: { lat: 18.3373, lon: -64.9734 },
  BQN: { lat: 18.4949, lon: -67.1294 },
  PSE: { lat: 18.0083, lon: -66.563 },
};

function fixed(value, digits) {
  return Number.isFinite(value) ? String(Number(value.toFixed(digits))) : '';
}

/** The rows of the table, the header first. */
function* rows(folder) {
  const airports = new Map(
    readTable(folder, 'airports.csv').map((a) => [a.faa, { lat: number(a.lat), lon: number(a.lon) }]),
  );
  for (const [name, place] of Object.entries(MORE_AIRPORTS))
    if (!airports.has(name)) airports.set(name, place);
  const planes = new Map(readTable(folder, 'planes.csv').map((plane) => [plane.tailnum, plane]));
  const weather = new Map(
    readTable(folder, 'weather.csv').map((hour) => [`${hour.origin} ${hour.time_hour}`, hour]),
  );
  const harmonics = Array.from({ length: HARMONICS }, (_, k) => [
    `year_sin_${k + 1}`,
    `year_cos_${k + 1}`,
  ]).flat();
  yield [
    ...[TARGET, SPLIT, 'carrier', 'origin', 'dest', 'month', 'distance', 'dest_lat', 'dest_lon'],
    ...['bearing_sin', 'bearing_cos', ...harmonics, 'hour', 'hour_sin', 'hour_cos'],
    ...['temperature', 'dew_point', 'humidity', 'pressure', 'visibility', 'precipitation'],
    ...['wind_speed', 'wind_east', 'wind_north', 'wind_along', 'wind_across'],
    ...['plane_type', 'manufacturer', 'engine', 'engines', 'seats', 'plane_year'],
  ];
  for (const flight of readTable(folder, 'flights.csv')) {
    const time = number(flight.air_time);
    if (!(time > 0)) continue;
    const day = dayOfYear(number(flight.month), number(flight.day));
    const season = (2 * Math.PI * (day - 1)) / 365;
    const hour = number(flight.hour) + number(flight.minute) / 60;
    const here = airports.get(flight.origin);
    const there = airports.get(flight.dest);
    const course = here && there ? bearing(here, there) : NaN;
    const sky = weather.get(`${flight.origin} ${flight.time_hour}`) ?? {};
    const speed = number(sky.wind_speed);
    // The wind's direction is where it comes from; a calm has none.
    const from = speed === 0 ? 0 : number(sky.wind_dir) * DEGREES;
    const [east, north] = [-speed * Math.sin(from), -speed * Math.cos(from)];
    const plane = planes.get(flight.tailnum) ?? {};
    const text = (value) => (value === undefined || value === 'NA' ? '' : value);
    yield [
      ...[fixed(time, 0), splitOf(day), flight.carrier, flight.origin, flight.dest, `m${flight.month}`],
      ...[flight.distance, fixed(there?.lat, 4), fixed(there?.lon, 4)],
      ...[fixed(Math.sin(course), 4), fixed(Math.cos(course), 4)],
      ...Array.from({ length: HARMONICS }, (_, k) => [
        fixed(Math.sin((k + 1) * season), 4),
        fixed(Math.cos((k + 1) * season), 4),
      ]).flat(),
      ...[
        fixed(hour, 3),
        fixed(Math.sin((hour / 12) * Math.PI), 4),
        fixed(Math.cos((hour / 12) * Math.PI), 4),
      ],
      ...[sky.temp, sky.dewp, sky.humid, sky.pressure, sky.visib, sky.precip].map((v) => fixed(number(v), 2)),
      ...[speed, east, north].map((v) => fixed(v, 2)),
      fixed(east * Math.sin(course) + north * Math.cos(course), 2),
      fixed(east * Math.cos(course) - north * Math.sin(course), 2),
      ...[plane.type, plane.manufacturer, plane.engine].map(text),
      ...[plane.engines, plane.seats, plane.year].map((v) => fixed(number(v), 0)),
    ];
  }
}

function version() {
  const source = readFileSync(fileURLToPath(import.meta.url));
  return createHash('sha256').update(source).digest('hex').slice(0, 12);
}

/** The path of the table: made once for each version of this script, kept in the user's cache. */
export async function prepareFlights({ say = () => undefined, destination } = {}) {
  const room = join(cacheFolder(), 'tables');
  const path = destination ?? join(room, `flights-${version()}.csv`);
  if (destination === undefined && existsSync(path)) return path;
  const folder = await provideFlights({ say });
  say('making the table of flights');
  mkdirSync(dirname(path), { recursive: true });
  const temporary = temporaryBeside(path);
  try {
    const quote = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const lines = [];
    for (const row of rows(folder)) lines.push(row.map(quote).join(','));
    writeFileSync(temporary, `${lines.join('\n')}\n`);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  return path;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const path = await prepareFlights({ say: console.log, destination: process.argv[2] });
  console.log(path);
}

/** For recipes of `espalier sweep`. */
export const prepare = prepareFlights;
