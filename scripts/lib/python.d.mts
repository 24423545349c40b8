export function pythonHelpersFolder(root: string): string;
