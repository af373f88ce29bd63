// The page: shows what the worker tells, and asks it for what the user wants.
import { BACKBONES, type BackboneName } from "../../src/backbones/registry.ts";
import { calibratedScore } from "../../src/detection/calibration.ts";
import { auroc, rank } from "../../src/metrics/ranking.ts";
import { printable } from "../../src/io/printable.ts";
import { LossChart } from "./loss_chart.ts";
import { byId, dropZone, durationText, element, isPicture, onClick, pick, show } from "./page.ts";
import type { LeftTraining, Picture, Ready, Reply, Request, TrainingChoice, Trouble } from "./protocol.ts";
import { Result } from "./result.ts";

const SHOWN_THUMBNAILS = 60;
const MEGABYTE = 1e6;
const LIVE_SIDE = 512; // pixels of a filmed picture
const RATE_MILLISECONDS = 3000; // over which the frames a second are told

const ADVICE: Record<Trouble, string> = {
  unsupported:
    "Chrome and Edge have WebGPU from version 113 on, Safari from 26, Firefox from 141 on Windows and 145 on macOS. " +
    "Chrome on Linux may want chrome://flags/#enable-unsafe-webgpu. The page must come over https or from localhost.",
  lost: "What was trained so far is kept: go on with it below.",
  memory: "Choose a smaller picture size, close other tabs that use the GPU, and try again.",
  input: "",
};

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const ask = (request: Request, transfer: Transferable[] = []): void => worker.postMessage(request, transfer);

const chart = new LossChart(byId("chart"));
const results = new Map<number, { readonly result: Result; readonly picture: Blob | ImageBitmap }>();
let good: Picture[] = [];
let samples: readonly Picture[] = [];
let left: LeftTraining | null = null;
let ready: Ready | null = null;
let isTraining = false;
let nextId = 0;

// ---- What the worker tells

worker.addEventListener("message", ({ data: reply }: MessageEvent<Reply>) => {
  switch (reply.kind) {
    case "opened": {
      const { adapter, software } = reply;
      left = reply.left;
      byId("adapter").dataset["state"] = "there";
      byId("adapter").textContent = software ? `${adapter}: a software adapter, correct but slow` : adapter;
      if (left) {
        byId("kept").textContent = `A training of ${left.pictures} pictures was left after ${left.taken} steps.`;
        backbones.value = left.choice.backbone;
        byId<HTMLSelectElement>("size").value = String(left.choice.inputSize);
      }
      return refresh();
    }
    case "samples":
      samples = reply.test;
      addGood(reply.good);
      return;
    case "weights":
      return showProgress(
        `${reply.name}: ${Math.round(reply.done / MEGABYTE)} of ${Math.round(reply.total / MEGABYTE)} MB`,
        reply.done,
        reply.total,
        "",
      );
    case "features":
      return showProgress(`Features, ${reply.done} of ${reply.total}`, reply.done, reply.total, "");
    case "step": {
      const { title, step, steps, model, models, taken, loss, secondsLeft } = reply;
      const which = models > 1 ? `, model ${model} of ${models}` : "";
      showProgress(`${title}, step ${step} of ${steps}${which}`, step, steps, `${durationText(secondsLeft)} left`);
      if (loss !== null) {
        show(true, "loss");
        chart.add(taken, title, loss);
      }
      return;
    }
    case "kept":
      byId("kept").textContent = `Kept after ${reply.taken} steps: a closed tab loses nothing before that.`;
      return;
    case "stopped":
      left = reply.left;
      byId("kept").textContent = `Stopped after ${left.taken} steps, and kept.`;
      return trainingEnded();
    case "ready":
      ready = reply;
      left = null;
      byId("kept").textContent = "";
      byId<HTMLInputElement>("threshold").value = "0.5";
      trainingEnded();
      return filmNext();
    case "inspected":
    case "refused": {
      if (reply.id === filmedId) [filmedId, isFilming] = [null, false];
      const known = results.get(reply.id);
      if (!known) return; // cleared meanwhile
      const { result, picture } = known;
      if (reply.kind === "refused") {
        if (reply.id === liveId) endLive();
        return result.refuse(reply.message);
      }
      void result.show(picture, reply).then(() => {
        result.draw(threshold(), opacity());
        summarise();
        if (picture instanceof ImageBitmap) picture.close();
      });
      if (reply.id === liveId) showRate();
      return filmNext();
    }
    case "model": {
      const link = element("a", { href: URL.createObjectURL(reply.file), download: "model.safetensors" });
      link.click();
      URL.revokeObjectURL(link.href);
      return;
    }
    case "failed":
      return fail(reply.trouble, reply.message);
  }
});
window.addEventListener("unhandledrejection", ({ reason }) =>
  fail("input", String((reason as Error).message ?? reason)),
);
worker.addEventListener("error", ({ message }) =>
  fail("input", message || "the page's worker failed; reload the page"),
);

