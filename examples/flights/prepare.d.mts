export const TARGET: string;
export const SPLIT: string;
export function dayOfYear(month: number, day: number): number;
export function splitOf(dayNumber: number): 'train' | 'validation' | 'test';
export function bearing(from: { lat: number; lon: number }, to: { lat: number; lon: number }): number;
export function prepareFlights(options?: {
  say?: (text: string) => void;
  destination?: string;
}): Promise<string>;
