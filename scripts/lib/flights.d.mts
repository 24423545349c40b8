/** The folder with flights.csv, weather.csv, planes.csv, airports.csv and airlines.csv, fetched and verified. */
export function provideFlights(options?: { say?: (text: string) => void }): Promise<string>;
