export interface Room {
  name: string;
  job: string;
  imports: string[];
}
export const ROOMS: Room[];
