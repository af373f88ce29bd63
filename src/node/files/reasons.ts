export const REASONS: Readonly<Record<string, string>> = {
  EACCES: "no permission",
  EPERM: "no permission",
  ENOENT: "it does not exist",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "it is a folder",
  EEXIST: "a file of that name is in the way",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EXDEV: "it lies on another file system",
  EBUSY: "the system or another program is using it",
  ETXTBSY: "it is a program that is running",
  EMFILE: "this process has too many files open",
  ENFILE: "the system has too many files open",
  EIO: "the disk reported an input/output error",
  EFBIG: "the file is too large for its file system",
  ESTALE: "the network file system has lost it",
  ENXIO: "nothing is connected to it, or reads it",
  EPIPE: "its reader has closed it",
  EBADF: "it is not open",
  EINVAL: "the file system does not support that",
  ENOTEMPTY: "a folder of that name is in the way",
  EROFS: "the file system is read-only",
  ELOOP: "its links go round in a circle",
  ENAMETOOLONG: "the name is too long",
  ERR_FS_FILE_TOO_LARGE: "it is larger than 2 GiB",
  ERR_INVALID_ARG_VALUE: "no file can have that name",
};

/** Describes why a file operation failed. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? message;
}

const GONE = new Set([
  "ENOENT",
  "ENOTDIR",
  "ENODEV",
  "ENXIO",
  "ENOTCONN",
  "ESTALE",
  "EIO",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ETIMEDOUT",
]);

/**
 * True if a file could not be read because it, its folder or its disk is missing; it may come back.
 */
export function isGone(error: Error): boolean {
  return GONE.has((error.cause as NodeJS.ErrnoException | undefined)?.code ?? "");
}

export const ELSEWHERE = "choose another place";
const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: ELSEWHERE,
  EPERM: ELSEWHERE,
  ENOTDIR: ELSEWHERE,
  EROFS: ELSEWHERE,
  EISDIR: "choose another name",
  EEXIST: "choose another name",
  ENAMETOOLONG: "choose a shorter one",
  ENOTEMPTY: "choose another name",
  ENOSPC: "free some space, or choose another disk",
  EDQUOT: "free some space, or choose another disk",
  EFBIG: "choose another disk",
  EXDEV: ELSEWHERE,
  EBUSY: "end what uses it, or choose another name",
  ETXTBSY: "end what uses it, or choose another name",
  EMFILE: "raise the limit with ulimit -n",
  ENFILE: "close other programs",
  EIO: "check the disk, or choose another one",
  ESTALE: "mount it again, or choose another place",
};

/** Describes why something cannot be written, with a remedy. */
export function writeReasonOf(error: unknown, missing = "its folder does not exist (make it first)"): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return missing;
  const remedy = REMEDIES[code ?? ""];
  return remedy ? `${reasonOf(error)} (${remedy})` : reasonOf(error);
}

/** Codes of what the system does not let this user do. */
export const FORBIDDEN = ["EACCES", "EPERM", "EROFS"];

/** True if the system does not let this user make a file there. */
export const isForbidden = (error: unknown): boolean => FORBIDDEN.includes((error as NodeJS.ErrnoException).code ?? "");
