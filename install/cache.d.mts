export function cacheFolder(): string;
export function temporaryBeside(path: string): string;
