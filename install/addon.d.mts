/** Where builds put the addon, relative to the package's folder. */
export const ADDON: string;
/** Where the package keeps the addon for this platform, relative to its folder. */
export function prebuiltPath(): string;
/** Tried in a child process. */
export function addonLoads(path: string): { ok: boolean; problem?: string };