function fail(trouble: Trouble, message: string): void {
  const notice = byId("notice");
  notice.replaceChildren(element("strong", { textContent: printable(message) }), element("br"), ` ${ADVICE[trouble]}`);
  if (trouble === "lost") {
    byId("adapter").dataset["state"] = "gone";
    byId("adapter").textContent = "The GPU device was lost.";
    const again = element("button", { type: "button", textContent: "Ask for the GPU again" });
    again.addEventListener("click", () => {
      notice.hidden = true;
      ask({ kind: "open" });
    });
    notice.append(element("br"), again);
  }
  if (trouble === "unsupported") {
    byId("adapter").dataset["state"] = "gone";
    byId("adapter").textContent = "No WebGPU here.";
  }
  notice.hidden = false;
  trainingEnded();
}

function showProgress(stage: string, done: number, total: number, remaining: string): void {
  show(true, "progress");
  byId<HTMLProgressElement>("bar").value = done / total;
  byId("stage").textContent = stage;
  byId("left").textContent = remaining;
}

function trainingEnded(): void {
  isTraining = false;
  show(false, "progress");
  refresh();
}

/** Enables and shows the controls that can be used now. */
function refresh(): void {
  const isThere = byId("adapter").dataset["state"] === "there";
  const start = byId<HTMLButtonElement>("start");
  start.disabled = isTraining || !isThere || (good.length < 2 && !left);
  start.textContent = left ? "Go on training" : "Train";
  show(isTraining, "stop");
  show(!!left && !isTraining, "forget");
  byId<HTMLButtonElement>("test-files").disabled = byId<HTMLButtonElement>("save").disabled = !ready || isTraining;
  show(samples.length > 0 && !!ready && !isTraining, "test-samples");
  for (const id of ["backbone", "size"]) byId<HTMLSelectElement>(id).disabled = isTraining || !!left;
  show(byId<HTMLSelectElement>("backbone").value !== "embedded", "weights-row");
}

// ---- Good pictures

function addGood(pictures: readonly Picture[]): void {
  good = [...good, ...pictures];
  const thumbs = byId("thumbs");
  for (const { name, file } of pictures.slice(0, Math.max(0, SHOWN_THUMBNAILS - thumbs.childElementCount))) {
    const image = element("img", {
      src: URL.createObjectURL(file),
      alt: printable(name),
      loading: "lazy",
      decoding: "async",
    });
    image.onload = () => URL.revokeObjectURL(image.src);
    thumbs.append(element("li", {}, image));
  }
  byId("good-count").textContent =
    `${good.length} good ${good.length === 1 ? "picture" : "pictures"}${good.length < 2 ? "; it takes two at least" : ""}.`;
  refresh();
}

const picturesOf = (files: readonly { readonly path: string; readonly file: File }[]): Picture[] =>
  files.filter(({ file }) => isPicture(file)).map(({ path, file }) => ({ name: path, file }));
const withPath = (file: File) => ({ path: file.webkitRelativePath || file.name, file });

dropZone(byId("good-drop"), (files) => addGood(picturesOf(files)));
onClick("good-files", async () => addGood(picturesOf((await pick(byId("pick-files"))).map(withPath))));
onClick("good-folder", async () => addGood(picturesOf((await pick(byId("pick-folder"))).map(withPath))));
onClick("samples", () => ask({ kind: "samples" }));

// ---- Training

const backbones = byId<HTMLSelectElement>("backbone");
for (const name of BACKBONES)
  backbones.append(
    element("option", { value: name, textContent: name === "embedded" ? "embedded, nothing to download" : name }),
  );
backbones.addEventListener("change", refresh);

onClick("start", () => {
  isTraining = true;
  show(false, "notice", "loss");
  chart.clear();
  const choice: TrainingChoice = {
    backbone: backbones.value as BackboneName,
    inputSize: Number(byId<HTMLSelectElement>("size").value),
    seed: 0,
  };
  ask(left ? { kind: "resume" } : { kind: "train", pictures: good, choice });
  left = null;
  refresh();
});
onClick("stop", () => ask({ kind: "stop" }));
onClick("forget", () => {
  left = null;
  byId("kept").textContent = "";
  ask({ kind: "forget" });
  refresh();
});
onClick("weights-hub", () => ask({ kind: "weights", name: backbones.value as BackboneName, file: null }));
onClick("weights-file", async () => {
  const [file] = await pick(byId("pick-one"));
  if (file) ask({ kind: "weights", name: backbones.value as BackboneName, file });
});

// ---- Inspecting

const threshold = (): number => Number(byId<HTMLInputElement>("threshold").value);
const opacity = (): number => Number(byId<HTMLInputElement>("opacity").value);

function inspect(pictures: readonly Picture[]): void {
  show(true, "controls", "clear");
  for (const { name, file } of pictures) {
    const folders = name.split("/").slice(0, -1);
    const result = new Result(
      name,
      folders.length === 0 ? null : !folders.some((folder) => /^(good|ok|normal)$/i.test(folder)),
    );
    const id = nextId++;
    results.set(id, { result, picture: file });
    byId("results").append(result.item);
    ask({ kind: "inspect", id, image: file });
  }
}

