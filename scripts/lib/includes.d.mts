export const NATIVE_ROOMS: Record<string, string[]>;
export function wrongIncludes(root: string): string[];
