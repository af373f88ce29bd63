export function replayed(page: string, folder: string, isWanted?: (command: string) => boolean): string;
