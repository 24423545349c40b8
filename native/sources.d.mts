export function sources(part: string): string[];
