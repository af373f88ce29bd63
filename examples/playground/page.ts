// Small helpers for the page's own elements.

/** The element of that id. */
export const byId = <T extends HTMLElement = HTMLElement>(id: string): T => document.getElementById(id) as T;

/** Shows or hides elements. */
export function show(visible: boolean, ...ids: readonly string[]): void {
  for (const id of ids) byId(id).hidden = !visible;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  fields: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), fields);
  made.append(...children);
  return made;
}

/** Does something whenever the element of that id is clicked. */
export function onClick(id: string, act: () => unknown): void {
  byId(id).addEventListener("click", () => void act());
}

/** "3 min 20 s" */
export function durationText(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
}

/** Asks the user for files through one of the page's hidden inputs. */
export function pick(input: HTMLInputElement): Promise<File[]> {
  input.value = "";
  return new Promise((done) => {
    input.onchange = () => done([...(input.files ?? [])]);
    input.oncancel = () => done([]);
    input.click();
  });
}

/** The dropped files, including those inside dropped folders, each with its path from the dropped item. */
async function droppedFiles({ items, files }: DataTransfer): Promise<{ readonly path: string; readonly file: File }[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...files].map((file) => ({ path: file.name, file }));
  const found: { path: string; file: File }[] = [];
  const walk = async (entry: FileSystemEntry, path: string): Promise<void> => {
    if (entry.isFile) {
      const file = await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail));
      found.push({ path, file });
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // a hundred at a time
      const batch = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
      if (batch.length === 0) return;
      for (const child of batch) await walk(child, `${path}/${child.name}`);
    }
  };
  for (const entry of entries) await walk(entry, entry.name);
  return found;
}

const IMAGE = /\.(png|jpe?g|jfif|webp|bmp|gif|avif)$/i;

/** True if a file may be a picture, by its type, or by its name where the system knows no type. */
export const isPicture = (file: File): boolean => file.type.startsWith("image/") || IMAGE.test(file.name);

/** Makes an element a drop zone that lights up, and passes dropped files to `take`. */
export function dropZone(
  zone: HTMLElement,
  take: (files: readonly { readonly path: string; readonly file: File }[]) => void,
): void {
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer) void droppedFiles(event.dataTransfer).then(take);
  });
}
