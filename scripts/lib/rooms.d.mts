export function withRooms(root: string, text: string): string;