/** Shows the verdicts at the current threshold on the held-out good pictures and on the inspected ones. */
function summarise(): void {
  byId("threshold-value").textContent = threshold().toFixed(2);
  const scored = [...results.values()].map(({ result }) => result).filter(({ calibrated }) => calibrated !== null);
  const parts: string[] = [];
  if (ready && ready.good.length > 0) {
    const rejected = ready.good.filter((score) => calibratedOf(score) > threshold()).length;
    parts.push(
      `rejects ${rejected} of ${ready.good.length} good pictures that it did not learn from (${Math.round((100 * rejected) / ready.good.length)} %)`,
    );
  }
  const defective = scored.filter(({ calibrated }) => calibrated! > threshold()).length;
  if (scored.length > 0) parts.push(`calls ${defective} of ${scored.length} inspected ones defective`);
  const labelled = scored.filter(({ isDefect }) => isDefect !== null);
  const area = auroc(
    rank(
      Float64Array.from(labelled, ({ score }) => score!),
      Uint8Array.from(labelled, ({ isDefect }) => Number(isDefect)),
    ),
  );
  if (area !== null) parts.push(`image AUROC ${area.toFixed(3)}`);
  byId("verdict").textContent = parts.length > 0 ? `At ${threshold().toFixed(2)} it ${parts.join("; ")}.` : "";
}

/** A good picture's score on the scale of the slider. */
function calibratedOf(score: number): number {
  const { threshold: at, typical } = ready!.calibration;
  return calibratedScore(score, { threshold: at, typical });
}

function redraw(): void {
  for (const { result } of results.values()) result.draw(threshold(), opacity());
  summarise();
}

dropZone(byId("test-drop"), (files) => {
  if (ready && !isTraining) inspect(picturesOf(files));
});
onClick("test-files", async () => inspect(picturesOf((await pick(byId("pick-files"))).map(withPath))));
onClick("test-samples", () => inspect(samples));
onClick("clear", () => {
  const live = liveId === null ? undefined : results.get(liveId); // what is filmed stays
  results.clear();
  if (live) results.set(liveId!, live);
  byId("results").replaceChildren(...(live ? [live.result.item] : []));
  show(!!live, "clear");
  summarise();
});
byId("threshold").addEventListener("input", redraw);
byId("opacity").addEventListener("input", redraw);
onClick("save", () => ask({ kind: "save" }));
onClick("load", async () => {
  const [file] = await pick(byId("pick-one"));
  if (file) ask({ kind: "load", file, name: file.name });
});

// ---- The camera

const video = byId<HTMLVideoElement>("video");
let liveId: number | null = null; // of the card that shows what is filmed
let isFilming = false; // a frame is taken, or with the worker
let filmedId: number | null = null; // of the frame that is with the worker
let answered: number[] = []; // times of the latest frames, milliseconds

onClick("good-camera", async () => {
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    await video.play();
    show(true, "camera");
  } catch (error) {
    fail("input", `no camera: ${(error as Error).message}`);
  }
});
onClick("camera-off", () => {
  for (const track of (video.srcObject as MediaStream | null)?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  endLive();
  show(false, "camera");
});
onClick("shoot", async () => {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d")!.drawImage(video, 0, 0);
  addGood([{ name: `filmed ${good.length + 1}`, file: await canvas.convertToBlob() }]);
});
byId("live").addEventListener("change", () => {
  if (byId<HTMLInputElement>("live").checked) filmNext();
  else endLive();
});

/** Inspects no further frames; the last one's result stays. */
function endLive(): void {
  byId<HTMLInputElement>("live").checked = false;
  [liveId, answered] = [null, []];
  byId("rate").textContent = "";
}

/** Shows the frames a second of the last seconds; one frame has no rate yet. */
function showRate(): void {
  const now = performance.now();
  answered = [...answered.filter((time, i) => now - time < RATE_MILLISECONDS || i === answered.length - 1), now];
  const seconds = (now - answered[0]!) / 1000;
  if (seconds > 0) byId("rate").textContent = `${((answered.length - 1) / seconds).toFixed(1)} frames a second`;
}

/** Inspects what the camera sees now; asked again with each answer, so that pictures never queue. */
function filmNext(): void {
  const isWanted = (): boolean => byId<HTMLInputElement>("live").checked && !!video.srcObject && !!ready && !isTraining;
  if (isFilming || !isWanted()) return;
  isFilming = true;
  const scale = Math.min(1, LIVE_SIDE / Math.max(video.videoWidth, video.videoHeight));
  void createImageBitmap(video, {
    resizeWidth: Math.round(video.videoWidth * scale),
    resizeHeight: Math.round(video.videoHeight * scale),
  }).then((frame) => {
    isFilming = isWanted(); // still
    if (!isFilming) return frame.close();
    if (liveId === null) {
      show(true, "controls", "clear");
      liveId = nextId++;
      results.set(liveId, { result: new Result("camera", null), picture: frame });
      byId("results").prepend(results.get(liveId)!.result.item);
    }
    results.set(liveId, { result: results.get(liveId)!.result, picture: frame });
    filmedId = liveId;
    ask({ kind: "inspect", id: liveId, image: frame });
  });
}

ask({ kind: "open" });
refresh();
