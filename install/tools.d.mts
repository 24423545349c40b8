export type ToolName = 'node' | 'npm' | 'python3' | 'pip' | 'cmake' | 'c++' | 'make';
export interface ToolResult {
  tool: ToolName;
  ok: boolean;
  version?: string;
  /** The least version, "major.minor"; "0.0" for any. */
  wanted: string;
  why: string;
  path?: string;
  problem?: string;
  /** The command that installs it. */
  remedy?: string;
}
export function which(...names: string[]): string | undefined;
export function remedy(tool: ToolName | 'gtest' | 'clang++'): string;
export function pythonCommand(): string | undefined;
export function checkTools(names: ToolName[]): ToolResult[];
export function describeMissing(results: ToolResult[]): string[];
