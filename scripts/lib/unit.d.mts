export const UNIT: string[];
